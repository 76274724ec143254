"""One person's timeline: every fact and every decision, also why something was not sent.

Sentences name nobody and no address, so staff who see no personal fields may read them. Only a
comment, the customer's own words, is shown whole to those who see personal fields; others see it
without addresses.
"""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.i18n import SOURCE, translate
from app.base.ids import public_id
from app.base.masking import without_addresses_or_none
from app.base.records import Records
from app.base.tokens import Tokens
from app.brands.models import Brand
from app.brands.rules import zone_or
from app.customers.consent import suppressions_of
from app.customers.models import ConsentFact, Customer
from app.insight import referral_happenings, sentences
from app.insight.schemas import TimelineEntry
from app.insight.timeline_person import About, Person, Selected
from app.messaging.models import Attempt, Message, ProviderEvent
from app.orders.models import Order, OrderFact
from app.surveys.claim import deferrals_of
from app.surveys.models import Response, Survey
from app.surveys.rules import SurveyStatus


async def timeline(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    customer_id: UUID,
    *,
    pii: bool = False,
    language: str = SOURCE,
    shops: Collection[UUID] | None = None,
) -> list[TimelineEntry]:
    """Everything about one person, oldest first; empty for a person who does not exist.

    With `shops` it is what happened in these alone, besides what is the brand's: consents,
    suppressions and an erasure. About a dozen queries, whatever happened. Comments, sources, codes
    and reasons come as they were written with `pii`, otherwise without addresses and names;
    sentences are in `language`.
    """
    found = await _CUSTOMER.first(session, of_brand=brand_id, customer=customer_id)
    if found is None:
        return []
    zone = zone_or(found.time_zone, "UTC")
    person = Person(session, tokens, brand_id, found.Customer, pii, language, zone, shops)
    parts: list[Callable[[Person], Awaitable[list[TimelineEntry]]]] = [
        _known,
        _orders,
        _facts,
        _surveys,
        _messages,
        _attempts,
        _provider_events,
        _responses,
        referral_happenings.withheld_offers,
        referral_happenings.codes,
        referral_happenings.visits,
        referral_happenings.redemptions,
        referral_happenings.rewards,
    ]
    happened = [happening for part in parts for happening in await part(person)]
    return sorted(happened, key=lambda happening: happening.at)


_CUSTOMER = Records(
    select(Customer, Brand.time_zone)
    .join(Brand, Brand.id == Customer.brand_id)
    .where(Customer.brand_id == bindparam("of_brand"), Customer.id == bindparam("customer"))
)


async def _known(person: Person) -> list[TimelineEntry]:
    customer = person.customer
    happened = [
        TimelineEntry(
            at=customer.created_at, kind="customer", text=translate(person.language, "First known to us.")
        )
    ]
    happened += await _consents(person)
    happened += await _suppressions(person)
    if customer.erased_at is not None:
        happened.append(
            TimelineEntry(
                at=customer.erased_at,
                kind="erased",
                text=translate(person.language, "Their personal data was erased; amounts are kept."),
            )
        )
    return happened


def _select_consents(about: About) -> Selected:
    return select(ConsentFact).where(*about.rows_of(ConsentFact))


async def _consents(person: Person) -> list[TimelineEntry]:
    """Every consent and refusal that was stated; the latest of a channel counts."""
    found = await person.each(_select_consents)
    return [
        TimelineEntry(
            at=it.at,
            kind="consent",
            text=sentences.consent(it, person.language, pii=person.pii),
            channel=it.channel,
            given=it.given,
        )
        for it in found
    ]


async def _suppressions(person: Person) -> list[TimelineEntry]:
    """What suppressed their addresses, and what they took back."""
    customer = person.customer
    happened = []
    for it in await suppressions_of(
        person.session, person.tokens, person.brand_id, customer.email, customer.phone
    ):
        entry = partial(TimelineEntry, channel=it.channel, reason=it.reason)
        text = sentences.suppression(it, person.language)
        happened.append(entry(at=it.at, kind="suppression", text=text))
        if it.lifted_at is not None:
            text = sentences.lifted_suppression(it, person.language)
            happened.append(entry(at=it.lifted_at, kind="suppression_lifted", text=text))
    return happened


def _select_orders(about: About) -> Selected:
    return select(Order).where(*about.rows_of(Order), about.sees(Order.shop_id))


async def _orders(person: Person) -> list[TimelineEntry]:
    found = await person.each(_select_orders)
    return [
        TimelineEntry(
            at=it.placed_at,
            kind="order",
            text=sentences.order(it, person.language),
            order=public_id("ord", it.id),
            status=it.status,
        )
        for it in found
    ]


