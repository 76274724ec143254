"""The invariants of the ledger that one query each can check."""

from app.insight.invariant_types import Invariant

INVARIANTS = (
    Invariant(
        "transactions_balance",
        "every transaction of the ledger adds up to zero in each currency",
        "txn",
        """
        SELECT brand_id, transaction_id AS row FROM ledger_entries
        GROUP BY brand_id, transaction_id, currency HAVING sum(amount) <> 0
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
        SELECT brand_id, min(transaction_id::text)::uuid FROM ledger_entries
        GROUP BY brand_id, transaction_key HAVING count(DISTINCT transaction_id) > 1
        """,
    ),
    Invariant(
        "days_are_entries",
        "the days of the ledger that were added up are what their entries add up to",
        "txn",
        """
        SELECT e.brand_id, min(e.transaction_id::text)::uuid AS row FROM ledger_entries AS e
        LEFT JOIN ledger_days AS d ON d.brand_id = e.brand_id AND d.day = e.posted_on
            AND d.account = e.account AND d.currency = e.currency
        WHERE e.posted_on <= (SELECT max(day) FROM ledger_days WHERE ledger_days.brand_id = e.brand_id)
        GROUP BY e.brand_id, e.posted_on, e.account, e.currency, d.added, d.taken, d.entries
        HAVING coalesce(d.entries, 0) <> count(*)
            OR coalesce(d.added - d.taken, 0) <> sum(e.amount)
        """,
    ),
    Invariant(
        "rewards_are_posted",
        "what is left of a granted reward is in the ledger, and nothing else is posted as one",
        "red",
        """
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        LEFT JOIN rewards ON rewards.brand_id = redemptions.brand_id
            AND rewards.redemption_id = redemptions.id
        WHERE coalesce(rewards.net_amount * (rewards.granted_at IS NOT NULL)::int, 0) <> (
            SELECT coalesce(sum(ledger_entries.amount), 0) FROM ledger_entries
            WHERE ledger_entries.brand_id = redemptions.brand_id
                AND ledger_entries.cause_kind = 'redemption'
                    AND ledger_entries.cause_id = redemptions.id
                AND ledger_entries.account = 'reward_cost')
        """,
    ),
    Invariant(
        "discounts_are_posted",
        "the ledger has each friend's discount once, and not that of an order that was undone",
        "red",
        """
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
        WHERE CASE WHEN orders.cancelled_at IS NOT NULL OR (redemptions.status = 'reversed'
            AND NOT redemptions.holds_use)
                THEN 0 ELSE redemptions.amount_off END <> (
            SELECT coalesce(sum(ledger_entries.amount), 0) FROM ledger_entries
            WHERE ledger_entries.brand_id = redemptions.brand_id
                AND ledger_entries.cause_kind = 'redemption'
                    AND ledger_entries.cause_id = redemptions.id
                AND ledger_entries.account IN ('discount_cost', 'leaked_discount'))
        """,
    ),
)
