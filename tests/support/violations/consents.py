"""Violations of the invariants of consent and suppression."""

from datetime import timedelta

from app.base.ids import public_id
from app.brands.programme import Channel
from app.customers.models import Consent, ConsentFact, Suppression
from app.customers.rules import SuppressionReason
from tests.support.factories.rows import START
from tests.support.violations.sound import Sound, breaks

DAY = timedelta(days=1)


def stated(sound: Sound, *, given: bool, days: int = 0) -> ConsentFact:
    return ConsentFact(
        brand_id=sound.rows.brand.id,
        customer_id=sound.response.customer_id,
        channel=Channel.email,
        at=START + days * DAY,
        given=given,
        created_at=START,
    )


def in_force(sound: Sound, *, given: bool, days: int = 0) -> Consent:
    return Consent(
        brand_id=sound.rows.brand.id,
        customer_id=sound.response.customer_id,
        channel=Channel.email,
        at=START + days * DAY,
        given=given,
    )


@breaks("consent_is_its_history")
async def a_consent_that_nobody_stated(sound: Sound) -> str:
    sound.session.add(in_force(sound, given=True))
    await sound.session.flush()
    return public_id("cus", sound.response.customer_id)


@breaks("consent_is_its_history")
async def a_statement_that_does_not_count(sound: Sound) -> str:
    sound.session.add(stated(sound, given=True))
    await sound.session.flush()
    return public_id("cus", sound.response.customer_id)


@breaks("consent_is_its_history")
async def an_older_statement_that_counts(sound: Sound) -> str:
    sound.session.add_all(
        [stated(sound, given=True), stated(sound, given=True, days=2), in_force(sound, given=True)]
    )
    await sound.session.flush()
    return public_id("cus", sound.response.customer_id)


@breaks("refused_get_nothing")
async def a_message_after_the_refusal(sound: Sound) -> str:
    message = await sound.sent_message()
    moment = {"brand_id": message.brand_id, "customer_id": message.customer_id, "channel": Channel.email}
    refused = {"given": False, "at": START + DAY}
    agreed = {"given": True, "at": START}
    sound.session.add_all(
        [
            Consent(**moment, **refused),
            ConsentFact(**moment, **refused, created_at=START - DAY),
            ConsentFact(**moment, **agreed, created_at=START - DAY),
        ]
    )
    await sound.session.flush()
    return public_id("msg", message.id)


@breaks("only_own_decisions_are_lifted")
async def a_complaint_that_was_lifted(sound: Sound) -> str:
    suppression = Suppression(
        brand_id=sound.rows.brand.id,
        channel=Channel.email,
        address_key=b"gone",
        reason=SuppressionReason.complained,
        at=START,
        lifted_at=START + DAY,
    )
    sound.session.add(suppression)
    await sound.session.flush()
    return public_id("sup", suppression.id)
