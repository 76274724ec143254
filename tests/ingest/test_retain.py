"""What is too old is deleted, each kind after its own time, and no figure changes."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text, update

from app.admin.rows import referrers
from app.base import due
from app.base.actor import cli_actor
from app.base.errors import AppError
from app.base.months import months_before
from app.base.tokens import Subject
from app.customers.erased import NewErasedIdentity, list_erased
from app.customers.models import ErasedIdentity
from app.ingest import retain
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.ingest.store import replay
from app.insight.funnel import funnel
from app.insight.periods import Period
from app.referrals.progress import find_progress
from app.referrals.visit_models import Visit, VisitCount
from app.surveys.models import Response
from tests.support.factories.rows import START, Rows

DAY = timedelta(days=1)


async def run(context, now) -> int:
    return await due.sweep_once(retain.sweep(context), now)


async def deliver(session, shop, status: DeliveryStatus, received_at, body: bytes = b"{}") -> None:
    waits = status in (DeliveryStatus.new, DeliveryStatus.fetching)
    session.add(
        Delivery(
            brand_id=shop.brand_id,
            shop_id=shop.id,
            source="checkout",
            topic="t",
            external_id=f"{status}-{received_at}",
            body=body,
            status=status,
            reason="Why." if status is DeliveryStatus.failed else None,
            received_at=received_at,
            processed_at=None if waits else received_at,
        )
    )
    await session.flush()


async def test_old_content_is_deleted_and_what_waits_is_kept(context, session, brand, shop):
    for status in DeliveryStatus:
        for age in (29, 31):
            await deliver(session, shop, status, START - age * DAY)
    await session.commit()
    assert await run(context, START) == 3
    assert await run(context, START) == 0
    rows = await session.execute(select(Delivery.status, Delivery.received_at, Delivery.body))
    emptied = {(row.status, (START - row.received_at).days) for row in rows if not row.body}
    assert emptied == {
        (status, 31) for status in (DeliveryStatus.processed, DeliveryStatus.ignored, DeliveryStatus.failed)
    }
    failed = await session.scalar(
        select(Delivery.id).where(Delivery.status == DeliveryStatus.failed, Delivery.body == b"")
    )
    with pytest.raises(AppError, match="content of this delivery was deleted"):
        await replay(session, brand.id, failed, actor=cli_actor(brand.id))


async def test_batches_end_with_all_that_is_old(context, session, shop, monkeypatch):
    monkeypatch.setattr(retain, "BATCH", 3)
    for number in range(8):
        await deliver(session, shop, DeliveryStatus.processed, START - 40 * DAY - number * DAY)
    await session.commit()
    assert await run(context, START) == 8


async def test_visits_are_counted_before_they_are_deleted_and_figures_stay(context, session, brand, shop):
    rows = Rows(session, brand, shop)
    codes = []
    for _ in range(2):
        response = await rows.answer(10)
        codes.append(await rows.code(response.customer_id, response.survey_id))
    for _ in range(3):
        await rows.visit(codes[0])
    await session.commit()

    async def figures() -> tuple:
        async with context.sessions() as fresh:
            found = await funnel(fresh, brand, Period())
            listed = await fresh.execute(referrers(brand.id))
            subjects = [Subject(brand.id, code.referrer_id) for code in codes]
            pages = [await find_progress(fresh, "https://nps.example", each, now=START) for each in subjects]
            return (
                found.stages.shared,
                found.stages.friend_visits,
                sorted(row.visits for row in listed),
                [page.clicks for page in pages if page],
            )

    before = await figures()
    assert before == (1, 3, [0, 3], [3, 0])
    for turn in (1, 2):
        assert await run(context, START + 91 * DAY) == (3 if turn == 1 else 0)
        assert await figures() == before
    await rows.visit(codes[0])
    await session.commit()
    assert (await figures())[1] == 4
    await run(context, START + 91 * DAY)
    assert (await figures())[1] == 4
    async with context.sessions() as fresh:
        assert await fresh.scalar(select(func.count()).select_from(Visit)) == 0
        (counted,) = await fresh.scalars(select(VisitCount))
        assert (counted.visits, counted.day) == (4, START.date())


async def test_old_comments_are_emptied_and_scores_stay(context, session, brand, shop):
    rows = Rows(session, brand, shop)
    for months in (23, 25):
        at = months_before(START, months)
        await rows.answer(9, comment="Good", answered_at=at, order={"placed_at": at})
    await session.commit()
    assert await run(context, START) == 1
    async with context.sessions() as fresh:
        found = await fresh.execute(select(Response.score, Response.comment).order_by(Response.answered_at))
        assert [tuple(row) for row in found] == [(9, None), (9, "Good")]


async def test_hashes_of_erased_people_are_kept_for_two_years(context, session, brand):
    marks = [
        NewErasedIdentity(key, None, 1, months_before(START, months))
        for key, months in ((b"old", 25), (b"new", 23))
    ]
    await list_erased(session, brand.id, marks)
    await session.commit()
    assert await run(context, START) == 1
    assert (await session.scalars(select(ErasedIdentity.identity_key))).all() == [b"new"]


async def test_settings_decide_how_long(context, session, shop):
    context.settings.retain_delivery_days = 7
    await deliver(session, shop, DeliveryStatus.processed, START - 8 * DAY)
    await session.commit()
    assert await run(context, START) == 1


async def test_due_rows_are_found_by_the_partial_index(context, session, shop):
    for number in range(50):
        await deliver(session, shop, DeliveryStatus.processed, START + number * DAY)
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    plan = await session.scalars(text(f"EXPLAIN {retain._BRANDS.text}"), {"before": START})
    assert "ix_deliveries_retained" in " ".join(plan)
    await session.execute(update(Delivery).values(body=b""))


@pytest.mark.parametrize(
    ("at", "months", "expected"),
    [
        (datetime(2026, 3, 31, 12, tzinfo=UTC), 1, datetime(2026, 2, 28, 12, tzinfo=UTC)),
        (datetime(2024, 2, 29, tzinfo=UTC), 12, datetime(2023, 2, 28, tzinfo=UTC)),
        (datetime(2026, 1, 15, tzinfo=UTC), 24, datetime(2024, 1, 15, tzinfo=UTC)),
        (datetime(2026, 1, 15, tzinfo=UTC), 1, datetime(2025, 12, 15, tzinfo=UTC)),
    ],
)
def test_months_end_where_a_shorter_month_does(at, months, expected):
    assert months_before(at, months) == expected
