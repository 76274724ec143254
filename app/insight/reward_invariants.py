"""The invariants of what rewards become, of credit, and of friends who cannot be recognised."""

from app.insight.invariant_types import Invariant

_COUNTS = "coalesce(redemptions.status IN ('pending', 'in_review', 'approved'), true)"
_REWARDS = """
    FROM rewards LEFT JOIN redemptions ON redemptions.brand_id = rewards.brand_id
        AND redemptions.id = rewards.redemption_id
    LEFT JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
"""

INVARIANTS = (
    Invariant(
        "nobody_unknown_is_rewarded",
        "a friend who cannot be recognised counts only by a person's word",
        "red",
        """
        SELECT redemptions.brand_id, redemptions.id AS row FROM redemptions
        WHERE redemptions.friend_email_key IS NULL AND redemptions.friend_phone IS NULL
            AND (redemptions.status = 'pending' OR (redemptions.status = 'approved'
                AND NOT EXISTS (SELECT FROM audit_entries
                    WHERE audit_entries.brand_id = redemptions.brand_id
                        AND audit_entries.subject_id = redemptions.id
                        AND audit_entries.action = 'redemption_approved')))
        """,
    ),
    Invariant(
        "no_reward_above_the_order",
        "a reward is never more than the goods of the friend's order, in the same currency",
        "rwd",
        f"""
        SELECT rewards.brand_id, rewards.id AS row {_REWARDS}
        WHERE rewards.currency = orders.currency
            AND rewards.amount > greatest(orders.total - orders.shipping_total, 0)
        """,
    ),
    Invariant(
        "reward_status_is_its_facts",
        "a reward's status follows from its redemption, its amounts and its use",
        "rwd",
        f"""
        SELECT rewards.brand_id, rewards.id AS row {_REWARDS}
        WHERE rewards.status <> CASE
            WHEN rewards.granted_at IS NULL AND {_COUNTS} THEN 'pending'
            WHEN rewards.granted_at IS NULL THEN 'cancelled'
            WHEN NOT {_COUNTS} OR (rewards.net_amount = 0 AND rewards.amount > 0) THEN 'reversed'
            WHEN rewards.used_at IS NOT NULL
                OR (rewards.net_amount > 0 AND rewards.used_amount >= rewards.net_amount) THEN 'used'
            WHEN rewards.expired_at IS NOT NULL THEN 'expired' ELSE 'granted' END
        """,
    ),
    Invariant(
        "lapsed_is_what_cannot_be_spent",
        "what a used or expired reward leaves unspent has lapsed, and nothing else has",
        "rwd",
        """
        SELECT brand_id, id AS row FROM rewards
        WHERE lapsed_amount <> CASE
            WHEN granted_at IS NULL OR (used_at IS NULL AND expired_at IS NULL) THEN 0
            WHEN kind = 'code' THEN net_amount - used_amount
            WHEN expired_at IS NOT NULL THEN greatest(net_amount - used_amount, 0) ELSE 0 END
        """,
    ),
    Invariant(
        "goodwill_is_posted",
        "what is left of a reward without a friend's order is in the ledger, granted and taken back",
        "rwd",
        """
        SELECT brand_id, id AS row FROM rewards
        WHERE redemption_id IS NULL AND net_amount * (granted_at IS NOT NULL)::int <> (
            SELECT coalesce(sum(ledger_entries.amount), 0) FROM ledger_entries
            WHERE ledger_entries.brand_id = rewards.brand_id
                AND ledger_entries.cause_kind IN ('adjustment', 'withdrawal')
                AND ledger_entries.cause_id = rewards.id
                AND ledger_entries.account = 'reward_cost')
        """,
    ),
    Invariant(
        "frozen_while_disputed",
        "a reward is frozen while the payment of the order behind it is disputed",
        "rwd",
        f"""
        SELECT rewards.brand_id, rewards.id AS row {_REWARDS}
        WHERE rewards.frozen <> (orders.dispute IS NOT DISTINCT FROM 'open')
        """,
    ),
    Invariant(
        "own_code_is_its_rewards",
        "a reward paid by code has its referrer's own code, used with an order or not at all",
        "rwd",
        """
        SELECT rewards.brand_id, rewards.id AS row FROM rewards
        LEFT JOIN codes ON codes.brand_id = rewards.brand_id AND codes.id = rewards.code_id
        WHERE (rewards.used_at IS NULL) <> (rewards.used_order_id IS NULL)
            OR (rewards.code_id IS NOT NULL AND (rewards.kind <> 'code' OR codes.kind <> 'reward'
                OR codes.referrer_id <> rewards.referrer_id OR codes.currency <> rewards.currency
                OR (codes.uses = 1) <> (rewards.used_at IS NOT NULL)))
            OR (rewards.kind = 'code' AND rewards.code_id IS NULL AND rewards.granted_at IS NOT NULL
                AND rewards.net_amount > 0)
        """,
    ),
    Invariant(
        "credit_is_in_the_ledger",
        "a balance of credit is what the ledger's entries about it add up to",
        "ref",
        """
        WITH posted AS (
            SELECT ledger_entries.brand_id, ledger_entries.referrer_id, ledger_entries.currency, amount
            FROM ledger_entries WHERE account = 'referrers'
                AND cause_kind IN ('credit', 'shop_credit')
            UNION ALL
            SELECT e.brand_id, e.referrer_id, e.currency, e.amount FROM ledger_entries AS e
            JOIN rewards ON rewards.brand_id = e.brand_id AND rewards.redemption_id = e.cause_id
            WHERE e.account = 'referrers' AND e.cause_kind = 'redemption' AND rewards.kind = 'credit'
            UNION ALL
            SELECT e.brand_id, e.referrer_id, e.currency, e.amount FROM ledger_entries AS e
            JOIN rewards ON rewards.brand_id = e.brand_id AND rewards.id = e.cause_id
            WHERE e.account = 'referrers' AND e.cause_kind IN ('reward', 'adjustment', 'withdrawal')
                AND rewards.kind = 'credit'
        ), booked AS (
            SELECT brand_id, referrer_id, currency, -sum(amount) AS balance FROM posted GROUP BY 1, 2, 3
        )
        SELECT brand_id, referrer_id AS row
        FROM booked FULL JOIN credit_accounts USING (brand_id, referrer_id, currency)
        WHERE coalesce(booked.balance, 0) <> coalesce(credit_accounts.balance, 0)
        """,
    ),
    Invariant(
        "credit_is_left_of_rewards",
        "a balance of credit is what its rewards leave unspent",
        "ref",
        """
        WITH left_over AS (
            SELECT brand_id, referrer_id, currency, sum(net_amount - used_amount - lapsed_amount) AS balance
            FROM rewards WHERE kind = 'credit' AND granted_at IS NOT NULL GROUP BY 1, 2, 3
        )
        SELECT brand_id, referrer_id AS row
        FROM left_over FULL JOIN credit_accounts USING (brand_id, referrer_id, currency)
        WHERE coalesce(left_over.balance, 0) <> coalesce(credit_accounts.balance, 0)
        """,
    ),
    Invariant(
        "spent_credit_was_captured",
        "what was spent of rewards of credit is what was captured and not refunded, or spent in a shop",
        "ref",
        """
        WITH used AS (
            SELECT brand_id, referrer_id, currency, sum(used_amount) AS amount
            FROM rewards WHERE kind = 'credit' GROUP BY 1, 2, 3
        ), taken AS (
            SELECT brand_id, referrer_id, currency, sum(amount) AS amount FROM (
                SELECT brand_id, referrer_id, currency, captured - refunded AS amount FROM credit_reservations
                UNION ALL SELECT brand_id, referrer_id, currency, spent FROM shop_credits
            ) AS parts GROUP BY 1, 2, 3
        )
        SELECT brand_id, referrer_id AS row FROM used FULL JOIN taken USING (brand_id, referrer_id, currency)
        WHERE coalesce(used.amount, 0) <> coalesce(taken.amount, 0)
        """,
    ),
    Invariant(
        "reserved_is_open",
        "what is reserved of a balance is the sum of its open reservations",
        "ref",
        """
        SELECT brand_id, referrer_id AS row FROM credit_accounts AS a
        WHERE reserved <> (SELECT coalesce(sum(amount), 0) FROM credit_reservations AS r
            WHERE r.brand_id = a.brand_id AND r.referrer_id = a.referrer_id AND r.currency = a.currency
                AND r.status = 'reserved')
        """,
    ),
    Invariant(
        "shop_has_what_is_left",
        "what a connected shop has of a reward's code, where nothing is to be done, is left of the reward",
        "rwd",
        """
        SELECT rewards.brand_id, rewards.id AS row FROM reward_placements
        JOIN rewards ON rewards.brand_id = reward_placements.brand_id
            AND rewards.id = reward_placements.reward_id
        WHERE reward_placements.due_at IS NULL AND rewards.status = 'granted' AND NOT rewards.frozen
            AND reward_placements.placed <> rewards.net_amount
        """,
    ),
    Invariant(
        "nothing_is_spent_that_was_not_moved",
        "what an account in a shop holds of ours and what was spent of it was moved there",
        "ref",
        """
        SELECT credits.brand_id, credits.referrer_id AS row FROM shop_credits AS credits
        WHERE credits.code IS NULL AND credits.held + credits.spent - credits.spent_elsewhere > (
            SELECT coalesce(sum(CASE kind WHEN 'credit' THEN amount WHEN 'debit' THEN foreign_amount - amount
                ELSE 0 END), 0)
            FROM shop_credit_moves AS moves
            WHERE moves.brand_id = credits.brand_id AND moves.shop_credit_id = credits.id
                AND moves.state = 'done')
        """,
    ),
    Invariant(
        "spent_by_coupon_is_by_orders",
        "what was spent by a coupon of credit is what orders took off by it",
        "ref",
        """
        SELECT credits.brand_id, credits.referrer_id AS row FROM shop_credits AS credits
        WHERE credits.code IS NOT NULL AND credits.spent <> (
            SELECT coalesce(sum(amount), 0) FROM shop_credit_uses AS uses
            WHERE uses.brand_id = credits.brand_id AND uses.shop_credit_id = credits.id)
        """,
    ),
    Invariant(
        "reward_works_before_its_message",
        "nobody is told of a reward's code before the connected shop knows it",
        "rwd",
        """
        SELECT reward_placements.brand_id, reward_placements.reward_id AS row FROM reward_placements
        JOIN messages ON messages.brand_id = reward_placements.brand_id AND messages.template = 'reward'
            AND messages.subject_id = reward_placements.reward_id
        WHERE reward_placements.live_at IS NULL
        """,
    ),
)
