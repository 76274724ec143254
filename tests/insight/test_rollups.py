"""Figures by day: equal to what the rows say, whatever happened late, twice or in another order."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.base.actor import cli_actor
from app.base.ids import date_ids_by, new_id
from app.base.models import TouchedRows
from app.base.touched import TouchedTable, touch
from app.brands.add import add_shop
from app.insight.band_figures import BAND_REFERRERS
from app.insight.figures import (
    FIGURES,
    DayRanges,
    Days,
    day_ranges,
    read_by_shop,
    read_figure,
    rolled_as_of,
    whole_days,
)
from app.insight.models import DailyFigure, DirtyDay, Rollup
from app.insight.periods import Period, midnight
from app.insight.roll import roll, sweep
from app.insight.roll_rules import NO_DAY, DayRange, months_of, pause_after, ranges_of
from app.ledger.rules import LedgerAccount
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from app.orders.models import Order
from app.referrals.models import Code, Redemption
from app.referrals.rules import RedemptionStatus, WithheldReason
from app.referrals.withheld_models import WithheldOffer
from app.surveys.models import Response, ResponseTag
from app.surveys.templates import SURVEY
from tests.support.factories.rows import START, Rows

D = date
DAY = timedelta(days=1)
ACTOR = cli_actor(1)


def test_a_period_is_whole_months_and_days_on_either_side():
    assert day_ranges(Days(D(2026, 1, 15), D(2026, 4, 3))) == DayRanges(
        D(2026, 1, 15), D(2026, 2, 1), D(2026, 4, 1), D(2026, 4, 3)
    )
    assert day_ranges(Days(D(2026, 2, 1), D(2026, 3, 1))).months_until == D(2026, 3, 1)
    within_a_month = day_ranges(Days(D(2026, 2, 3), D(2026, 2, 20)))
    assert within_a_month == DayRanges(D(2026, 2, 3), D(2026, 2, 20), D(2026, 2, 20), D(2026, 2, 20))
    assert day_ranges(Days(None, D(2026, 2, 3))).months_from < D(1970, 1, 1)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Santiago", "America/Havana", "Asia/Kolkata"])
def test_the_first_moment_of_every_day_of_a_zone_begins_whole_days(zone):
    for day in (D(2026, 1, 1) + timedelta(days=number) for number in range(366)):
        period = Period(midnight(day, zone), midnight(day + DAY, zone))
        assert whole_days(period, zone) == Days(day, day + DAY)
    assert whole_days(Period(midnight(D(2026, 5, 5), zone) + timedelta(minutes=1)), zone) is None


def test_days_near_to_each_other_are_one_range_and_name_all_their_months():
    days = [D(2026, 1, 30), D(2026, 2, 1), D(2026, 2, 3), D(2026, 5, 1), NO_DAY]
    ranges = ranges_of(days)
    assert ranges == [DayRange(D(2026, 1, 30), D(2026, 2, 3)), DayRange(D(2026, 5, 1), D(2026, 5, 1))]
    assert months_of(ranges) == [D(2026, 1, 1), D(2026, 2, 1), D(2026, 5, 1)]
    months = [D(2026, 1, 1), D(2026, 2, 1), D(2026, 3, 1)]
    assert months_of([DayRange(D(2026, 1, 31), D(2026, 3, 1))]) == months


def test_the_pause_follows_from_how_long_a_round_took():
    assert pause_after(0.1) == timedelta(minutes=2)
    assert pause_after(3) == timedelta(minutes=5)
    assert pause_after(500) == timedelta(minutes=15)


async def test_a_small_brand_has_no_roll_ups_and_its_notes_are_deleted(context, session, brand):
    await touch(session, brand.id, "orders", [new_id()])
    await session.commit()
    assert await sweep(context).brands(START) == [brand.id]
    assert await sweep(context).work(brand.id, START) == 0
    assert await session.scalar(select(TouchedRows.id)) is None
    assert await rolled_as_of(session, brand, Period()) is None
    assert await sweep(context).brands(START) == []


async def _roll(session, brand, now=START):
    """Everything that is noted, as the sweep does it."""
    await session.execute(update(Rollup).values(due_at=now))
    while await roll(session, brand.id, rolled_from=0, now=now):
        pass


async def test_a_period_inside_of_a_day_is_counted_from_the_rows_of_this_moment(session, brand, rows):
    await rows.answer(10)
    await _roll(session, brand)
    day = Period(midnight(START.date(), brand.time_zone), None)
    assert await rolled_as_of(session, brand, day) == START
    assert await rolled_as_of(session, brand, Period(START, None)) is None


async def test_another_time_zone_builds_all_days_anew_and_counts_rows_until_then(
    context, session, brand, rows
):
    evening = datetime.combine(START.date(), datetime.min.time(), START.tzinfo) + timedelta(
        hours=23, minutes=30
    )
    await rows.answer(10, answered_at=evening)
    await _roll(session, brand)
    days = select(DailyFigure.day).where(DailyFigure.figure == "responses", DailyFigure.span == "day")
    assert (await session.scalars(days)).all() == [D(2026, 3, 3)]
    brand.time_zone = "America/New_York"
    await session.merge(brand)
    await session.commit()
    assert await rolled_as_of(session, brand, Period()) is None
    assert await sweep(context).brands(START + DAY) == [brand.id]
    await _roll(session, brand)
    assert (await session.scalars(days)).all() == [D(2026, 3, 2)]
    assert await rolled_as_of(session, brand, Period()) == START


async def test_a_referrer_counts_at_their_latest_friends_order_once_there_is_another(session, brand, rows):
    """The day of the order before it is computed again too."""
    code = await rows.code((await rows.customer()).id)
    first = await rows.redemption(code, placed_at=START + 8 * DAY)
    later = await rows.redemption(code, RedemptionStatus.pending, placed_at=START + 18 * DAY)
    later.status = RedemptionStatus.reversed
    await touch(session, brand.id, "orders", [first.order_id])
    await _roll(session, brand)
    later.status = RedemptionStatus.pending
    await touch(session, brand.id, "orders", [later.order_id])
    await _roll(session, brand)
    end = midnight((START + 20 * DAY).date(), brand.time_zone)
    assert await read_figure(session, brand, BAND_REFERRERS, Period(None, end)) == [
        {"key": ":EUR", "referrers": 1}
    ]


async def test_only_one_process_rolls_a_brand_and_others_leave_it(context, session, brand, rows):
    await rows.answer(10)
    await touch(session, brand.id, "orders", [new_id()])
    await session.commit()
    async with context.sessions.begin() as first, context.sessions.begin() as second:
        assert await roll(first, brand.id, rolled_from=0, now=START) > 0
        assert await roll(first, brand.id, rolled_from=0, now=START) > 0
        # Its own row is not written yet: the second waits for nothing that is.
        await first.commit()
        third = context.sessions()
        await third.execute(select(Rollup).with_for_update())
        assert await roll(second, brand.id, rolled_from=0, now=START + DAY) == 0
        await third.close()


class History:
    """A brand to which things happen at random, at random times; each is noted as the steps do."""

    def __init__(self, rows: Rows, shops: list[Any], seed: int) -> None:
        self.rows, self.shops, self.random = rows, shops, random.Random(seed)
        self.session, self.brand = rows.session, rows.brand
        self.people: list[Any] = []
        self.codes: list[Code] = []
        self.responses: list[Response] = []
        self.redemptions: list[Redemption] = []

    def moment(self) -> datetime:
        return START + timedelta(hours=self.random.randrange(-800, 800))

    async def note(self, table: TouchedTable, *ids, moments=()) -> None:
        await self.session.flush()
        await touch(self.session, self.brand.id, table, ids, moments)

    async def a_tag(self) -> None:
        if self.responses:
            response, name = self.random.choice(self.responses), self.random.choice(["Size", "Delivery"])
            tagged = await self.session.get(
                ResponseTag, (self.brand.id, response.id, name.lower()), populate_existing=True
            )
            if tagged is not None:
                await self.session.delete(tagged)
            else:
                tag = ResponseTag(
                    brand_id=self.brand.id, response_id=response.id, key=name.lower(), name=name
                )
                self.session.add(tag)
            await self.note("responses", response.id)

    async def any_message(self) -> None:
        messages = (await self.session.scalars(select(Message).order_by(Message.id))).all()
        if messages:
            message = self.random.choice(messages)
            message.status = self.random.choice(
                [MessageStatus.delivered, MessageStatus.bounced, MessageStatus.accepted]
            )
            await self.note("messages", message.id)

    async def any_response(self) -> None:
        at = self.moment()
        date_ids_by(lambda: at)
        person = None
        if self.people and self.random.random() < 0.6:
            person = self.random.choice(self.people)
        else:
            person = await self.rows.customer()
            self.people.append(person)
        self.rows.shop = self.random.choice(self.shops)
        items = [
            {"sku": sku, "title": sku or "Tea", "quantity": 1}
            for sku in self.random.choices(["A", "B", None], k=2)
        ]
        order = {
            "placed_at": at - timedelta(days=self.random.randrange(9)),
            "items": items,
            "country": self.random.choice(["DE", "FR", None]),
        }
        response = await self.rows.answer(
            self.random.randrange(11), customer=person, order=order, answered_at=at
        )
        self.responses.append(response)
        await self.note("responses", response.id)
        await self.note("orders", response.order_id)

    async def a_change_of_mind(self) -> None:
        if self.responses:
            response = self.random.choice(self.responses)
            response.score = self.random.randrange(11)
            response.answered_at += timedelta(hours=self.random.randrange(30))
            await self.note("responses", response.id)

    async def a_survey_that_nobody_answers(self) -> None:
        at = self.moment()
        date_ids_by(lambda: at)
        person = await self.rows.customer()
        order = await self.rows.order(person, placed_at=at, history=self.random.random() < 0.2)
        survey = await self.rows.survey(order)
        message = await self.rows.message(SURVEY, person.id, survey.id, created_at=at)
        await self.note("orders", order.id)
        await self.note("messages", message.id)

    async def a_referrer(self) -> None:
        free = [
            each for each in self.responses if each.customer_id not in {code.owner for code in self.codes}
        ]
        if free:
            response = self.random.choice(free)
            at = response.answered_at
            date_ids_by(lambda: at)
            code = await self.rows.code(
                response.customer_id, response.survey_id if self.random.random() < 0.8 else None
            )
            code.owner = response.customer_id
            await self.session.execute(
                update(Message).where(Message.subject_id == code.id).values(created_at=at)
            )
            self.codes.append(code)
            message = await self.session.scalar(select(Message.id).where(Message.subject_id == code.id))
            await self.note("responses", response.id)
            await self.note("messages", message)
            await self.note("referrers", code.referrer_id)

    async def a_holdout(self) -> None:
        happy = [each for each in self.responses if each.score >= 9]
        if happy:
            response = self.random.choice(happy)
            self.responses = [each for each in self.responses if each is not response]
            self.session.add(
                WithheldOffer(
                    brand_id=self.brand.id,
                    customer_id=response.customer_id,
                    survey_id=response.survey_id,
                    reason=WithheldReason.held_out,
                    at=response.answered_at,
                )
            )
            await self.note("responses", response.id)

    async def a_visit(self) -> None:
        if self.codes:
            code = self.random.choice(self.codes)
            await self.rows.visit(code)
            await self.note("referrers", code.referrer_id)

    async def a_redemption(self) -> None:
        if self.codes:
            status = self.random.choice(
                [RedemptionStatus.approved, RedemptionStatus.pending, RedemptionStatus.refused]
            )
            code, at = self.random.choice(self.codes), self.moment()
            made = await self.rows.redemption(
                code, status, placed_at=at, currency=self.random.choice(["EUR", "USD"])
            )
            self.redemptions.append(made)
            await self.note("orders", made.order_id)

    async def another_approval(self) -> None:
        if self.redemptions:
            redemption = self.random.choice(self.redemptions)
            before = [redemption.approved_at] if redemption.approved_at else []
            redemption.status, redemption.approved_at = RedemptionStatus.approved, self.moment()
            await self.note("orders", redemption.order_id, moments=before)

    async def a_reversal(self) -> None:
        if self.redemptions:
            redemption = self.random.choice(self.redemptions)
            redemption.status = RedemptionStatus.reversed
            await self.rows.book(redemption, LedgerAccount.reward_cost, LedgerAccount.referrers, -500)
            await self.note("orders", redemption.order_id)

    async def another_version_of_an_order(self) -> None:
        found = (await self.session.scalars(select(Order).order_by(Order.id))).all()
        if found:
            order = self.random.choice(found)
            before = order.placed_at
            order.placed_at = self.moment()
            order.refunded = self.random.choice([0, order.total // 3])
            order.test = self.random.random() < 0.15
            order.country = self.random.choice(["DE", "IT"])
            await self.note("orders", order.id, moments=[before])
            await self.note("customers", *[order.customer_id] if order.customer_id else [])

    async def something(self) -> None:
        await self.random.choice(
            [
                self.any_response,
                self.any_response,
                self.any_response,
                self.a_change_of_mind,
                self.a_tag,
                self.any_message,
                self.a_survey_that_nobody_answers,
                self.a_referrer,
                self.a_referrer,
                self.a_holdout,
                self.a_visit,
                self.a_redemption,
                self.a_redemption,
                self.another_approval,
                self.a_reversal,
                self.another_version_of_an_order,
            ]
        )()


@pytest.fixture
def _dated_ids() -> Iterator[None]:
    yield
    date_ids_by(None)


def _shown(found) -> set[tuple[Any, ...]]:
    """Rows with a number in them, in any order."""
    rows = [tuple(row.values()) for row in found]
    return {row for row in rows if any(row[1:])}


@pytest.mark.usefixtures("_dated_ids")
@pytest.mark.parametrize(
    ("seed", "events", "every"),
    [
        (1, 30, 29),
        pytest.param(2, 90, 13, marks=pytest.mark.slow),
        pytest.param(3, 90, 7, marks=pytest.mark.slow),
    ],
)
async def test_what_is_rolled_is_what_the_rows_say_in_any_period_and_shop(
    context, session, brand, shop, seed, events, every
):
    other, _ = await add_shop(
        session,
        context.tokens,
        brand,
        "other",
        name="Other",
        platform="checkout",
        currency="EUR",
        actor=ACTOR,
    )
    history = History(Rows(session, brand, shop), [shop, other], seed)
    for number in range(events):
        await history.something()
        if number % every == 0:
            await _roll(session, brand)
    await _roll(session, brand)
    assert await session.scalar(select(DirtyDay.day)) is None
    first = D(2026, 1, 20)
    edges = [
        midnight(first + timedelta(days=history.random.randrange(90)), brand.time_zone)
        for _ in range(6 if events < 50 else 14)
    ]
    periods = [Period(*sorted(pair)) for pair in zip(edges[::2], edges[1::2], strict=True)]
    periods += [Period(), Period(edges[0]), Period(None, edges[1])][: 1 if events < 50 else 3]
    rolled, live = {}, {}
    for found, built_at in ((rolled, START), (live, None)):
        await session.execute(update(Rollup).values(built_at=built_at))
        for period in periods:
            for figure in FIGURES:
                found[figure.name, period] = _shown(await read_by_shop(session, brand, figure, period))
                shop_id = history.random.choice([None, shop.id]) if found is rolled else None
                if found is rolled:
                    found[figure.name, period, "shop"] = shop_id
                else:
                    shop_id = rolled[figure.name, period, "shop"]
                key = (figure.name, period, "keys")
                found[key] = _shown(await read_figure(session, brand, figure, period, shop_id))
    assert {key: value for key, value in rolled.items() if key[2:] != ("shop",)} == live
    assert sum(len(value) for value in live.values()) > events
