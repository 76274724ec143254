"""Make promoters referrers: a share slug, one active share code, and the offer message."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.errors import AppError
from app.base.tokens import Tokens, new_slug
from app.base.touched import touch
from app.brands.find import ProgrammeInForce, load_programme, load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import CodePer, CodeStyle, Programme
from app.customers.consent import load_contact_options
from app.customers.rules import ContactOptions
from app.referrals.amount_rules import has_amounts
from app.referrals.announce import OfferRecipients, announce_codes
from app.referrals.budget import find_spent_currencies
from app.referrals.code_drafts import CodeTerms
from app.referrals.models import Code, Referrer
from app.referrals.new_codes import TRIES, NewReferrer, keep_codes, make_codes, make_referrers
from app.referrals.publishing.models import PUBLISHING_SWEEPS
from app.referrals.publishing.pool import take_pooled
from app.referrals.publishing.shop_terms import ShopTerms
from app.referrals.publishing.shops import find_publishing_shops
from app.referrals.rules import WithheldReason
from app.referrals.withheld import Withheld, record_withheld

URGENT_AT_MOST = 25
"""Of more codes made at once nobody waits for each: they are put into the shop as bulk work."""


@dataclass(frozen=True, slots=True)
class LoadedBrand:
    """What the caller has read of a brand: its programme in force, and the promoters' shops."""

    in_force: ProgrammeInForce
    shops: Mapping[UUID, Shop]


async def issue_offers(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    promoters: Sequence[NewReferrer],
    *,
    now: datetime,
    loaded: LoadedBrand | None = None,
) -> list[Withheld]:
    """Give each promoter a referrer row, one active share code and the offer messages.

    All in this transaction. Idempotent: an active code that works is kept, and a message about a
    code is queued once. A code that its shop does not know yet is not announced. Nothing is issued
    while the programme makes no offers, in a shop whose currency it has no amounts for or whose
    budget is spent, nor to the holdout share, to erased people and revoked referrers. Why an offer
    is withheld is stored and returned. Without `loaded` it is read here.
    """
    loaded = loaded or LoadedBrand(
        await load_programme(session, brand.id), await load_shops(session, brand.id)
    )
    programme = loaded.in_force.programme
    reasons = await _withheld_in(session, brand, loaded.shops.values(), programme, now=now)
    chosen, withheld = _choose(tokens, promoters, loaded.in_force, reasons)
    if chosen:
        people = await load_contact_options(session, tokens, brand, chosen)
        # In the order of customers, in which referrers are locked.
        wanted = [chosen[each] for each in sorted(people) if not people[each].erased]
        withheld += await _give_codes(session, brand, wanted, people, loaded, now=now)
    await record_withheld(session, brand.id, withheld, now=now)
    return withheld


async def _give_codes(
    session: AsyncSession,
    brand: Brand,
    wanted: Sequence[NewReferrer],
    people: Mapping[UUID, ContactOptions],
    loaded: LoadedBrand,
    *,
    now: datetime,
) -> list[Withheld]:
    """Write referrers and codes and queue the offers; returns who is not given or not told one."""
    surveys = {each.customer_id: each.survey_id for each in wanted}
    names = {customer_id: people[customer_id].first_name for customer_id in surveys}
    terms = await _code_terms(session, brand.id, loaded, names, wanted, now=now)
    found, made = await make_referrers(session, brand.id, wanted, terms, now=now)
    referrers = {each.id: each for each in found.values() if each.revoked_at is None}
    if any(each.shop_id not in loaded.shops for each in referrers.values()):
        loaded = LoadedBrand(loaded.in_force, await load_shops(session, brand.id))
        terms = await _code_terms(session, brand.id, loaded, names, wanted, now=now)
    able = {referrer.customer_id for referrer in referrers.values()}
    withheld = [
        Withheld(customer_id, survey_id, WithheldReason.revoked)
        for customer_id, survey_id in surveys.items()
        if customer_id not in able
    ]
    made |= await keep_codes(session, brand.id, sorted(referrers.keys() - made.keys()), now=now)
    without = [referrer for referrer_id, referrer in referrers.items() if referrer_id not in made]
    made |= await make_codes(session, without, terms, now=now)
    live = [each.code for each in made.values() if each.is_live]
    if len(live) < len(made):
        await due.wake(session, PUBLISHING_SWEEPS[terms.urgent])
    recipients = OfferRecipients(referrers, people, terms.shops, surveys, terms.trials)
    return withheld + await announce_codes(session, brand, live, recipients, loaded.in_force, now=now)


async def _code_terms(
    session: AsyncSession,
    brand_id: int,
    loaded: LoadedBrand,
    names: Mapping[UUID, str | None],
    promoters: Sequence[NewReferrer],
    *,
    now: datetime,
) -> CodeTerms:
    """What the codes are made under; some lie ready where one has somebody who waits for it."""
    publishing = await find_publishing_shops(session, brand_id, loaded.shops.values())
    terms = CodeTerms(
        loaded.in_force,
        loaded.shops,
        names,
        publishing,
        urgent=len(promoters) <= URGENT_AT_MOST,
        trials={each.customer_id for each in promoters if each.trial},
    )
    offer = loaded.in_force.programme.offer
    is_shared = offer.code_per is CodePer.referrer
    if terms.urgent and is_shared and offer.code_style is CodeStyle.random:
        for shop_id, count in Counter(each.shop_id for each in promoters).items():
            if shop_id in publishing:
                pool = ShopTerms(brand_id, shop_id, loaded.in_force.terms_id)
                until = now + timedelta(days=offer.valid_days)
                terms.pooled[shop_id] = await take_pooled(session, pool, count, until=until)
    return terms


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
    terms = await _terms_for(session, brand, shop_id, now=now)
    for _ in range(TRIES):
        referrer = await session.scalar(
            insert(Referrer)
            .values(brand_id=brand.id, slug=new_slug(brand.id), shop_id=shop_id)
            .on_conflict_do_nothing()
            .returning(Referrer)
        )
        if referrer is not None:
            await touch(session, brand.id, "referrers", [referrer.id])
            return referrer, await _make_code(session, referrer, terms, now=now)
    raise RuntimeError("no free share slug was found")


async def add_code(session: AsyncSession, brand: Brand, referrer: Referrer, *, now: datetime) -> Code:
    """Give a referrer who is no customer another share code. Raises as `add_referrer`."""
    terms = await _terms_for(session, brand, referrer.shop_id, now=now)
    return await _make_code(session, referrer, terms, now=now)


async def _terms_for(session: AsyncSession, brand: Brand, shop_id: UUID, *, now: datetime) -> CodeTerms:
    in_force = await load_programme(session, brand.id)
    shops = await load_shops(session, brand.id)
    currency = shops[shop_id].currency
    if not has_amounts(in_force.programme, currency):
        raise AppError("no_amounts", f"The programme has no amounts in {currency}, so there is no offer.")
    return await _code_terms(session, brand.id, LoadedBrand(in_force, shops), {}, (), now=now)


async def _make_code(session: AsyncSession, referrer: Referrer, terms: CodeTerms, *, now: datetime) -> Code:
    made = await make_codes(session, [referrer], terms, now=now)
    if not made[referrer.id].is_live:
        await due.wake(session, PUBLISHING_SWEEPS[terms.urgent])
    return made[referrer.id].code


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
