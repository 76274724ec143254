import ast
import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.base.masking import without_addresses
from app.base.paths import ROOT
from app.brands.programme import Channel, RewardKind
from app.customers.models import ConsentFact, Suppression
from app.customers.rules import NoContactReason, SuppressionReason
from app.insight import words
from app.insight.invariants import check
from app.insight.timeline import timeline
from app.messaging.models import Attempt, ProviderEvent
from app.messaging.provider_event_rules import reason_of
from app.messaging.rules import AttemptStatus, FailureCause, MessageStatus, ProviderEventKind
from app.orders.facts_rules import FactKind
from app.orders.models import OrderFact
from app.orders.rules import OrderStatus
from app.referrals.rules import RedemptionStatus, RefusalReason, RewardStatus
from app.surveys.rules import Band, Deferral, SkipReason, SurveyStatus
from app.surveys.templates import SURVEY
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import make_delivered_order
from tests.support.factories.programme import set_terms
from tests.support.factories.rows import START
from tests.support.factories.surveys import advance, sent_survey, survey_of


async def test_a_person_without_rows_has_only_a_beginning(context, session, brand, rows):
    person = await rows.customer()
    story = await timeline(session, context.tokens, brand.id, person.id)
    assert [each.kind for each in story] == ["customer"]
    assert await timeline(session, context.tokens, brand.id, brand_id_of_nobody(person)) == []


def brand_id_of_nobody(person):
    return type(person.id)(int=person.id.int ^ 1)


async def test_a_timeline_lists_facts_and_decisions_in_order(context, session, brand, shop, rows):
    happy = await rows.answer(10, comment="Lovely!")
    me = happy.customer_id
    code = await rows.code(me, happy.survey_id)
    await rows.visit(code)
    await rows.redemption(code)
    skipped = await rows.order(
        await session.get_one(_customer(), (brand.id, me)),
        placed_at=START + timedelta(days=1),
        status=OrderStatus.refunded,
    )
    await rows.survey(skipped, SurveyStatus.skipped, reason=SkipReason.recontact)
    session.add(
        OrderFact(
            brand_id=brand.id,
            shop_id=shop.id,
            order_external_id=skipped.external_id,
            kind=FactKind.refunded,
            key="r1",
            amount=80,
            at=START,
        )
    )
    session.add(
        ConsentFact(
            brand_id=brand.id, customer_id=me, channel=Channel.email, given=True, at=START, source="checkout"
        )
    )
    key = context.tokens.address_key("ana1@example.com")
    session.add(
        Suppression(
            brand_id=brand.id,
            channel=Channel.email,
            address_key=key,
            reason=SuppressionReason.unsubscribed,
            at=START,
            lifted_at=START + timedelta(days=2),
        )
    )
    await session.flush()
    story = await timeline(session, context.tokens, brand.id, me)
    assert [each.at for each in story] == sorted(each.at for each in story)
    kinds = {each.kind for each in story}
    assert {
        "order",
        "order_refunded",
        "survey_skipped",
        "survey_answered",
        "message_delivered",
        "attempt",
        "response",
    } <= kinds
    assert {
        "code",
        "visit",
        "redemption",
        "redemption_approved",
        "reward_granted",
        "consent",
        "suppression",
        "suppression_lifted",
        "customer",
    } <= kinds
    texts = " ".join(each.text for each in story)
    assert "is not sent: they were surveyed a short while ago." in texts
    assert "€80 of order" in texts
    assert "@" not in texts


def _customer():
    from app.customers.models import Customer

    return Customer


async def test_a_comment_is_shown_without_addresses_unless_people_are_seen(context, session, brand, rows):
    happy = await rows.answer(10, comment="Mail <ana@example.com>!")
    for pii, comment in ((False, "Mail <…>!"), (True, "Mail <ana@example.com>!")):
        story = await timeline(session, context.tokens, brand.id, happy.customer_id, pii=pii)
        assert [each.text for each in story if each.kind == "response"] == [
            f"Answered 10, a promoter: “{comment}”"
        ]


def test_a_long_word_is_looked_at_once():
    assert without_addresses("a" * 200_000 + " b@c.d @ e@") == "a" * 200_000 + " … @ e@"


