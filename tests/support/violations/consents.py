"""Violations of the invariants of consent and suppression."""

from datetime import timedelta

from app.base.ids import public_id
from app.brands.programme import Channel
from app.customers.models import ConsentFact, Suppression
from app.customers.rules import SuppressionReason
from tests.support.factories.rows import START
from tests.support.violations.sound import Sound, breaks

DAY = timedelta(days=1)


@breaks("refused_get_nothing")
async def a_message_after_the_refusal(sound: Sound) -> str:
    message = await sound.sent_message()
    moment = {"brand_id": message.brand_id, "customer_id": message.customer_id, "channel": Channel.email}
    refused = {"given": False, "at": START + DAY}
    agreed = {"given": True, "at": START}
    sound.session.add_all(
        [
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
