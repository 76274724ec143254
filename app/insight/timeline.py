"""One person's story: every fact and every decision, also why something was not sent, in one list.

Texts name nobody and no address, so that they may be read by who sees no personal fields; only a comment, the customer's own words,
is told whole to who sees them and without addresses to others.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import public_id
from app.base.tokens import Tokens
from app.brands.programme import Channel
from app.customers.models import Consent, Customer, Suppression
from app.insight import sentences
from app.messaging.models import Attempt, Message, ProviderEvent
from app.orders.models import Order, OrderFact
from app.referrals.models import Code, Redemption, Referrer, Reward, Visit
from app.surveys.models import Response, Survey

MOST_VISITS = 200
"""A busy link has thousands of visits; the latest ones are told."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened, or is going to, at a time; `facts` are the few fields worth reading by a program."""

    at: datetime
    kind: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Person:
    session: AsyncSession
    tokens: Tokens
    brand_id: int
    customer: Customer
    pii: bool


async def timeline(
    session: AsyncSession, tokens: Tokens, brand_id: int, customer_id: UUID, *, pii: bool = False
) -> list[Happening]:
    """Everything about one person, oldest first; nothing for a person who is not there. About a dozen queries, whatever happened.

    Comments come as they were written with `pii`, without addresses otherwise.
    """
    customer = await session.scalar(
        select(Customer).where(Customer.brand_id == brand_id, Customer.id == customer_id)
    )
    if customer is None:
        return []
    person = _Person(session, tokens, brand_id, customer, pii)
    parts: list[Callable[[_Person], Awaitable[list[Happening]]]] = [
        _known,
        _orders,
        _facts,
        _surveys,
        _messages,
        _attempts,
        _provider_events,
        _responses,
        _codes,
        _visits,
        _redemptions,
        _rewards,
    ]
    happened = [happening for part in parts for happening in await part(person)]
    return sorted(happened, key=lambda happening: happening.at)


async def _known(person: _Person) -> list[Happening]:
    customer, brand_id = person.customer, person.brand_id
    happened = [Happening(customer.created_at, "customer", "First known to us.")]
    consents = select(Consent).where(Consent.brand_id == brand_id, Consent.customer_id == customer.id)
    happened += [
        Happening(it.at, "consent", sentences.consent(it), {"channel": it.channel, "given": it.given})
        for it in await person.session.scalars(consents)
    ]
    addresses = [(Channel.email, customer.email), (Channel.sms, customer.phone)]
    keys = [
        (Suppression.channel == channel) & (Suppression.address_key == person.tokens.address_key(address))
        for channel, address in addresses
        if address
    ]
    if keys:
        for found in await person.session.scalars(
            select(Suppression).where(Suppression.brand_id == brand_id, or_(*keys))
        ):
            facts = {"channel": found.channel, "reason": found.reason}
            happened.append(Happening(found.at, "suppression", sentences.suppression(found), facts))
    if customer.erased_at is not None:
        happened.append(
            Happening(
                customer.erased_at, "erased", "Erased at their wish; amounts are kept under a surrogate."
            )
        )
    return happened


def _owns(table: Any) -> ColumnElement[bool]:
    """Joins a table of the referrals package to its referrers."""
    joined: ColumnElement[bool] = (Referrer.brand_id == table.brand_id) & (Referrer.id == table.referrer_id)
    return joined


