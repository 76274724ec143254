"""A customer's own links, for the shop's thank-you page, order mails and status page."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Shop
from app.orders.models import Order
from app.orders.stated import buyer_key, confirmation_key
from app.surveys.models import Survey
from app.surveys.rules import OPEN


@dataclass(frozen=True, slots=True)
class OrderLinks:
    """Whose order it is, and where its survey can be answered now."""

    customer_id: UUID | None
    survey_url: str | None
    """None until the survey's message was queued, and once it was answered or has expired."""


@dataclass(frozen=True, slots=True)
class OrderProof:
    """What somebody gives as a proof that an order is theirs; either is enough."""

    confirmation: str | None = None
    """What the shop gave the buyer with the order."""
    buyer_id: str | None = None
    """The shop's own id of them, which their session at the shop names."""


async def find_order_links(
    session: AsyncSession,
    tokens: Tokens,
    public_url: str,
    shop: Shop,
    order_id: str,
    *,
    now: datetime,
) -> OrderLinks | None:
    """The links of a shop's order by the shop's own id; None for an unknown one.

    It is the link of the survey's message, so that an order has one survey wherever it is answered.
    """
    row = await _find(session, shop, order_id)
    return None if row is None else _links(tokens, public_url, shop, row, now)


async def find_proven_links(
    session: AsyncSession,
    tokens: Tokens,
    public_url: str,
    shop: Shop,
    order_id: str,
    proof: OrderProof,
    *,
    now: datetime,
) -> OrderLinks | None:
    """As `find_order_links`, for who proves that the order is theirs; None for everybody else."""
    row = await _find(session, shop, order_id)
    if row is None:
        return None
    pairs = (
        (row.confirmation_key, confirmation_key(tokens, shop.id, proof.confirmation)),
        (row.buyer_key, buyer_key(tokens, shop.id, proof.buyer_id)),
    )
    is_theirs = any(known and given and hmac.compare_digest(known, given) for known, given in pairs)
    return _links(tokens, public_url, shop, row, now) if is_theirs else None


async def _find(session: AsyncSession, shop: Shop, order_id: str) -> Row[*tuple[Any, ...]] | None:
    found = await session.execute(
        select(
            Order.customer_id,
            Order.confirmation_key,
            Order.buyer_key,
            Survey.id,
            Survey.status,
            Survey.expires_at,
        )
        .join(Survey, (Survey.brand_id == Order.brand_id) & (Survey.order_id == Order.id), isouter=True)
        .where(Order.brand_id == shop.brand_id, Order.shop_id == shop.id, Order.external_id == order_id)
    )
    return found.first()


def _links(
    tokens: Tokens, public_url: str, shop: Shop, row: Row[*tuple[Any, ...]], now: datetime
) -> OrderLinks:
    is_open = row.status in OPEN and (row.expires_at is None or row.expires_at > now)
    url = f"{public_url}/s/{tokens.link('survey', shop.brand_id, row.id)}" if is_open else None
    return OrderLinks(row.customer_id, url)
