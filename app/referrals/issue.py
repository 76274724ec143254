"""A promoter becomes a referrer: a share slug, one active code, and the offer that tells them of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.ids import new_id
from app.base.tokens import Tokens, named_code, new_slug, plain_code, random_code
from app.brands.find import ProgrammeInForce, load_programme, load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import CodeStyle
from app.customers.models import Customer
from app.referrals.announce import announce_codes
from app.referrals.models import Code, Referrer
from app.referrals.rules import CodeStatus
from app.referrals.share import status_of

_TRIES = 8
"""Draws of a slug or code before we give up: with about 49 bits one clash is rare and two a fault of ours."""


@dataclass(frozen=True, slots=True)
class NewReferrer:
    """A customer whose latest answer is 9 or 10; without `survey_id` an imported advocate."""

    customer_id: UUID
    shop_id: UUID
    survey_id: UUID | None = None


async def issue_offers(
    session: AsyncSession, tokens: Tokens, brand: Brand, promoters: Sequence[NewReferrer], *, now: datetime
) -> None:
    """Give each promoter a referrer row, one active code and the offer messages their consent allows, in this transaction.

    Idempotent: who has an active code that works keeps it, and a message about a code is queued once. Nothing is issued while
    the programme does not offer, nor to the holdout share, to the erased and to the revoked.
    """
    terms = await load_programme(session, brand.id)
    if not terms.programme.offers_enabled or not terms.programme.runs_at(now):
        return
    chosen = {one.customer_id: one for one in promoters if not _held_out(tokens, one.customer_id, terms)}
    names = await _first_names(session, brand.id, chosen)
    chosen = {customer_id: chosen[customer_id] for customer_id in sorted(names)}
    referrers = await _make_referrers(session, brand.id, chosen)
    shops = await load_shops(session, brand.id)
    kept = await _keep_codes(session, brand.id, referrers, now=now)
    missing = [referrer for customer_id, referrer in referrers.items() if customer_id not in kept]
    made = await _make_codes(session, missing, names, shops, terms, now=now)
    await announce_codes(session, tokens, brand, referrers, [*kept.values(), *made], shops, now=now)


def _held_out(tokens: Tokens, customer_id: UUID, terms: ProgrammeInForce) -> bool:
    percent = terms.programme.offer.holdout_percent
    return percent > 0 and tokens.share("holdout", customer_id) * 100 < percent


async def _first_names(
    session: AsyncSession, brand_id: int, customer_ids: Collection[UUID]
) -> dict[UUID, str | None]:
    """First names of those who are there and not erased."""
    rows = await session.execute(
        select(Customer.id, Customer.first_name).where(
            Customer.brand_id == brand_id,
            in_ids(Customer.id, list(customer_ids)),
            Customer.erased_at.is_(None),
        )
    )
    return {row.id: row.first_name for row in rows}


async def _make_referrers(
    session: AsyncSession, brand_id: int, chosen: Mapping[UUID, NewReferrer]
) -> dict[UUID, Referrer]:
    """The promoters' referrer rows, locked in the order of their ids, so that nobody else issues them a code meanwhile."""
    for _ in range(_TRIES):
        locked = await session.scalars(
            select(Referrer)
            .where(Referrer.brand_id == brand_id, in_ids(Referrer.customer_id, list(chosen)))
            .order_by(Referrer.customer_id)
            .with_for_update(key_share=True)
        )
        known = {referrer.customer_id: referrer for referrer in locked}
        missing = [promoter for customer_id, promoter in chosen.items() if customer_id not in known]
        if not missing:
            return {
                customer_id: referrer
                for customer_id, referrer in known.items()
                if referrer.revoked_at is None
            }
        # A clash of slugs leaves the row out; the next turn draws again.
        await session.execute(
            insert(Referrer).on_conflict_do_nothing(), [_referrer_values(brand_id, one) for one in missing]
        )
    raise RuntimeError("no free share slug was found")


def _referrer_values(brand_id: int, promoter: NewReferrer) -> dict[str, object]:
    return {
        "brand_id": brand_id,
        "customer_id": promoter.customer_id,
        "slug": new_slug(brand_id),
        "shop_id": promoter.shop_id,
        "survey_id": promoter.survey_id,
    }


async def _keep_codes(
    session: AsyncSession, brand_id: int, customer_ids: Collection[UUID], *, now: datetime
) -> dict[UUID, Code]:
    """The active codes that work, by customer; those that do not work any more cease to be the present ones."""
    rows = await session.scalars(
        select(Code).where(
            Code.brand_id == brand_id, in_ids(Code.customer_id, list(customer_ids)), Code.active
        )
    )
    active = {code.customer_id: code for code in rows}
    working = {
        customer_id: code
        for customer_id, code in active.items()
        if status_of(code, now=now) is CodeStatus.active
    }
    worn_out = [code.id for customer_id, code in active.items() if customer_id not in working]
    if worn_out:
        await session.execute(
            update(Code).where(Code.brand_id == brand_id, in_ids(Code.id, worn_out)).values(active=False)
        )
    return working


async def _make_codes(
    session: AsyncSession,
    referrers: Sequence[Referrer],
    names: Mapping[UUID, str | None],
    shops: Mapping[UUID, Shop],
    terms: ProgrammeInForce,
    *,
    now: datetime,
) -> list[Code]:
    """Fresh codes under the terms in force; one that exists already is drawn again."""
    waiting = {referrer.customer_id: referrer for referrer in referrers}
    made: list[Code] = []
    for _ in range(_TRIES):
        if not waiting:
            return made
        values = [
            _code_values(referrer, names[referrer.customer_id], shops[referrer.shop_id], terms, now=now)
            for referrer in waiting.values()
        ]
        rows = (await session.scalars(insert(Code).on_conflict_do_nothing().returning(Code), values)).all()
        made += rows
        _drop(waiting, (row.customer_id for row in rows))
    raise RuntimeError("no free code was found")


def _drop(waiting: dict[UUID, Referrer], customer_ids: Iterable[UUID]) -> None:
    for customer_id in customer_ids:
        del waiting[customer_id]


def _code_values(
    referrer: Referrer, first_name: str | None, shop: Shop, terms: ProgrammeInForce, *, now: datetime
) -> dict[str, object]:
    offer = terms.programme.offer
    display = named_code(first_name or "") if offer.code_style is CodeStyle.named else random_code()
    return {
        "brand_id": referrer.brand_id,
        "id": new_id(),
        "customer_id": referrer.customer_id,
        "code": plain_code(display),
        "display": display,
        "programme_version": terms.version,
        "discount_kind": offer.friend_discount.kind,
        "discount_value": offer.friend_discount.value,
        "currency": shop.currency,
        "minimum_subtotal": offer.minimum_subtotal,
        "max_uses": offer.max_uses_per_code,
        "uses": 0,
        "active": True,
        "starts_at": now,
        "expires_at": now + timedelta(days=offer.valid_days),
        # Every platform of today asks us, or hears of a code by the order; one that must be told first sets this when it knows.
        "live_at": now,
    }
