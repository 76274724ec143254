from datetime import timedelta

import pytest
from sqlalchemy import text, update

from app.base.masking import without_addresses
from app.brands.programme import Channel
from app.customers.models import Consent, Suppression
from app.customers.rules import SuppressionReason
from app.insight import sentences
from app.insight.invariants import RULES, check
from app.insight.timeline import timeline
from app.ledger.rules import LedgerAccount
from app.messaging.models import Attempt, ProviderEvent
from app.messaging.rules import AttemptStatus, MessageStatus, ProviderEventKind
from app.orders.models import Order, OrderFact
from app.orders.rules import FactKind, OrderStatus
from app.referrals.models import Code, Redemption, Reward
from app.referrals.rules import RedemptionStatus, RewardStatus
from app.surveys.models import Survey
from app.surveys.rules import SkipReason, SurveyStatus
from app.surveys.templates import SURVEY
from tests.support.insight_rows import START, Rows


@pytest.fixture
def rows(session, brand, shop):
    return Rows(session, brand, shop)


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
        Consent(
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
        "customer",
    } <= kinds
    texts = " ".join(each.text for each in story)
    assert "is not sent: they were asked a short while ago." in texts
    assert "80 EUR of order" in texts
    assert "@" not in texts


def _customer():
    from app.customers.models import Customer

    return Customer


