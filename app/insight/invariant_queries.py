"""Every promise of the data that a query can check: one SQL statement each, answering the rows (`brand_id`, `row`) that break it.

None compares a time of a simulated run with one of the wall clock; where order matters it is the database's own `created_at`.
"""

from dataclasses import dataclass

from app.referrals.rules import RefusalReason


@dataclass(frozen=True, slots=True)
class Invariant:
    """`said` is what a person reads; `query` answers the rows that break it, with the id's `prefix` as the API shows it."""

    name: str
    said: str
    prefix: str
    query: str


_REFUSALS = ", ".join(f"'{reason}'" for reason in RefusalReason)
_GONE_OUT = "('accepted', 'delivered', 'bounced', 'complained')"
_FOLDED_STATUS = """
    CASE WHEN o.cancelled_at IS NOT NULL THEN 'cancelled'
         WHEN o.refunded > 0 AND o.refunded >= o.total THEN 'refunded'
         WHEN o.delivered_at IS NOT NULL THEN 'delivered'
         WHEN o.fulfilled_at IS NOT NULL THEN 'fulfilled' ELSE 'paid' END
"""

INVARIANT_QUERIES = (
    Invariant(
        "order_has_survey",
        "every order has a survey row, planned or skipped with its reason",
        "ord",
        """
        SELECT o.brand_id, o.id AS row FROM orders o
        WHERE NOT EXISTS (SELECT FROM surveys s
            WHERE s.brand_id = o.brand_id AND s.cause_kind = 'order' AND s.cause_id = o.id)
        """,
    ),
    Invariant(
        "one_survey_per_cause",
        "no order or other cause has two surveys",
        "sur",
        """
        SELECT brand_id, (array_agg(id))[1] AS row FROM surveys
        GROUP BY brand_id, cause_kind, cause_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        "sent_survey_was_accepted",
        "a provider accepted the message of a survey that is marked as sent",
        "sur",
        """
        SELECT s.brand_id, s.id AS row FROM surveys s WHERE s.status = 'sent' AND NOT EXISTS (
            SELECT FROM messages m WHERE m.brand_id = s.brand_id AND m.template = 'survey'
                AND m.subject_id = s.id AND m.sent_at IS NOT NULL)
        """,
    ),
    Invariant(
        "skip_has_reason",
        "a skipped survey says why, and no other has a reason",
        "sur",
        "SELECT brand_id, id AS row FROM surveys WHERE (status = 'skipped') <> (reason IS NOT NULL)",
    ),
    Invariant(
        "survey_is_of_its_order",
        "a survey asks the customer of its order",
        "sur",
        """
        SELECT s.brand_id, s.id AS row FROM surveys s JOIN orders o ON o.brand_id = s.brand_id AND o.id = s.order_id
        WHERE s.customer_id IS DISTINCT FROM o.customer_id
        """,
    ),
    Invariant(
        "history_is_never_asked",
        "imported history and test orders never cause a message",
        "sur",
        f"""
        SELECT s.brand_id, s.id AS row FROM surveys s JOIN orders o ON o.brand_id = s.brand_id AND o.id = s.order_id
        JOIN messages m ON m.brand_id = s.brand_id AND m.subject_id = s.id AND m.template IN ('survey', 'reminder')
        WHERE (o.history OR o.test) AND m.status IN {_GONE_OUT}
        """,
    ),
    Invariant(
        "answer_to_a_sent_survey",
        "only a survey that was sent has an answer, and it is marked as answered",
        "rsp",
        """
        SELECT r.brand_id, r.id AS row FROM responses r JOIN surveys s ON s.brand_id = r.brand_id AND s.id = r.survey_id
        WHERE s.status <> 'answered' OR s.sent_at IS NULL OR s.order_id IS DISTINCT FROM r.order_id OR s.customer_id <> r.customer_id
        """,
    ),
    Invariant(
        "one_answer_per_survey",
        "no survey has two answers",
        "sur",
        "SELECT brand_id, survey_id AS row FROM responses GROUP BY 1, 2 HAVING count(*) > 1",
    ),
    Invariant(
        "sent_has_attempt",
        "a message that went out has an accepted attempt",
        "msg",
        f"""
        SELECT m.brand_id, m.id AS row FROM messages m WHERE m.status IN {_GONE_OUT} AND NOT EXISTS (
            SELECT FROM attempts a WHERE a.brand_id = m.brand_id AND a.message_id = m.id AND a.status = 'accepted')
        """,
    ),
    Invariant(
        "sent_once",
        "no message went out twice, unless it is marked as a possible duplicate",
        "msg",
        """
        SELECT m.brand_id, m.id AS row FROM messages m
        JOIN attempts a ON a.brand_id = m.brand_id AND a.message_id = m.id AND a.status = 'accepted'
        WHERE NOT m.possible_duplicate GROUP BY 1, 2 HAVING count(*) > 1
        """,
    ),
    Invariant(
        "attempts_are_counted",
        "a message counts its attempts",
        "msg",
        """
        SELECT m.brand_id, m.id AS row FROM messages m WHERE m.attempts <> (
            SELECT count(*) FROM attempts a WHERE a.brand_id = m.brand_id AND a.message_id = m.id)
        """,
    ),
    Invariant(
        "unsent_was_never_sent",
        "a cancelled or suppressed message has no accepted attempt",
        "msg",
        """
        SELECT DISTINCT m.brand_id, m.id AS row FROM messages m
        JOIN attempts a ON a.brand_id = m.brand_id AND a.message_id = m.id AND a.status = 'accepted'
        WHERE m.status IN ('cancelled', 'suppressed')
        """,
    ),
    Invariant(
        "uses_are_redemptions",
        "a code's uses are the redemptions that hold one, and never more than it allows",
        "cod",
        """
        SELECT c.brand_id, c.id AS row FROM codes c WHERE c.uses > c.max_uses OR c.uses <> (
            SELECT count(*) FROM redemptions d WHERE d.brand_id = c.brand_id AND d.code_id = c.id AND d.holds_use)
        """,
    ),
    Invariant(
        "one_active_code",
        "a referrer has one active share code at most, and a disabled code is not active",
        "ref",
        """
        SELECT brand_id, referrer_id AS row FROM codes WHERE active AND kind = 'share' GROUP BY 1, 2
        HAVING count(*) > 1 OR bool_or(disabled_at IS NOT NULL)
        """,
    ),
    Invariant(
        "one_redemption_per_order",
        "an order has one redemption at most, of a code of the referrer it names",
        "red",
        """
        SELECT d.brand_id, d.id AS row FROM redemptions d JOIN codes c ON c.brand_id = d.brand_id AND c.id = d.code_id
        WHERE c.referrer_id <> d.referrer_id
            OR (SELECT count(*) FROM redemptions e WHERE e.brand_id = d.brand_id AND e.order_id = d.order_id) > 1
        """,
    ),
    Invariant(
        "no_own_order",
        "nobody is credited for an order of their own",
        "red",
        """
        SELECT d.brand_id, d.id AS row FROM redemptions d
        JOIN referrers f ON f.brand_id = d.brand_id AND f.id = d.referrer_id
        WHERE d.friend_id = f.customer_id AND d.status <> 'refused'
        """,
    ),
    Invariant(
        "refusal_has_known_reason",
        "a refused redemption says why in one of the known words and holds no use",
        "red",
        f"""
        SELECT brand_id, id AS row FROM redemptions
        WHERE status = 'refused' AND (reason IS NULL OR reason NOT IN ({_REFUSALS}) OR holds_use)
        """,
    ),
    Invariant(
        "undone_order_earns_nothing",
        "no redemption of a cancelled or wholly refunded order counts",
        "red",
        """
        SELECT d.brand_id, d.id AS row FROM redemptions d JOIN orders o ON o.brand_id = d.brand_id AND o.id = d.order_id
        WHERE d.status IN ('pending', 'in_review', 'approved')
            AND (o.cancelled_at IS NOT NULL OR (o.refunded > 0 AND o.refunded >= o.total))
        """,
    ),
    Invariant(
        "transactions_balance",
        "every transaction of the ledger adds up to zero in each currency",
        "txn",
        "SELECT brand_id, transaction_id AS row FROM ledger_entries GROUP BY brand_id, transaction_id, currency HAVING sum(amount) <> 0",
    ),
    Invariant(
        "rewards_are_booked",
        "what is left of a granted reward is in the ledger, and nothing else is posted as one",
        "red",
        """
        SELECT d.brand_id, d.id AS row FROM redemptions d
        LEFT JOIN rewards w ON w.brand_id = d.brand_id AND w.redemption_id = d.id
        WHERE coalesce(w.net_amount * (w.granted_at IS NOT NULL)::int, 0) <> (
            SELECT coalesce(sum(l.amount), 0) FROM ledger_entries l
            WHERE l.brand_id = d.brand_id AND l.cause_kind = 'redemption' AND l.cause_id = d.id
                AND l.account = 'reward_cost')
        """,
    ),
    Invariant(
        "approved_is_rewarded",
        "a redemption that counts or may yet count has its reward, unless its terms give none",
        "red",
        """
        SELECT d.brand_id, d.id AS row FROM redemptions d
        JOIN terms t ON t.brand_id = d.brand_id AND t.id = d.terms_id
        WHERE d.status IN ('pending', 'in_review', 'approved')
            AND t.reward ->> 'kind' <> 'none' AND (t.reward ->> 'value')::numeric >= 1
            AND NOT EXISTS (SELECT FROM rewards w WHERE w.brand_id = d.brand_id AND w.redemption_id = d.id)
        """,
    ),
    Invariant(
        "only_approved_is_rewarded",
        "a reward's status follows its redemption's, and one that does not count has nothing left",
        "red",
        """
        SELECT d.brand_id, d.id AS row FROM redemptions d
        JOIN rewards w ON w.brand_id = d.brand_id AND w.redemption_id = d.id
        WHERE CASE d.status
            WHEN 'pending' THEN w.status <> 'pending'
            WHEN 'in_review' THEN w.status <> 'pending'
            WHEN 'approved' THEN w.status IN ('pending', 'cancelled')
            WHEN 'rejected' THEN w.status <> 'cancelled' OR w.net_amount <> 0
            WHEN 'reversed' THEN w.status NOT IN ('cancelled', 'reversed') OR w.net_amount <> 0
            ELSE true END
        """,
    ),
    Invariant(
        "ledger_is_append_only",
        "a transaction is two opposite lines of one key, currency and cause; no key is posted twice",
        "txn",
        """
        SELECT brand_id, transaction_id AS row FROM ledger_entries GROUP BY 1, 2
        HAVING count(*) <> 2 OR sum(amount) <> 0 OR bool_or(amount = 0) OR count(DISTINCT account) <> 2
            OR count(DISTINCT (transaction_key, currency, cause_kind, cause_id, occurred_at)) <> 1
        UNION ALL
        SELECT l.brand_id, min(l.transaction_id::text)::uuid FROM ledger_entries l
        GROUP BY l.brand_id, l.transaction_key HAVING count(DISTINCT l.transaction_id) > 1
        """,
    ),
    Invariant(
        "discounts_are_posted",
        "the ledger has each friend's discount once, and not that of an order that was undone",
        "red",
        """
        SELECT d.brand_id, d.id AS row FROM redemptions d
        JOIN orders o ON o.brand_id = d.brand_id AND o.id = d.order_id
        WHERE CASE WHEN o.cancelled_at IS NOT NULL OR (d.status = 'reversed' AND NOT d.holds_use)
                THEN 0 ELSE d.amount_off END <> (
            SELECT coalesce(sum(l.amount), 0) FROM ledger_entries l
            WHERE l.brand_id = d.brand_id AND l.cause_kind = 'redemption' AND l.cause_id = d.id
                AND l.account IN ('discount_cost', 'leaked_discount'))
        """,
    ),
    Invariant(
        "codes_are_published",
        "an active share code has its publication in the referrer's shop",
        "cod",
        """
        SELECT c.brand_id, c.id AS row FROM codes c
        JOIN referrers f ON f.brand_id = c.brand_id AND f.id = c.referrer_id
        WHERE c.active AND c.kind = 'share' AND NOT EXISTS (SELECT FROM code_publications p
            WHERE p.brand_id = c.brand_id AND p.code_id = c.id AND p.shop_id = f.shop_id)
        """,
    ),
    Invariant(
        "order_status_is_its_facts",
        "an order's status is what its facts say",
        "ord",
        f"SELECT o.brand_id, o.id AS row FROM orders o WHERE o.status <> {_FOLDED_STATUS}",
    ),
    Invariant(
        "processed_has_time",
        "a delivery that was worked off says when, one that waits does not, a failed one says why",
        "dlv",
        """
        SELECT brand_id, id AS row FROM deliveries
        WHERE (status = 'new') = (processed_at IS NOT NULL) OR (status = 'failed' AND reason IS NULL)
        """,
    ),
)
