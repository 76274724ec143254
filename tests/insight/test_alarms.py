"""What is wrong with a brand, and what is in order; each alarm in words."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from app.base import clock
from app.base.ids import new_id
from app.brands.rules import Platform
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.insight.alarm_rules import NO_SURVEY_HOURS, POOL_LOW, AlarmKind, Finding
from app.insight.alarm_texts import alarm_text, alarm_topic
from app.insight.alarms import find_alarms
from app.messaging.models import Message, ProviderCircuit
from app.messaging.rules import MessageStatus
from app.platforms.models import ShopConnection
from app.referrals.leak_models import SuspectedLeak
from app.referrals.leak_rules import LeakReason
from app.referrals.models import Redemption
from app.referrals.publishing.models import CodePublication, ShopPublishing
from app.referrals.rules import PublicationState, RedemptionStatus
from app.surveys.models import Survey
from app.surveys.rules import SkipReason, SurveyStatus
from app.surveys.templates import SURVEY
from tests.support.factories.rows import Rows

DAY = timedelta(days=1)


async def found(session, brand, **said) -> dict[AlarmKind, Finding]:
    wanted = {"no_survey_hours": NO_SURVEY_HOURS, "now": clock.now()} | said
    return {each.kind: each for each in await find_alarms(session, brand.id, **wanted)}


async def redeem(rows, code, count, status=RedemptionStatus.pending, age=timedelta()):
    """Friends' orders with a code, as bare as they can be."""
    for _ in range(count):
        order = await rows.order(None)
        redemption = Redemption(
            brand_id=code.brand_id,
            order_id=order.id,
            code_id=code.id,
            referrer_id=code.referrer_id,
            one_per_friend=False,
            status=status,
            amount_off=10,
            currency="EUR",
            terms_id=code.terms_id,
            holds_use=False,
            created_at=clock.now() - age,
        )
        rows.session.add(redemption)
    await rows.session.flush()


async def test_friends_orders_that_wait_too_long_and_a_leaked_code_are_found(session, brand, shop):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    held = RedemptionStatus.in_review
    await redeem(rows, code, 1, held, 6 * DAY)
    assert await found(session, brand) == {}
    await redeem(rows, code, 2, held, 8 * DAY)
    numbers = {"orders": 9, "turned_away": 9, "visits": 0, "found_at": clock.now()}
    leak = SuspectedLeak(brand_id=brand.id, code_id=code.id, reason=LeakReason.turned_away, **numbers)
    session.add(leak)
    await session.flush()
    alarms = await found(session, brand)
    assert alarms[AlarmKind.held_long].count == 2
    assert (alarms[AlarmKind.leaked_code].count, alarms[AlarmKind.leaked_code].since) == (1, leak.found_at)
    code.disabled_at = clock.now()
    await session.flush()
    assert AlarmKind.leaked_code not in await found(session, brand)
    code.disabled_at, leak.dismissed_at = None, clock.now()
    await session.flush()
    assert AlarmKind.leaked_code not in await found(session, brand)


async def test_what_waits_while_nothing_is_processed_or_sent_is_found(session, brand, shop):
    rows, now = Rows(session, brand, shop), clock.now()
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    message = (await session.scalars(select(Message).where(Message.subject_id == code.id))).one()
    message.status, message.due_at = MessageStatus.planned, now - timedelta(minutes=19)
    waits = {"brand_id": brand.id, "shop_id": shop.id, "source": "checkout", "topic": "order.paid"}
    waiting = Delivery(
        **waits, external_id="1", body=b"{}", body_hash=b"1", received_at=now - timedelta(minutes=19)
    )
    session.add(waiting)
    await session.flush()
    assert AlarmKind.work_stopped not in await found(session, brand, now=now)
    for row, name in ((waiting, "received_at"), (message, "due_at")):
        usual = getattr(row, name)
        setattr(row, name, now - timedelta(minutes=21))
        await session.flush()
        alarm = (await found(session, brand, now=now))[AlarmKind.work_stopped]
        assert alarm.since == now - timedelta(minutes=21)
        assert "tenfold worker" in alarm_text(alarm).remedy
        setattr(row, name, usual)
    waiting.received_at = now - DAY
    done = {"status": DeliveryStatus.processed, "processed_at": now - timedelta(minutes=3)}
    session.add(Delivery(**waits, external_id="2", body_hash=b"2", body=b"", received_at=now - DAY, **done))
    await session.flush()
    assert AlarmKind.work_stopped not in await found(session, brand, now=now), "a backlog that moves"