def _of(person: _Person, table: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.brand_id == person.brand_id, table.customer_id == person.customer.id


async def _orders(person: _Person) -> list[Happening]:
    found = await person.session.scalars(select(Order).where(*_of(person, Order)))
    return [
        Happening(
            it.placed_at,
            "order",
            sentences.order(it),
            {"order": public_id("ord", it.id), "status": it.status},
        )
        for it in found
    ]


async def _facts(person: _Person) -> list[Happening]:
    found = await person.session.execute(
        select(OrderFact, Order.id, Order.number, Order.currency)
        .join(
            Order,
            (Order.brand_id == OrderFact.brand_id)
            & (Order.shop_id == OrderFact.shop_id)
            & (Order.external_id == OrderFact.order_external_id),
        )
        .where(*_of(person, Order))
    )
    return [
        Happening(
            fact.at,
            f"order_{fact.kind}",
            sentences.fact(fact, number, currency),
            {"order": public_id("ord", order_id)},
        )
        for fact, order_id, number, currency in found
    ]


async def _surveys(person: _Person) -> list[Happening]:
    found = await person.session.execute(
        select(Survey, Order.number)
        .outerjoin(Order, (Order.brand_id == Survey.brand_id) & (Order.id == Survey.order_id))
        .where(*_of(person, Survey))
    )
    return [
        Happening(
            it.sent_at or it.queued_at or (it.due_at if it.reason is None else None) or it.created_at,
            f"survey_{it.status}",
            sentences.survey(it, number),
            {"survey": public_id("sur", it.id), "status": it.status, "reason": it.reason},
        )
        for it, number in found
    ]


async def _messages(person: _Person) -> list[Happening]:
    found = await person.session.scalars(select(Message).where(*_of(person, Message)))
    return [
        Happening(
            it.sent_at or it.due_at,
            f"message_{it.status}",
            sentences.message(it),
            {
                "message": public_id("msg", it.id),
                "template": it.template,
                "channel": it.channel,
                "status": it.status,
                "reason": it.reason,
            },
        )
        for it in found
    ]


async def _attempts(person: _Person) -> list[Happening]:
    found = await person.session.execute(
        select(Attempt, Message.template)
        .join(Message, (Message.brand_id == Attempt.brand_id) & (Message.id == Attempt.message_id))
        .where(*_of(person, Message))
    )
    return [
        Happening(
            it.started_at,
            "attempt",
            sentences.attempt(it, template),
            {"message": public_id("msg", it.message_id), "status": it.status},
        )
        for it, template in found
    ]


async def _provider_events(person: _Person) -> list[Happening]:
    found = await person.session.execute(
        select(ProviderEvent, Message.template, Message.id)
        .join(
            Attempt, (Attempt.brand_id == ProviderEvent.brand_id) & (Attempt.id == ProviderEvent.attempt_id)
        )
        .join(Message, (Message.brand_id == Attempt.brand_id) & (Message.id == Attempt.message_id))
        .where(*_of(person, Message))
    )
    return [
        Happening(
            it.at,
            f"provider_{it.kind}",
            sentences.provider_event(it, template),
            {"message": public_id("msg", message_id)},
        )
        for it, template, message_id in found
    ]


async def _responses(person: _Person) -> list[Happening]:
    found = await person.session.scalars(select(Response).where(*_of(person, Response)))
    return [
        Happening(
            it.answered_at,
            "response",
            sentences.response(it, pii=person.pii),
            {"response": public_id("rsp", it.id), "score": it.score},
        )
        for it in found
    ]


async def _codes(person: _Person) -> list[Happening]:
    happened = []
    codes = select(Code).join(Referrer, _owns(Code)).where(*_of(person, Referrer))
    for code in await person.session.scalars(codes):
        facts = {"code": code.display}
        happened.append(Happening(code.starts_at, "code", sentences.code(code), facts))
        if code.disabled_at is not None:
            happened.append(
                Happening(code.disabled_at, "code_disabled", f"Code {code.display} was disabled.", facts)
            )
    revoked = select(Referrer.revoked_at).where(*_of(person, Referrer), Referrer.revoked_at.is_not(None))
    ends = await person.session.scalars(revoked)
    return happened + [
        Happening(at, "referrer_revoked", "Their share link was revoked.") for at in ends if at is not None
    ]


async def _visits(person: _Person) -> list[Happening]:
    latest = (
        select(Visit.at)
        .join(Referrer, _owns(Visit))
        .where(*_of(person, Referrer))
        .order_by(Visit.id.desc())
        .limit(MOST_VISITS)
    )
    return [
        Happening(at, "visit", "A friend opened their share link.")
        for at in await person.session.scalars(latest)
    ]


async def _redemptions(person: _Person) -> list[Happening]:
    me = person.customer.id
    found = await person.session.execute(
        select(Redemption, Code.display, Order.number, Order.placed_at, Referrer.customer_id)
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .join(Referrer, _owns(Redemption))
        .where(
            Redemption.brand_id == person.brand_id,
            or_(Referrer.customer_id == me, Redemption.friend_id == me),
        )
    )
    happened = []
    for it, code, number, placed_at, owner in found:
        facts = {"redemption": public_id("red", it.id), "status": it.status, "reason": it.reason}
        said = sentences.redemption(it, code, number, mine=owner == me)
        happened.append(Happening(placed_at, "redemption", said, facts))
        for at, kind in ((it.approved_at, "approved"), (it.reversed_at, "reversed")):
            if at is not None:
                happened.append(
                    Happening(
                        at, f"redemption_{kind}", f"The redemption by order {number} was {kind}.", facts
                    )
                )
    return happened


async def _rewards(person: _Person) -> list[Happening]:
    found = await person.session.scalars(
        select(Reward).join(Referrer, _owns(Reward)).where(*_of(person, Referrer))
    )
    return [
        Happening(
            it.granted_at or it.created_at,
            f"reward_{it.status}",
            sentences.reward(it),
            {"reward": public_id("rwd", it.id)},
        )
        for it in found
    ]