def _select_facts(about: About) -> Selected:
    return (
        select(OrderFact, Order)
        .join(
            Order,
            (Order.brand_id == OrderFact.brand_id)
            & (Order.shop_id == OrderFact.shop_id)
            & (Order.external_id == OrderFact.order_external_id),
        )
        .where(*about.rows_of(Order), about.sees(Order.shop_id))
    )


async def _facts(person: Person) -> list[TimelineEntry]:
    found = await person.rows(_select_facts)
    return [
        TimelineEntry(
            at=fact.at,
            kind=f"order_{fact.kind}",
            text=sentences.fact(fact, order, person.language),
            order=public_id("ord", order.id),
        )
        for fact, order in found
    ]


def _select_surveys(about: About) -> Selected:
    return (
        select(Survey, Order.number)
        .outerjoin(Order, (Order.brand_id == Survey.brand_id) & (Order.id == Survey.order_id))
        .where(*about.rows_of(Survey), about.sees(Survey.shop_id))
    )


async def _surveys(person: Person) -> list[TimelineEntry]:
    found = await person.rows(_select_surveys)
    happened = []
    for it, number in found:
        about = partial(TimelineEntry, survey=public_id("sur", it.id), status=it.status)
        happened += [
            about(
                at=datetime.fromisoformat(each["at"]),
                kind="survey_deferred",
                text=sentences.deferral(each, number, person.language, person.zone),
                reason=each["reason"],
            )
            for each in (it.deferrals if it.status is SurveyStatus.planned else deferrals_of(it)) or ()
        ]
        entry = about(
            at=it.sent_at or it.queued_at or (it.due_at if it.reason is None else None) or it.created_at,
            kind=f"survey_{it.status}",
            text=sentences.survey(it, number, person.language, person.zone),
            reason=it.reason,
        )
        happened.append(entry)
    return happened


def _select_messages(about: About) -> Selected:
    return select(Message).where(*about.rows_of(Message), about.sees(Message.shop_id))


async def _messages(person: Person) -> list[TimelineEntry]:
    found = await person.each(_select_messages)
    return [
        TimelineEntry(
            at=it.sent_at or it.due_at,
            kind=f"message_{it.status}",
            text=sentences.message(it, person.language),
            message=public_id("msg", it.id),
            template=it.template,
            channel=it.channel,
            status=it.status,
            reason=it.reason if person.pii else without_addresses_or_none(it.reason),
        )
        for it in found
    ]


def _select_attempts(about: About) -> Selected:
    return (
        select(Attempt, Message.template)
        .join(Message, (Message.brand_id == Attempt.brand_id) & (Message.id == Attempt.message_id))
        .where(*about.rows_of(Message), about.sees(Message.shop_id))
    )


async def _attempts(person: Person) -> list[TimelineEntry]:
    found = await person.rows(_select_attempts)
    return [
        TimelineEntry(
            at=it.started_at,
            kind="attempt",
            text=sentences.attempt(it, template, person.language),
            message=public_id("msg", it.message_id),
            status=it.status,
        )
        for it, template in found
    ]


def _select_provider_events(about: About) -> Selected:
    return (
        select(ProviderEvent, Message.template, Message.id)
        .join(
            Attempt, (Attempt.brand_id == ProviderEvent.brand_id) & (Attempt.id == ProviderEvent.attempt_id)
        )
        .join(Message, (Message.brand_id == Attempt.brand_id) & (Message.id == Attempt.message_id))
        .where(*about.rows_of(Message), about.sees(Message.shop_id))
    )


async def _provider_events(person: Person) -> list[TimelineEntry]:
    found = await person.rows(_select_provider_events)
    return [
        TimelineEntry(
            at=it.at,
            kind=f"provider_{it.kind}",
            text=sentences.provider_event(it, template, person.language),
            message=public_id("msg", message_id),
        )
        for it, template, message_id in found
    ]


def _select_responses(about: About) -> Selected:
    return (
        select(Response)
        .join(Survey, (Survey.brand_id == Response.brand_id) & (Survey.id == Response.survey_id))
        .where(*about.rows_of(Response), about.sees(Survey.shop_id))
    )


async def _responses(person: Person) -> list[TimelineEntry]:
    found = await person.each(_select_responses)
    return [
        TimelineEntry(
            at=it.answered_at,
            kind="response",
            text=sentences.response(it, person.language, pii=person.pii),
            response=public_id("rsp", it.id),
            score=it.score,
        )
        for it in found
    ]
