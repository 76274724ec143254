"""Make promoters referrers: a share slug, one active share code, and the offer message."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.errors import AppError
from app.base.ids import new_id
from app.base.outbox import Event, record_events
from app.base.tokens import Tokens, named_code, new_slug, plain_code, random_code
from app.brands.amount_rules import amount_in
from app.brands.find import ProgrammeInForce, load_programme, load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import CodeStyle, Programme
from app.customers.models import Customer
from app.customers.names import shown_name
from app.referrals.amount_rules import has_amounts
from app.referrals.announce import announce_codes
from app.referrals.budget import find_spent_currencies
from app.referrals.models import Code, CodePublication, Referrer
from app.referrals.rules import (
    CodeKind,
    CodeStatus,
    PublicationState,
    WithheldReason,
    first_publication_state,
)
from app.referrals.share import in_home_shop, status_of
from app.referrals.withheld import Withheld, record_withheld

_TRIES = 8
"""Tries to draw a free slug or code: with about 49 bits one clash is rare and eight are a bug."""


@dataclass(frozen=True, slots=True)
class NewReferrer:
    """A customer whose latest response is 9 or 10; an imported one has no `survey_id`."""

    customer_id: UUID
    shop_id: UUID
    survey_id: UUID | None = None


async def issue_offers(
    session: AsyncSession, tokens: Tokens, brand: Brand, promoters: Sequence[NewReferrer], *, now: datetime
) -> None:
    """Give each promoter a referrer row, one active share code and the offer messages.

    All in this transaction. Idempotent: an active code that works is kept, and a message about a
    code is queued once. A code that its shop does not know yet is not announced. Nothing is issued
    while the programme makes no offers, in a shop whose currency it has no amounts for or whose
    budget is spent, nor to the holdout share, to erased people and revoked referrers. Why an offer
    is withheld is stored.
    """
    in_force = await load_programme(session, brand.id)
    shops = await load_shops(session, brand.id)
    reasons = await _withheld_in(session, brand, shops.values(), in_force.programme, now=now)
    chosen, withheld = _choose(tokens, promoters, in_force, reasons)
    if chosen:
        names = await _first_names(session, brand.id, chosen)
        chosen = {customer_id: chosen[customer_id] for customer_id in sorted(names)}
        referrers = await _make_referrers(session, brand.id, chosen)
        able = {referrer.customer_id for referrer in referrers.values()}
        withheld += [
            Withheld(each.customer_id, each.survey_id, WithheldReason.revoked)
            for each in chosen.values()
            if each.customer_id not in able
        ]
        kept = await _keep_codes(session, brand.id, referrers, now=now)
        missing = [referrer for referrer_id, referrer in referrers.items() if referrer_id not in kept]
        made = await _make_codes(session, missing, names, shops, in_force, now=now)
        live = [code for code, is_live in (*kept.values(), *made) if is_live]
        unreached = await announce_codes(session, tokens, brand, referrers, live, shops, in_force, now=now)
        withheld += [
            Withheld(customer_id, chosen[customer_id].survey_id, WithheldReason(reason), channel)
            for customer_id, channel, reason in unreached
        ]
    await record_withheld(session, brand.id, withheld, now=now)


def _choose(
    tokens: Tokens,
    promoters: Sequence[NewReferrer],
    in_force: ProgrammeInForce,
    reasons: Mapping[UUID, WithheldReason],
) -> tuple[dict[UUID, NewReferrer], list[Withheld]]:
    """The promoters who get an offer, by customer, and why the others do not.

    `reasons` are those of shops that make no offer.
    """
    chosen, withheld = {}, []
    for each in promoters:
        reason = reasons.get(each.shop_id)
        if reason is None and _is_held_out(tokens, each.customer_id, in_force):
            reason = WithheldReason.held_out
        if reason is None:
            chosen[each.customer_id] = each
        else:
            withheld.append(Withheld(each.customer_id, each.survey_id, reason))
    return chosen, withheld


async def add_referrer(
    session: AsyncSession, brand: Brand, shop_id: UUID, *, now: datetime
) -> tuple[Referrer, Code]:
    """Make a referrer who is no customer of the brand, with a share code under the terms in force.

    They have no address, so no message announces the code. Raises `AppError` where the terms have
    no amounts in the shop's currency.
    """
    in_force = await load_programme(session, brand.id)
    shops = await load_shops(session, brand.id)
    currency = shops[shop_id].currency
    if not has_amounts(in_force.programme, currency):
        raise AppError("no_amounts", f"The programme has no amounts in {currency}, so there is no offer.")
    for _ in range(_TRIES):
        referrer = await session.scalar(
            insert(Referrer)
            .values(_referrer_values(brand.id, shop_id=shop_id, customer_id=None, survey_id=None))
            .on_conflict_do_nothing()
            .returning(Referrer)
        )
        if referrer is not None:
            [(code, _)] = await _make_codes(session, [referrer], {}, shops, in_force, now=now)
            return referrer, code
    raise RuntimeError("no free share slug was found")


async def _withheld_in(
    session: AsyncSession, brand: Brand, shops: Iterable[Shop], programme: Programme, *, now: datetime
) -> dict[UUID, WithheldReason]:
    """The shops that make no offer now, and why: switched off, without amounts or money left."""
    shops = list(shops)
    if not programme.offers_enabled:
        return {shop.id: WithheldReason.offers_disabled for shop in shops}
    if not programme.runs_at(now):
        return {shop.id: WithheldReason.not_active for shop in shops}
    able = [shop for shop in shops if has_amounts(programme, shop.currency)]
    spent = await find_spent_currencies(session, brand, programme, {shop.currency for shop in able}, now=now)
    reasons = {shop.id: WithheldReason.no_amounts for shop in shops if shop not in able}
    return reasons | {shop.id: WithheldReason.budget_spent for shop in able if shop.currency in spent}


def _is_held_out(tokens: Tokens, customer_id: UUID, in_force: ProgrammeInForce) -> bool:
    percent = in_force.programme.offer.holdout_percent
    return percent > 0 and tokens.share("holdout", customer_id) * 100 < percent


async def _first_names(
    session: AsyncSession, brand_id: int, customer_ids: Collection[UUID]
) -> dict[UUID, str | None]:
    """First names by customer; erased and unknown customers are left out."""
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
    """The promoters' referrer rows by id, locked in the order of customers.

    Revoked ones are left out. Because of the locks concurrent calls cannot issue them a code too.
    """
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
            return {referrer.id: referrer for referrer in known.values() if referrer.revoked_at is None}
        values = [
            _referrer_values(
                brand_id, shop_id=each.shop_id, customer_id=each.customer_id, survey_id=each.survey_id
            )
            for each in missing
        ]
        # A slug that exists already leaves the row out; the next try draws another.
        await session.execute(insert(Referrer).on_conflict_do_nothing(), values)
    raise RuntimeError("no free share slug was found")


def _referrer_values(
    brand_id: int, *, shop_id: UUID, customer_id: UUID | None, survey_id: UUID | None
) -> dict[str, object]:
    return {
        "brand_id": brand_id,
        "id": new_id(),
        "customer_id": customer_id,
        "slug": new_slug(brand_id),
        "shop_id": shop_id,
        "survey_id": survey_id,
    }


async def _keep_codes(
    session: AsyncSession, brand_id: int, referrers: Mapping[UUID, Referrer], *, now: datetime
) -> dict[UUID, tuple[Code, bool]]:
    """The usable share codes, by referrer, and whether each is live in the referrer's shop.

    Codes that no longer work are set inactive.
    """
    rows = await session.execute(
        select(Code, Referrer.id, CodePublication.state)
        .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
        .join(CodePublication, in_home_shop(), isouter=True)
        .where(
            Code.brand_id == brand_id,
            in_ids(Code.referrer_id, list(referrers)),
            Code.active,
            Code.kind == CodeKind.share,
        )
    )
    working, useless = {}, []
    for code, referrer_id, state in rows:
        if status_of(code, now=now) is CodeStatus.active:
            working[referrer_id] = (code, state is PublicationState.live)
        else:
            useless.append(code.id)
    if useless:
        await session.execute(
            update(Code).where(Code.brand_id == brand_id, in_ids(Code.id, useless)).values(active=False)
        )
    return working


async def _make_codes(
    session: AsyncSession,
    referrers: Sequence[Referrer],
    names: Mapping[UUID, str | None],
    shops: Mapping[UUID, Shop],
    in_force: ProgrammeInForce,
    *,
    now: datetime,
) -> list[tuple[Code, bool]]:
    """New share codes under the terms in force, and whether each is live in its home shop."""
    waiting = {referrer.id: referrer for referrer in referrers}
    made: list[Code] = []
    for _ in range(_TRIES):
        if not waiting:
            break
        values = [
            _code_values(referrer, _name_of(referrer, names), shops[referrer.shop_id], in_force, now=now)
            for referrer in waiting.values()
        ]
        # A code that exists already leaves the row out; the next try draws another.
        rows = (await session.scalars(insert(Code).on_conflict_do_nothing().returning(Code), values)).all()
        made += rows
        for row in rows:
            del waiting[row.referrer_id]
    if waiting:
        raise RuntimeError("no free code was found")
    if made:
        issued = [Event("code.issued", code.id, now) for code in made]
        await record_events(session, made[0].brand_id, issued)
    return await _publish(session, made, {each.id: shops[each.shop_id] for each in referrers}, now=now)


async def _publish(
    session: AsyncSession, codes: Sequence[Code], home: Mapping[UUID, Shop], *, now: datetime
) -> list[tuple[Code, bool]]:
    """Write the publication of each new code in its referrer's shop; whether it is live already."""
    states = [first_publication_state(home[code.referrer_id].platform) for code in codes]
    values = [
        {
            "brand_id": code.brand_id,
            "code_id": code.id,
            "shop_id": home[code.referrer_id].id,
            "state": state,
            "attempt": 0,
            "live_at": now if state is PublicationState.live else None,
        }
        for code, state in zip(codes, states, strict=True)
    ]
    if values:
        await session.execute(insert(CodePublication), values)
    return [(code, state is PublicationState.live) for code, state in zip(codes, states, strict=True)]


def _name_of(referrer: Referrer, names: Mapping[UUID, str | None]) -> str | None:
    return None if referrer.customer_id is None else names[referrer.customer_id]


def _code_values(
    referrer: Referrer, first_name: str | None, shop: Shop, in_force: ProgrammeInForce, *, now: datetime
) -> dict[str, object]:
    offer, minimum = in_force.programme.offer, in_force.programme.offer.minimum_subtotal
    display = (
        named_code(shown_name(first_name) or "") if offer.code_style is CodeStyle.named else random_code()
    )
    return {
        "brand_id": referrer.brand_id,
        "id": new_id(),
        "referrer_id": referrer.id,
        "kind": CodeKind.share,
        "code": plain_code(display),
        "display": display,
        "terms_id": in_force.terms_id,
        "discount_kind": offer.friend_discount.kind,
        "discount_value": amount_in(offer.friend_discount.value, shop.currency),
        "currency": shop.currency,
        "minimum_subtotal": None if minimum is None else amount_in(minimum, shop.currency),
        "max_uses": offer.max_uses_per_code,
        "uses": 0,
        "active": True,
        "starts_at": now,
        "expires_at": now + timedelta(days=offer.valid_days),
    }
