"""The invariants of codes, redemptions and referrers' figures that one query each can check."""

from app.insight.invariant_types import IS_REFUNDED, Invariant
from app.referrals.figures import figure_lines, figure_sums
from app.referrals.rules import RefusalReason

_REFUSALS = ", ".join(f"'{reason}'" for reason in RefusalReason)
_COMPUTED = "SELECT brand_id FROM referrer_figure_bases"
_FIGURES = "friends, orders, revenue, cost, profit, last_order_at"
_WITH_BASIS = "lines JOIN referrer_figure_bases AS basis ON basis.brand_id = lines.brand_id"

INVARIANTS = (
    Invariant(
        "uses_are_redemptions",
        "a code's uses are the redemptions that hold one, those of friends' codes made from it too, and "
        "never more than it allows",
        "cod",
        """
        SELECT codes.brand_id, codes.id AS row FROM codes
            WHERE codes.uses > codes.max_uses OR codes.uses <> (
            SELECT count(*) FROM redemptions
                WHERE redemptions.brand_id = codes.brand_id AND redemptions.code_id = codes.id
                    AND redemptions.holds_use) + (
            SELECT count(*) FROM codes AS friends
                JOIN redemptions ON redemptions.brand_id = friends.brand_id
                    AND redemptions.code_id = friends.id
                WHERE friends.brand_id = codes.brand_id AND friends.parent_id = codes.id
                    AND redemptions.holds_use) + (
            SELECT count(*) FROM rewards
                WHERE rewards.brand_id = codes.brand_id AND rewards.code_id = codes.id
                    AND rewards.used_at IS NOT NULL)
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
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        JOIN codes ON codes.brand_id = redemptions.brand_id AND codes.id = redemptions.code_id
        WHERE codes.referrer_id <> redemptions.referrer_id
            OR (SELECT count(*) FROM redemptions AS others
                WHERE others.brand_id = redemptions.brand_id
                    AND others.order_id = redemptions.order_id) > 1
        """,
    ),
    Invariant(
        "redemption_is_of_its_orders_shop",
        "a redemption names the shop of its order",
        "red",
        """
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
        WHERE redemptions.shop_id <> orders.shop_id
        """,
    ),
    Invariant(
        "no_own_order",
        "nobody is rewarded for an order of their own",
        "red",
        """
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        JOIN referrers ON referrers.brand_id = redemptions.brand_id
            AND referrers.id = redemptions.referrer_id
        WHERE redemptions.friend_id = referrers.customer_id AND redemptions.status <> 'refused'
        """,
    ),
    Invariant(
        "refusal_has_known_reason",
        "a refused redemption has one of the known reasons and holds no use",
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
        f"""
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
        WHERE redemptions.status IN ('pending', 'in_review', 'approved')
            AND (orders.cancelled_at IS NOT NULL OR {IS_REFUNDED})
        """,
    ),
    Invariant(
        "refund_reverses_only_what_is_gone",
        "what a refund reversed counts again where something is left of its order",
        "red",
        f"""
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
        WHERE redemptions.status = 'reversed' AND redemptions.reason = 'refunded'
            AND NOT (orders.cancelled_at IS NOT NULL OR {IS_REFUNDED})
        """,
    ),
    Invariant(
        "approved_is_rewarded",
        "a redemption that counts or may yet count has its reward, unless its terms give none",
        "red",
        """
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        JOIN terms ON terms.brand_id = redemptions.brand_id AND terms.id = redemptions.terms_id
        WHERE redemptions.status IN ('pending', 'in_review', 'approved')
            AND terms.reward ->> 'kind' <> 'none'
            AND NOT EXISTS (SELECT FROM rewards
                WHERE rewards.brand_id = redemptions.brand_id
                    AND rewards.redemption_id = redemptions.id)
        """,
    ),
    Invariant(
        "only_approved_is_rewarded",
        "a reward's status follows its redemption's, and one that does not count has nothing left",
        "red",
        """
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        JOIN rewards ON rewards.brand_id = redemptions.brand_id
            AND rewards.redemption_id = redemptions.id
        WHERE CASE redemptions.status
            WHEN 'pending' THEN rewards.status <> 'pending'
            WHEN 'in_review' THEN rewards.status <> 'pending'
            WHEN 'approved' THEN rewards.status IN ('pending', 'cancelled')
            WHEN 'rejected' THEN rewards.status <> 'cancelled' OR rewards.net_amount <> 0
            WHEN 'reversed' THEN rewards.status NOT IN ('cancelled', 'reversed')
                OR rewards.net_amount <> 0
            WHEN 'refused' THEN rewards.status <> 'cancelled' OR rewards.net_amount <> 0
            ELSE true END
        """,
    ),
    Invariant(
        "codes_are_published",
        "an active code for friends has its publication in the referrer's shop, and one that cannot be "
        "entered has none",
        "cod",
        """
        SELECT codes.brand_id, codes.id AS row FROM codes
        JOIN referrers ON referrers.brand_id = codes.brand_id AND referrers.id = codes.referrer_id
        WHERE codes.active AND codes.kind <> 'reward' AND codes.redeemable <> EXISTS (
            SELECT FROM code_publications
            WHERE code_publications.brand_id = codes.brand_id AND code_publications.code_id = codes.id
                AND code_publications.shop_id = referrers.shop_id)
        """,
    ),
    Invariant(
        "friend_code_is_its_parents",
        "a friend's code can be used once, is its share code's in referrer and terms, and ends with it",
        "cod",
        """
        SELECT codes.brand_id, codes.id AS row FROM codes
        JOIN codes AS parent ON parent.brand_id = codes.brand_id AND parent.id = codes.parent_id
        WHERE parent.kind <> 'share' OR parent.redeemable OR codes.max_uses <> 1
            OR (codes.referrer_id, codes.terms_id) <> (parent.referrer_id, parent.terms_id)
            OR codes.expires_at > parent.expires_at
            OR (parent.disabled_at IS NOT NULL AND codes.disabled_at IS NULL)
        """,
    ),
    Invariant(
        "offers_are_of_live_codes",
        "no offer message was queued for a code that was never live in its referrer's shop",
        "msg",
        """
        SELECT messages.brand_id, messages.id AS row FROM messages
        JOIN codes ON codes.brand_id = messages.brand_id AND codes.id = messages.subject_id
        JOIN referrers ON referrers.brand_id = codes.brand_id AND referrers.id = codes.referrer_id
        WHERE messages.template = 'offer' AND codes.redeemable AND NOT EXISTS (SELECT FROM code_publications
            WHERE code_publications.brand_id = codes.brand_id AND code_publications.code_id = codes.id
                AND code_publications.shop_id = referrers.shop_id
                AND code_publications.live_at IS NOT NULL)
        """,
    ),
    Invariant(
        "publications_go_on",
        "a publication that waits for its platform goes on at a time, a reward's at its placement's",
        "cod",
        """
        SELECT code_publications.brand_id, code_publications.code_id AS row FROM code_publications
        LEFT JOIN codes ON codes.brand_id = code_publications.brand_id
            AND codes.id = code_publications.issued_id
        WHERE code_publications.state IN ('wanted', 'sending', 'revoking')
            AND code_publications.due_at IS NULL AND codes.kind IS DISTINCT FROM 'reward'
        """,
    ),
    Invariant(
        "disabled_codes_leave_the_shop",
        "a code that is disabled is not live at its shop's platform",
        "cod",
        """
        SELECT codes.brand_id, codes.id AS row FROM codes
        JOIN code_publications ON code_publications.brand_id = codes.brand_id
            AND code_publications.code_id = codes.id
        WHERE codes.disabled_at IS NOT NULL AND code_publications.state = 'live'
            AND code_publications.attempt > 0
        """,
    ),
    Invariant(
        "pooled_codes_are_nobodys",
        "a code of the pool has no row among the codes that were issued",
        "cod",
        """
        SELECT codes.brand_id, codes.id AS row FROM codes
        JOIN code_publications ON code_publications.brand_id = codes.brand_id
            AND code_publications.code_id = codes.id
        WHERE code_publications.issued_id IS NULL
        """,
    ),
    Invariant(
        "referrer_figures_are_sums",
        "what a referrer brought is what their friends' orders add up to, unless a change is not counted yet",
        "ref",
        f"""
        WITH lines AS ({figure_lines(f"{{table}}.brand_id IN ({_COMPUTED})")}),
        sums AS (
            SELECT lines.brand_id, lines.referrer_id, spans.span, lines.currency,
                {figure_sums("basis.time_zone", "basis.margin_percent", _WITH_BASIS)}
            GROUP BY lines.brand_id, lines.referrer_id, spans.span, lines.currency, basis.margin_percent
        )
        SELECT DISTINCT differing.brand_id, differing.referrer_id AS row FROM (
            (SELECT brand_id, referrer_id, span, currency, {_FIGURES} FROM sums
             EXCEPT SELECT brand_id, referrer_id, span, currency, {_FIGURES} FROM referrer_figures)
            UNION ALL (SELECT brand_id, referrer_id, span, currency, {_FIGURES} FROM referrer_figures
             EXCEPT SELECT brand_id, referrer_id, span, currency, {_FIGURES} FROM sums)
        ) AS differing
        WHERE NOT EXISTS (SELECT FROM referrer_changes AS changes
            WHERE changes.brand_id = differing.brand_id
                AND (differing.referrer_id = ANY(changes.referrer_ids) OR changes.referrer_ids = '{{}}'))
        """,
    ),
)
