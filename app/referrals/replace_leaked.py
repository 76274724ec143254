"""Replace a code that strangers know, and give a new one to a referrer who has none that works."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.context import AppContext
from app.base.errors import AppError, NotFound
from app.base.ids import public_id
from app.base.outbox import Event, record_events
from app.brands.find import load_shops
from app.brands.models import Brand
from app.referrals.announce_live import announce_live
from app.referrals.code_state import has_present_code, status_of
from app.referrals.disable import end_code, lock_code
from app.referrals.issue import add_code, issue_offers
from app.referrals.models import Code, Referrer
from app.referrals.new_codes import TRIES, NewReferrer, keep_codes
from app.referrals.publishing.new_publication import add_publication
from app.referrals.publishing.pool import IssuedCode, PooledCode, issue_pooled, take_pooled
from app.referrals.publishing.replace import new_code_like
from app.referrals.publishing.shop_terms import ShopTerms
from app.referrals.publishing.shops import find_publishing_shops
from app.referrals.rules import CodeKind, CodeStatus, WithheldReason


async def replace_code(
    session: AsyncSession, context: AppContext, brand: Brand, code: str, *, actor: Actor, now: datetime
) -> Code:
    """Disable a share code, given as entered, and give its referrer a new one; returns that.

    The new code is under the same terms, to the same end, with all its uses. The old one leaves the
    shops, with the codes that friends got by it. The referrer is told once their shop knows the new
    one; where each friend gets a code by the link, the link stays and nobody need be told.

    Raises NotFound, and 409 `not_replaceable` for a code of another kind and for one that does not
    work any more.
    """
    old = await lock_code(session, brand.id, code)
    if old.kind is not CodeKind.share:
        raise _not_replaceable("Only the code that a referrer shares is replaced; disable this one instead.")
    if not old.active or old.disabled_at is not None:
        raise _not_replaceable("This code is disabled already.")
    if status_of(old, now=now) is CodeStatus.expired:
        raise _not_replaceable("This code has expired; give its referrer a new one instead.")
    referrer = await _referrer(session, brand.id, old.referrer_id)
    shop = (await load_shops(session, brand.id))[referrer.shop_id]
    await end_code(session, brand, old, now=now)
    publishes = old.redeemable and bool(await find_publishing_shops(session, brand.id, [shop]))
    pool = ShopTerms(brand.id, shop.id, old.terms_id)
    ready = await take_pooled(session, pool, 1, until=old.expires_at) if publishes else []
    new = await _issue(session, old, ready, now=now)
    is_live = not publishes or any(each.code_id == new.id for each in ready)
    if publishes and is_live:
        await issue_pooled(session, pool, [IssuedCode(new.id, new.expires_at, trial=False)])
    elif new.redeemable:
        await add_publication(session, new, shop.id, publishes=publishes, now=now)
    await record_events(session, brand.id, [Event("code.issued", new.id, now)])
    if is_live and new.redeemable:
        await announce_live(session, context, brand.id, shop, [new.id], now=now)
    changes = {"replaced_by": (None, public_id("cod", new.id))}
    await record_action(session, actor, AuditAction.code_replaced, ("cod", old.id), changes)
    return new


async def issue_again(
    session: AsyncSession,
    context: AppContext,
    brand: Brand,
    referrer_id: UUID,
    *,
    actor: Actor,
    now: datetime,
) -> Code:
    """Give a referrer whose code no longer works a new one, under the terms in force; returns it.

    They are told as with their first code. Raises NotFound, 409 `has_code` where their code works,
    and 409 `offer_withheld` with the reason where the programme makes them no offer.
    """
    referrer = await _referrer(session, brand.id, referrer_id, lock=True)
    if await keep_codes(session, brand.id, [referrer.id], now=now):
        raise AppError("has_code", "They have a code that works.", status=409)
    if referrer.revoked_at is not None:
        raise _withheld(WithheldReason.revoked)
    if referrer.customer_id is None:
        await add_code(session, brand, referrer, now=now)
    else:
        promoter = NewReferrer(referrer.customer_id, referrer.shop_id, referrer.survey_id)
        withheld = await issue_offers(session, context.tokens, brand, [promoter], now=now)
        reason = next((each.reason for each in withheld if each.channel is None), None)
        if reason is not None:
            raise _withheld(reason)
    wanted = select(Code).select_from(Referrer).join(Code, has_present_code())
    new = (
        await session.scalars(wanted.where(Referrer.brand_id == brand.id, Referrer.id == referrer.id))
    ).first()
    if new is None:
        raise AppError("offer_withheld", "They were erased, so they are made no offer.", status=409)
    await record_action(session, actor, AuditAction.code_issued_again, ("cod", new.id))
    return new


def _not_replaceable(detail: str) -> AppError:
    return AppError("not_replaceable", detail, status=409)


_COLUMNS = [column.key for column in Code.__table__.columns]
_WITHHELD = {
    WithheldReason.offers_disabled: "Offers are switched off in the programme.",
    WithheldReason.not_active: "The programme is not running now.",
    WithheldReason.held_out: "They are in the share of people who get no offer, for comparison.",
    WithheldReason.no_amounts: "The programme has no amounts in the currency of their shop.",
    WithheldReason.budget_spent: "The budget for rewards is spent.",
    WithheldReason.revoked: "Their share link was revoked.",
}


def _withheld(reason: WithheldReason) -> AppError:
    return AppError("offer_withheld", _WITHHELD.get(reason, "The programme makes them no offer."), status=409)


async def _referrer(
    session: AsyncSession, brand_id: int, referrer_id: UUID, *, lock: bool = False
) -> Referrer:
    wanted = select(Referrer).where(Referrer.brand_id == brand_id, Referrer.id == referrer_id)
    found = (await session.scalars(wanted.with_for_update(key_share=True) if lock else wanted)).first()
    if found is None:
        raise NotFound
    return found


async def _issue(session: AsyncSession, old: Code, ready: Sequence[PooledCode], *, now: datetime) -> Code:
    """A new code in place of a disabled one: one that lies ready in the shop, or a drawn one."""
    for each in [*ready, *[None] * TRIES]:
        drawn = new_code_like(old, each, now=now)
        values = {
            name: getattr(drawn, name)
            for name in _COLUMNS
            if name != "created_at" and getattr(drawn, name) is not None
        }
        made: Code | None = await session.scalar(
            insert(Code).values(values | {"uses": 0, "active": True}).on_conflict_do_nothing().returning(Code)
        )
        if made is not None:
            return made
    raise RuntimeError("no free code was found")
