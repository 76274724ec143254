"""Visits are written in groups, and what spoils one of them spoils no other."""

import asyncio
from uuid import UUID

from sqlalchemy import event, func, select

from app.base.context import AppContext
from app.base.db import make_engine
from app.base.ids import new_id
from app.base.reading import Reading
from app.brands.models import Brand, Shop
from app.referrals import count_visits
from app.referrals.count_visits import NewVisit, VisitCounter
from app.referrals.visit_models import Visit
from tests.support.constants import NOW
from tests.support.factories.referrals import make_referrer


async def counted(context: AppContext) -> int:
    async with context.sessions() as session:
        return (await session.execute(select(func.count()).select_from(Visit))).scalar_one()


def visits(brand: Brand, referrer_id: UUID, people: int) -> list[NewVisit]:
    return [NewVisit(brand.id, referrer_id, bytes([person]) * 16) for person in range(people)]


async def test_visits_of_a_moment_are_one_statement_and_each_person_is_counted_once(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    counter, seen = VisitCounter(context.reading), list[str]()
    event.listen(
        context.engine.sync_engine, "before_cursor_execute", lambda *given: seen.append(str(given[2]))
    )
    for visit in visits(brand, code.referrer_id, 40) * 2:
        counter.add(visit, NOW)
    await counter.close()
    assert len(seen) == 1
    assert "INSERT INTO visits" in seen[0]
    for visit in visits(brand, code.referrer_id, 41):
        counter.add(visit, NOW)
    await counter.close()
    assert await counted(context) == 41


async def test_a_visit_to_somebody_who_is_gone_is_left_out_and_the_others_are_counted(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    counter = VisitCounter(context.reading)
    for visit in [*visits(brand, code.referrer_id, 2), *visits(brand, new_id(), 1)]:
        counter.add(visit, NOW)
    await counter.close()
    assert await counted(context) == 2


async def test_visits_wait_in_bounded_number_while_the_database_is_away(
    context: AppContext, brand: Brand, shop: Shop, monkeypatch
) -> None:
    monkeypatch.setattr(count_visits, "MOST_WAITING", 3)
    monkeypatch.setattr(count_visits, "UNAVAILABLE_SECONDS", 0.01)
    code = await make_referrer(context, brand, shop)
    nowhere = make_engine("postgresql://postgres@127.0.0.1:1/none")
    readings, tried = [Reading(nowhere)], asyncio.Event()

    def reading() -> Reading:
        if not readings:
            tried.set()
        return readings.pop() if readings else context.reading()

    counter = VisitCounter(reading)
    for visit in visits(brand, code.referrer_id, 5):
        counter.add(visit, NOW)
    await asyncio.wait_for(tried.wait(), 20)
    await counter.close()
    assert await counted(context) == 3
    await nowhere.dispose()