async def test_broken_connections_failing_accounts_and_failed_deliveries_are_found(session, brand, shop):
    now = clock.now()
    assert await found(session, brand) == {}
    connection = ShopConnection(
        brand_id=brand.id,
        shop_id=shop.id,
        account="acme.myshopify.com",
        sealed_credentials="x",
        updated_at=now - DAY,
        check_due_at=now + DAY,
        checked_at=now,
    )
    session.add(connection)
    for number, age in enumerate((1, 2, 9)):
        delivery = Delivery(
            brand_id=brand.id,
            shop_id=shop.id,
            source="checkout",
            topic="order.paid",
            external_id=str(number),
            body=b"{}",
            body_hash=str(number).encode(),
            status=DeliveryStatus.failed,
            reason="no amount",
            received_at=now - age * DAY,
        )
        session.add(delivery)
    opened = {"failures": 3, "reason": "key rejected", "probe_at": now, "probes": 0}
    names = {"sendgrid": 11, f"smtp/{brand.id}": 60, "twilio": 9, f"sendgrid/{brand.id + 1}": 60}
    for name, minutes in names.items():
        values = {"provider": name, "opened_at": now - timedelta(minutes=minutes), **opened}
        await session.execute(insert(ProviderCircuit).values(values))
    await session.flush()
    alarms = await find_alarms(session, brand.id, no_survey_hours=48, now=now)
    assert sorted((each.kind, each.subject, each.count) for each in alarms) == [
        (AlarmKind.circuit_open, "sendgrid", 0),
        (AlarmKind.circuit_open, "smtp own", 0),
        (AlarmKind.deliveries_failed, "acme", 2),
    ]
    connection.problems = ["The token was revoked", "and more"]
    await session.flush()
    broken = (await found(session, brand))[AlarmKind.connection_broken]
    assert (broken.subject, broken.count, broken.detail) == ("acme", 2, "The token was revoked")


async def test_a_connected_shop_with_few_codes_is_found_once_it_had_time_to_fill_its_pool(
    session, brand, shop
):
    now = clock.now()
    shop.platform = Platform.shopify
    values = {"brand_id": brand.id, "shop_id": shop.id}
    session.add_all(
        [
            shop,
            ShopConnection(
                **values, account="a", sealed_credentials="x", updated_at=now, check_due_at=now + DAY
            ),
            ShopPublishing(**values, reason="The app may not write discounts"),
        ]
    )
    terms_id = await Rows(session, brand, shop).terms_id()
    for number in range(POOL_LOW):
        pooled = CodePublication(
            **values,
            code_id=new_id(),
            code=f"P{number}",
            terms_id=terms_id,
            expires_at=now + DAY,
            state=PublicationState.live if number else PublicationState.wanted,
        )
        session.add(pooled)
    await session.flush()
    assert AlarmKind.pool_low not in await found(session, brand, now=now + timedelta(minutes=59))
    later = {"now": now + timedelta(minutes=61)}
    low = (await found(session, brand, **later))[AlarmKind.pool_low]
    assert (low.subject, low.count, low.detail) == ("acme", 19, "The app may not write discounts")
    pooled.expires_at, number = now, 0
    session.add(
        CodePublication(
            **values,
            code_id=new_id(),
            code="Q",
            terms_id=terms_id,
            expires_at=now + DAY,
            state=PublicationState.live,
        )
    )
    await session.flush()
    assert AlarmKind.pool_low not in await found(session, brand, **later)


async def test_no_survey_went_out_though_orders_came(session, brand, shop):
    """First all are skipped; then some are planned; then these are overdue; then one is sent."""
    rows, now = Rows(session, brand, shop), clock.now()
    lea = await rows.customer()

    async def survey(status, **said) -> Survey:
        return await rows.survey(await rows.order(lea), status, **said)

    for number in range(9):
        await survey(
            SurveyStatus.skipped, reason=SkipReason.no_consent if number < 4 else SkipReason.too_late
        )
    assert await found(session, brand) == {}, "too few orders"
    await survey(SurveyStatus.skipped)
    alarm = (await found(session, brand))[AlarmKind.no_surveys]
    assert (alarm.count, alarm.detail) == (5, "they did not agree to be surveyed")
    assert "48 hours" in alarm_text(alarm).title
    planned = await survey(SurveyStatus.planned, due_at=now + DAY)
    assert await found(session, brand) == {}, "one is to go out yet"
    planned.due_at = now - timedelta(hours=7)
    await session.flush()
    late = (await found(session, brand))[AlarmKind.no_surveys]
    assert (late.count, late.detail) == (1, "")
    await rows.message(SURVEY, lea.id, planned.id, sent_at=now - timedelta(hours=30))
    assert await found(session, brand) == {}
    assert AlarmKind.no_surveys in await found(session, brand, no_survey_hours=24)


@pytest.mark.parametrize("kind", AlarmKind)
def test_every_alarm_says_what_is_wrong_and_what_mends_it(kind):
    for count in (1, 7):
        for detail in ("", "the token was revoked"):
            text = alarm_text(Finding(kind, "acme", count=count, name="Acme", detail=detail))
            assert text.title.endswith((".", "!"))
            assert text.remedy.endswith(".")
            assert "%" not in text.title + text.remedy
            assert text.page == "" or text.page.startswith("/")
    assert alarm_topic(kind) != kind
