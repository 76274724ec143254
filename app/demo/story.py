"""One life of the demo, described as far as it has come."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.i18n import SOURCE, shown_amount

# Who came furthest: credit that was spent and then taken back, or spent, a reward that is granted,
# a friend's order, the code alone.
_FURTHEST = text("""
    SELECT customers.first_name, responses.score, codes.display, friends.first_name AS friend,
        orders.total, orders.currency, rewards.net_amount, rewards.granted_at,
        rewards.amount, rewards.used_amount, rewards.kind = 'credit' AS is_credit,
        extract(epoch FROM first_offer.at - responses.created_at) AS seconds
    FROM responses
    JOIN customers ON customers.brand_id = responses.brand_id AND customers.id = responses.customer_id
    JOIN referrers ON referrers.brand_id = responses.brand_id AND referrers.survey_id = responses.survey_id
    JOIN codes ON codes.brand_id = referrers.brand_id AND codes.referrer_id = referrers.id
        AND codes.kind = 'share'
    JOIN LATERAL (
        SELECT min(attempts.created_at) AS at FROM messages
        JOIN attempts ON attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id
        WHERE messages.brand_id = codes.brand_id AND messages.template = 'offer'
            AND messages.subject_id = codes.id
    ) AS first_offer ON true
    LEFT JOIN redemptions ON redemptions.brand_id = codes.brand_id AND redemptions.code_id = codes.id
        AND (redemptions.status IN ('pending', 'approved')
            OR redemptions.status = 'reversed' AND EXISTS (SELECT FROM rewards AS spent
                WHERE spent.brand_id = redemptions.brand_id AND spent.redemption_id = redemptions.id
                    AND spent.kind = 'credit' AND spent.used_amount > 0))
    LEFT JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
    LEFT JOIN customers AS friends ON friends.brand_id = redemptions.brand_id
        AND friends.id = redemptions.friend_id
    LEFT JOIN rewards ON rewards.brand_id = redemptions.brand_id AND rewards.redemption_id = redemptions.id
    WHERE responses.brand_id = :brand AND responses.score >= 9 AND customers.first_name IS NOT NULL
    ORDER BY coalesce(rewards.kind = 'credit' AND rewards.used_amount > 0, false) DESC,
        coalesce(rewards.kind = 'credit' AND rewards.used_amount > 0
            AND rewards.net_amount < rewards.amount, false) DESC,
        rewards.granted_at IS NULL, rewards.net_amount IS DISTINCT FROM rewards.amount,
        redemptions.id IS NULL, responses.answered_at, redemptions.id
    LIMIT 1
""")


async def describe_life(session: AsyncSession, brand_id: int) -> str | None:
    """`Lea answered 9 → LEA-CKYJC after 52 ms → Max ordered €83.92 → €10`, as far as it has come.

    Credit goes on: `→ €10 credit → €7.90 spent in the shop → a refund took €2.10 back`. None while
    nobody has a code.
    """
    row = (await session.execute(_FURTHEST, {"brand": brand_id})).first()
    if row is None:
        return None
    after = "" if row.seconds is None else f" after {float(row.seconds) * 1000:.0f} ms"
    steps = [f"{row.first_name} answered {row.score}", f"{row.display}{after}"]
    if row.total is not None:
        total = shown_amount(row.total, row.currency, SOURCE)
        steps.append(f"{row.friend or 'a friend'} ordered {total}")
    if row.granted_at is not None and row.is_credit:
        steps += _credit_steps(row.amount, row.used_amount, row.net_amount, row.currency)
    elif row.granted_at is not None:
        steps.append(shown_amount(row.net_amount, row.currency, SOURCE))
    return " → ".join(steps)


def _credit_steps(granted: int, used: int, net: int, currency: str) -> list[str]:
    """What became of credit, of which `net` is left by refunds, in minor units."""
    taken = granted - max(used, net)
    steps = [f"{shown_amount(granted, currency, SOURCE)} credit"]
    steps += [f"{shown_amount(used, currency, SOURCE)} spent in the shop"] if used else []
    return steps + ([f"a refund took {shown_amount(taken, currency, SOURCE)} back"] if taken else [])
