"""A brand that is counted by day: whatever steps do, they note, so that no figure stays behind."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.brands.find import find_brand
from app.insight import rollup_invariants
from app.insight.funnel import funnel
from app.insight.models import Rollup
from app.insight.periods import Period
from app.insight.roll import roll
from app.insight.scores import nps_report
from tests.support.constants import NOW
from tests.support.story import Story, an_order, link_to, open_story, with_code

ANA, BEN = "ana@example.com", "ben@example.com"
DUE = NOW + timedelta(hours=72)
FRIEND = DUE + timedelta(days=2)
OVER = FRIEND + timedelta(days=14, minutes=1)
LATE = OVER + timedelta(days=60)


@pytest.fixture
async def story(context, brand, shop) -> AsyncIterator[Story]:
    async with open_story(context, brand) as story:
        async with context.sessions.begin() as session:
            await roll(session, brand.id, now=NOW - timedelta(days=30), rolled_from=-1)
        yield story


async def _differing(context) -> list[object]:
    """What the roll-ups have otherwise than the rows, of all days."""
    async with context.sessions() as session:
        found = [await each.find(session, context.tokens) for each in rollup_invariants.INVARIANTS]
        as_of = await session.scalar(select(Rollup.as_of).where(Rollup.built_at.is_not(None)))
    assert as_of is not None
    return [row for rows in found for row in rows]


async def _figures(context, brand_slug: str) -> list[object]:
    async with context.sessions() as session:
        brand = await find_brand(session, brand_slug)
        found = await funnel(session, brand, Period())
        report = await nps_report(session, brand, Period())
        return [found.stages, found.totals, report.promoters, report.answered, report.delivered]


@pytest.mark.slow
async def test_figures_follow_a_referral_through_late_refunds(context, brand, story) -> None:
    code = await story.promoter(an_order(1, NOW - timedelta(days=4)), delivered_at=NOW, asked_at=DUE)
    await story.at(DUE + timedelta(hours=1))
    assert await _differing(context) == []
    link = link_to("r", (await story.mails(ANA))[-1])
    assert (await story.client.get(link, headers={"user-agent": "Mozilla/5.0"})).status_code == 200
    await story.deliver("order.paid", with_code(an_order(2, FRIEND, email=BEN), code))
    await story.deliver("order.delivered", {"order_id": "order-2", "at": FRIEND.isoformat()})
    await story.at(FRIEND)
    assert await _differing(context) == []
    await story.at(OVER)
    assert await _differing(context) == []
    for amount, refund_id in (("36.00", "r1"), ("36.00", "r2")):
        data = {"order_id": "order-2", "refund_id": refund_id, "amount": amount, "at": LATE.isoformat()}
        await story.deliver("order.refunded", data)
        await story.at(LATE + timedelta(hours=int(refund_id[1])))
        assert await _differing(context) == []
    rolled = await _figures(context, brand.slug)
    async with context.sessions.begin() as session:
        await session.execute(update(Rollup).values(built_at=None))
    assert rolled == await _figures(context, brand.slug)
    stages = rolled[0]
    assert (stages.orders, stages.promoters, stages.shared, stages.redemptions) == (2, 1, 1, 1)