async def test_a_friend_sees_the_code_they_used(context, session, brand, rows):
    happy = await rows.answer(9)
    code = await rows.code(happy.customer_id, happy.survey_id)
    used = await rows.redemption(code, RedemptionStatus.refused)
    story = await timeline(session, context.tokens, brand.id, used.friend_id)
    assert any("it does not count (minimum not met)" in each.text for each in story)


async def test_a_providers_reason_is_shown_without_the_address(context, session, brand, rows):
    person = await rows.customer()
    survey = await rows.survey(await rows.order(person))
    message = await rows.message(SURVEY, person.id, survey.id, status=MessageStatus.bounced)
    attempt = (
        await session.scalars(
            Attempt.__table__.select().with_only_columns(Attempt.id).where(Attempt.message_id == message.id)
        )
    ).one()
    session.add(
        ProviderEvent(
            brand_id=brand.id,
            provider="sendgrid",
            external_id="1",
            attempt_id=attempt,
            kind=ProviderEventKind.bounced,
            detail="550 <ana1@example.com> unknown, call +4915112345678",
            at=START,
        )
    )
    await session.flush()
    story = await timeline(session, context.tokens, brand.id, person.id)
    shown = next(each.text for each in story if each.kind == "provider_bounced")
    assert shown == "Sendgrid returned the survey: 550 <…> unknown, call …."


@pytest.mark.parametrize(
    ("table", "enum"),
    [
        (words.SKIPS, SkipReason),
        (words.SUPPRESSIONS, SuppressionReason),
        (words.MESSAGES, MessageStatus),
        (words.ATTEMPTS, AttemptStatus),
        (words.PROVIDER_EVENTS, ProviderEventKind),
        (words.REDEMPTIONS, RedemptionStatus),
        (words.EARLIER_REDEMPTIONS, RedemptionStatus),
        (words.CHANNELS, Channel),
        (words.REFUSALS, RefusalReason),
        (words.ORDERS, OrderStatus),
        (words.BANDS, Band),
        (words.DEFERRALS, Deferral),
        ({**words.REWARDS, **words.UNGRANTED_REWARDS}, RewardStatus),
        (words.REWARD_KINDS, set(RewardKind) - {RewardKind.none}),
    ],
)
def test_every_word_has_its_sentence(table, enum):
    assert set(table) == set(enum)


def test_every_reason_of_a_message_has_its_sentence():
    calls = [
        call
        for path in (ROOT / "app").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "cancel_messages"
    ]
    given = {ast.literal_eval(each.value) for call in calls for each in call.keywords if each.arg == "reason"}
    assert len(given) >= 4
    failures = {reason_of(kind, None) for kind in ProviderEventKind} - {None}
    assert set(words.MESSAGE_REASONS) == {
        *given,
        *failures,
        *NoContactReason,
        *FailureCause,
        "erased",
        "unknown_template",
    }


async def test_the_reason_of_a_message_is_shown_in_the_language(
    context, session, brand, rows, marked_language
):
    person = await rows.customer()
    survey = await rows.survey(await rows.order(person))
    message = await rows.message(
        SURVEY, person.id, survey.id, status=MessageStatus.cancelled, reason="order_undone", attempts=0
    )
    shown = await _message_text(context, session, brand, person)
    assert shown.endswith("was cancelled: the order was cancelled or refunded.")
    assert "»: «the order was cancelled or refunded»" in await _message_text(
        context, session, brand, person, marked_language
    )
    message.reason = "SendGrid 400: from"
    await session.flush()
    assert (await _message_text(context, session, brand, person)).endswith(": SendGrid 400: from.")


async def _message_text(context, session, brand, person, language="en"):
    story = await timeline(session, context.tokens, brand.id, person.id, language=language)
    return next(each.text for each in story if each.kind.startswith("message"))


async def test_a_check_reads_only(context, session, rows):
    await rows.answer(10)
    await session.commit()
    async with context.sessions() as fresh:
        assert await check(fresh, context.tokens) == []
        with pytest.raises(Exception, match="read-only"):
            await fresh.execute(text("UPDATE orders SET total = 0"))