async def test_a_comment_is_shown_without_addresses_unless_people_are_seen(context, session, brand, rows):
    happy = await rows.answer(10, comment="Mail <ana@example.com>!")
    for pii, words in ((False, "Mail <…>!"), (True, "Mail <ana@example.com>!")):
        story = await timeline(session, context.tokens, brand.id, happy.customer_id, pii=pii)
        assert [each.text for each in story if each.kind == "response"] == [
            f"Answered 10, a promoter: “{words}”"
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
    said = next(each.text for each in story if each.kind == "provider_bounced")
    assert said == "Sendgrid got the survey back: 550 <…> unknown, call …."


@pytest.mark.parametrize(
    ("words", "enum"),
    [
        (sentences._SKIPS, SkipReason),
        (sentences._SUPPRESSIONS, SuppressionReason),
        (sentences._MESSAGES, MessageStatus),
        (sentences._ATTEMPTS, AttemptStatus),
        (sentences._RECEIPTS, ProviderEventKind),
        (sentences._REDEMPTIONS, RedemptionStatus),
        (sentences._CHANNELS, Channel),
    ],
)
def test_every_word_has_its_sentence(words, enum):
    assert set(words) == set(enum)


async def _whole(rows):
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    won = await rows.redemption(code)
    await rows.redemption(code, RedemptionStatus.refused)
    return happy, code, won


async def _broken(session, tokens):
    return {each.name: each.rows for each in await check(session, tokens)}


async def test_sound_rows_violate_no_invariant(context, session, rows):
    await _whole(rows)
    assert await _broken(session, context.tokens) == {}
    assert len(RULES) >= 12
    assert len({rule.name for rule in RULES}) == len(RULES)


async def test_a_check_reads_only(context, session, rows):
    await _whole(rows)
    await session.commit()
    async with context.sessions() as fresh:
        assert await check(fresh, context.tokens) == []
        with pytest.raises(Exception, match="read-only"):
            await fresh.execute(text("UPDATE orders SET total = 0"))


async def _set(session, table, row, **values):
    await session.execute(
        update(table).where(table.brand_id == row.brand_id, table.id == row.id).values(**values)
    )


async def test_each_violated_invariant_names_its_rows(context, session, brand, shop, rows):
    happy, code, won = await _whole(rows)
    await session.commit()
    # Rolling back would expire what is kept here to speak of the rows.
    session.expunge_all()

    async def breaks(name, work):
        nested = await session.begin_nested()
        await work()
        found = await _broken(session, context.tokens)
        assert name in found, (name, found)
        assert found[name]
        await nested.rollback()

    async def no_survey():
        await rows.order(None)

    async def unanswered():
        await session.execute(
            update(Survey).where(Survey.id == happy.survey_id).values(status=SurveyStatus.sent)
        )

    async def unsent():
        person = await rows.customer()
        survey = await rows.survey(await rows.order(person))
        await rows.message(SURVEY, person.id, survey.id, attempts=0, status=MessageStatus.accepted)

    async def sent_twice():
        person = await rows.customer()
        survey = await rows.survey(await rows.order(person))
        message = await rows.message(SURVEY, person.id, survey.id)
        session.add(
            Attempt(
                brand_id=brand.id,
                message_id=message.id,
                number=2,
                provider="outbox",
                status=AttemptStatus.accepted,
                started_at=START,
            )
        )
        await session.flush()

    async def history_asked():
        person = await rows.customer()
        survey = await rows.survey(await rows.order(person, history=True))
        await rows.message(SURVEY, person.id, survey.id)

    async def suppressed_sent():
        key = context.tokens.address_key("ana@example.com")
        gone = START - timedelta(days=1)
        session.add(
            Suppression(
                brand_id=brand.id,
                channel=Channel.email,
                address_key=key,
                reason=SuppressionReason.stopped,
                at=gone,
                created_at=gone,
            )
        )
        await session.flush()

    async def lopsided():
        await rows.book(won, LedgerAccount.reward_cost, LedgerAccount.referrers, 5)

    async def posted_twice():
        await rows.book(won, LedgerAccount.reward_cost, LedgerAccount.referrers, 5, key="twice")
        await rows.book(won, LedgerAccount.discount_cost, LedgerAccount.friends, 5, key="twice")

    async def refund_untold():
        await session.execute(update(Order).where(Order.id == won.order_id).values(refunded=10))

    await breaks("order_has_survey", no_survey)
    await breaks("answer_to_a_sent_survey", unanswered)
    await breaks("sent_has_attempt", unsent)
    await breaks("sent_once", sent_twice)
    await breaks("attempts_are_counted", sent_twice)
    await breaks("history_is_never_asked", history_asked)
    await breaks("suppressed_get_nothing", suppressed_sent)
    await breaks("rewards_are_booked", lopsided)
    await breaks("refunds_add_up", refund_untold)
    await breaks("reward_follows_the_order", refund_untold)
    await breaks("uses_are_redemptions", lambda: _set(session, Code, code, uses=2))
    await breaks("one_active_code", lambda: _set(session, Code, code, disabled_at=START))
    await breaks("no_own_order", lambda: _set(session, Redemption, won, friend_id=happy.customer_id))
    await breaks(
        "only_approved_is_rewarded", lambda: _set(session, Redemption, won, status=RedemptionStatus.reversed)
    )
    await breaks("approved_is_rewarded", lambda: session.execute(text("DELETE FROM rewards")))
    await breaks(
        "refusal_has_known_reason",
        lambda: session.execute(text("UPDATE redemptions SET reason = 'because' WHERE status = 'refused'")),
    )
    await breaks(
        "order_status_is_its_facts", lambda: session.execute(text("UPDATE orders SET status = 'delivered'"))
    )
    await breaks(
        "undone_order_earns_nothing", lambda: session.execute(text("UPDATE orders SET cancelled_at = now()"))
    )
    await breaks("transactions_balance", lambda: session.execute(text(_ONE_SIDED)))
    await breaks("ledger_is_append_only", lambda: session.execute(text(_ONE_SIDED)))
    await breaks("ledger_is_append_only", posted_twice)
    await breaks("discounts_are_posted", lambda: _set(session, Redemption, won, amount_off=5))
    await breaks("codes_are_published", lambda: session.execute(text("DELETE FROM code_publications")))
    await breaks(
        "only_approved_is_rewarded", lambda: session.execute(text("UPDATE rewards SET status = 'pending'"))
    )


_ONE_SIDED = """
    INSERT INTO ledger_entries (brand_id, id, transaction_id, transaction_key, account, amount, currency, cause_kind,
        cause_id, referrer_id, occurred_at, posted_on)
    SELECT brand_id, gen_random_uuid(), gen_random_uuid(), 'x', account, 1, currency, cause_kind, cause_id,
        referrer_id, occurred_at, posted_on
    FROM ledger_entries LIMIT 1
"""


async def test_an_earned_reward_shrinks_with_its_order(context, session, rows):
    _, _, won = await _whole(rows)
    await session.execute(text("UPDATE orders SET refunded = 3600 WHERE id = :id"), {"id": won.order_id})
    session.add(
        OrderFact(
            brand_id=won.brand_id,
            shop_id=rows.shop.id,
            order_external_id=(await session.get_one(Order, (won.brand_id, won.order_id))).external_id,
            kind=FactKind.refunded,
            key="r",
            amount=36,
            at=START,
        )
    )
    await rows.book(won, LedgerAccount.reward_cost, LedgerAccount.referrers, -500)
    await session.execute(update(Reward).values(net_amount=500, status=RewardStatus.granted))
    assert await _broken(session, context.tokens) == {}