@pytest.mark.parametrize("status", RedemptionStatus)
async def test_a_timeline_leaves_no_english_unmarked(
    context, session, brand, rows, marked_language, status: RedemptionStatus
):
    response = await rows.answer(10)
    code = await rows.code(response.customer_id, response.survey_id)
    await rows.visit(code)
    redemption = await rows.redemption(code, status)
    for customer_id in (response.customer_id, redemption.friend_id):
        story = await timeline(session, context.tokens, brand.id, customer_id, language=marked_language)
        assert story
        for each in story:
            assert _unmarked(each.text) == ""


def _unmarked(shown: str) -> str:
    """The letters that stand outside all marks, which may be nested."""
    while (inner := re.sub("«[^«»]*»", "", shown)) != shown:
        shown = inner
    return "".join(filter(str.isalpha, shown))


async def test_states_that_the_code_does_not_know_are_shown_as_stored(context, session, brand, rows):
    response = await rows.answer(10)
    for table in ("orders", "surveys", "messages", "attempts"):
        await session.execute(text(f"UPDATE {table} SET status = 'gone_astray'"))
    session.expunge_all()
    story = await timeline(session, context.tokens, brand.id, response.customer_id)
    assert sum("gone" in each.text for each in story) == 4


async def test_the_history_of_consent_and_suppression_is_shown(context, session, brand, rows):
    person = await rows.customer(email="ana@example.com")
    moment = {"brand_id": brand.id, "customer_id": person.id, "channel": Channel.email}
    session.add_all(
        [
            ConsentFact(**moment, given=True, at=START, source="call with Ana"),
            ConsentFact(**moment, given=False, at=START + timedelta(days=1)),
            Suppression(
                brand_id=brand.id,
                channel=Channel.email,
                address_key=context.tokens.address_key("ana@example.com"),
                reason=SuppressionReason.unsubscribed,
                at=START + timedelta(days=2),
                lifted_at=START + timedelta(days=3),
            ),
        ]
    )
    await session.flush()
    for pii, source in ((True, " (call with Ana)"), (False, "")):
        story = await timeline(session, context.tokens, brand.id, person.id, pii=pii)
        assert [each.text for each in story if each.kind != "customer"] == [
            f"Agreed to e-mail{source}.",
            "Did not agree to e-mail.",
            "Gets nothing by e-mail any more: they unsubscribed.",
            "Gets messages by e-mail again; taken back: they unsubscribed.",
        ]


async def test_every_deferral_of_a_survey_is_kept_with_its_reason(context, brand, shop):
    """Deferred for ten days after another survey, then for a night."""
    await set_terms(context, brand, {"survey": {"recontact_days": 10}})
    first = await sent_survey(context, brand, shop)
    order_id = await make_delivered_order(context, brand, shop, first.customer_id)
    await advance(context)
    night = NOW + timedelta(days=10, hours=10)
    await advance(context, night)
    await advance(context, night + timedelta(hours=12))
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.deferred_reason) == (SurveyStatus.queued, "quiet_hours")
    async with context.sessions() as session:
        story = await timeline(session, context.tokens, brand.id, first.customer_id)
    deferred = [(each.at, each.reason, each.text) for each in story if each.kind == "survey_deferred"]
    recontact, night_time = (words.DEFERRALS[each] for each in (Deferral.recontact, Deferral.quiet_hours))
    text = "The survey about order 1042 was moved to {} March 2026: {}."
    assert deferred == [
        (NOW, "recontact", text.format(20, recontact)),
        (night, "quiet_hours", text.format(21, night_time)),
    ]


async def test_deferral_by_a_plan_stays_when_the_survey_is_deferred_again(context, brand, shop):
    await set_terms(context, brand, {"survey": {"delay_hours": 82, "max_per_day": 1}})
    people = [await make_customer(context, brand) for _ in range(2)]
    ids = [await make_delivered_order(context, brand, shop, person) for person in people]
    await advance(context)
    await advance(context, NOW + timedelta(days=1))
    surveys = [await survey_of(context, brand, order_id) for order_id in ids]
    assert sorted([each["reason"] for each in survey.deferrals or ()] for survey in surveys) == [
        [],
        ["quiet_hours", "max_per_day"],
    ]
