"""Claim codes of one shop and the same terms, which a call of its platform is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.context import AppContext
from app.base.fence import load_fence
from app.brands.amount_rules import amount_in
from app.brands.models import Shop
from app.brands.programme import CodePer
from app.brands.rules import zone_or
from app.brands.terms import Terms, load_terms
from app.platforms.connection_types import Connection
from app.platforms.connections import load_connections
from app.platforms.discounts import CodeToPublish, Discount, PublishedCode
from app.platforms.protocol import PlatformAdapter
from app.platforms.registry import adapter_of
from app.platforms.rules import next_check
from app.referrals.publishing.models import CodePublication, ShopDiscount, ShopPublishing
from app.referrals.publishing.rules import SOUGHT_TIMES, discount_title
from app.referrals.rules import PublicationState

LEASE = timedelta(minutes=2)
"""Codes whose call a process began and never finished are taken up again after this."""
CALLED = (PublicationState.wanted, PublicationState.sending, PublicationState.revoking)
"""The states in which the platform is called."""


@dataclass(frozen=True, slots=True)
class ClaimedCode:
    """One code of a claim; an outcome counts for this attempt alone."""

    code_id: UUID
    attempt: int
    code: str
    expires_at: datetime
    may_exist: bool
    job: str | None
    remote_id: str | None
    is_shown: bool
    """Whether it was live once, so that people may know it."""

    @property
    def to_publish(self) -> CodeToPublish:
        """As the adapter publishes it."""
        return CodeToPublish(self.code, self.expires_at, may_exist=self.may_exist, job=self.job)

    @property
    def published(self) -> PublishedCode:
        """As the adapter revokes it."""
        is_unseen = not self.is_shown and self.remote_id is None
        may_come = is_unseen and self.attempt < SOUGHT_TIMES
        return PublishedCode(self.code, self.remote_id, self.expires_at, may_come=may_come)


@dataclass(frozen=True, slots=True)
class Claim:
    """Codes of one shop and the same terms, to be published or to be revoked."""

    brand_id: int
    shop: Shop
    terms_id: UUID
    adapter: PlatformAdapter
    connection: Connection | None
    """None where the shop is not connected any more."""
    discount: Discount | None
    """None where the terms have no amounts in the shop's currency."""
    revoking: bool
    codes: Sequence[ClaimedCode]
    makes_discount: bool
    """Whether the discount that the codes share is made by this claim."""


def is_due(now: datetime, *, urgent: bool) -> ColumnElement[bool]:
    """Publications about which a platform is to be called now.

    A shop that is left alone for a while, and a discount that another process just makes, are
    waited for.
    """
    is_paused = exists().where(
        ShopPublishing.brand_id == CodePublication.brand_id,
        ShopPublishing.shop_id == CodePublication.shop_id,
        ShopPublishing.paused_until > now,
    )
    is_leased = exists().where(
        ShopDiscount.brand_id == CodePublication.brand_id,
        ShopDiscount.shop_id == CodePublication.shop_id,
        ShopDiscount.terms_id == CodePublication.terms_id,
        ShopDiscount.leased_until > now,
    )
    return and_(
        CodePublication.urgent.is_(urgent),
        CodePublication.due_at <= now,
        CodePublication.state.in_(CALLED),
        ~is_paused,
        ~is_leased,
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """What the codes of a claim have in common."""

    shop_id: UUID
    terms_id: UUID
    revoking: bool


async def claim(
    session: AsyncSession, context: AppContext, brand_id: int, *, urgent: bool, now: datetime
) -> Claim | None:
    """Begin an attempt for the codes of one shop that wait longest; None where none is due.

    The claim is without codes where others have just claimed these. Nothing is claimed in a fenced
    copy of the database: the shops are the original's.
    """
    work = await _find_work(session, brand_id, urgent=urgent, now=now)
    if work is None or await load_fence(session) is not None:
        return None
    shop = (
        await session.scalars(select(Shop).where(Shop.brand_id == brand_id, Shop.id == work.shop_id))
    ).one()
    adapter = adapter_of(shop.platform)
    shared = await _lock_discount(session, shop, work.terms_id, now=now)
    if shared.leased_until is not None and shared.leased_until > now:
        return None
    first = None if shared.remote_id is not None else shared.first_code_id
    codes = await _begin(session, brand_id, work, adapter, first, urgent=urgent, now=now)
    is_missing = adapter.shares_discount and shared.remote_id is None
    makes_discount = is_missing and bool(codes) and not work.revoking
    if makes_discount:
        shared.leased_until, shared.first_code_id = now + LEASE, codes[0].code_id
    terms = (await load_terms(session, brand_id, [work.terms_id]))[work.terms_id]
    connections = await load_connections(session, context.tokens, brand_id, [shop.id])
    return Claim(
        brand_id=brand_id,
        shop=shop,
        adapter=adapter,
        connection=connections.get(shop.id) if adapter.publishes_codes else None,
        terms_id=work.terms_id,
        discount=discount_of(shop, work.terms_id, terms, shared.remote_id),
        revoking=work.revoking,
        codes=codes,
        makes_discount=makes_discount,
    )


def discount_of(shop: Shop, terms_id: UUID, terms: Terms, remote_id: str | None) -> Discount | None:
    """What the terms give in the shop; None where they have no amounts in its currency."""
    offer = terms.offer
    value = amount_in(offer.friend_discount.value, shop.currency)
    minimum = None if offer.minimum_subtotal is None else amount_in(offer.minimum_subtotal, shop.currency)
    if value is None or (minimum is None and offer.minimum_subtotal is not None):
        return None
    return Discount(
        terms_id=terms_id,
        title=discount_title(offer.friend_discount.kind, value, shop.currency, terms_id),
        kind=offer.friend_discount.kind,
        value=value,
        currency=shop.currency,
        minimum_subtotal=minimum,
        max_uses=1 if offer.code_per is CodePer.friend else offer.max_uses_per_code,
        one_per_friend=offer.one_per_friend,
        combines_with=frozenset(offer.combines_with),
        remote_id=remote_id,
    )


async def _find_work(session: AsyncSession, brand_id: int, *, urgent: bool, now: datetime) -> _Work | None:
    """What waits longest, and that no other process is just claiming.

    It is not locked when this returns: a discount is locked before its codes.
    """
    found = await session.begin_nested()
    oldest = (
        await session.execute(
            select(CodePublication.shop_id, CodePublication.terms_id, CodePublication.state)
            .where(CodePublication.brand_id == brand_id, is_due(now, urgent=urgent))
            .order_by(CodePublication.due_at)
            .limit(1)
            .with_for_update(skip_locked=True, of=CodePublication)
        )
    ).first()
    await found.rollback()
    if oldest is None:
        return None
    return _Work(oldest.shop_id, oldest.terms_id, oldest.state is PublicationState.revoking)


async def _lock_discount(session: AsyncSession, shop: Shop, terms_id: UUID, *, now: datetime) -> ShopDiscount:
    """What the shop has under the terms, locked; a new row where there is none.

    It is checked each night from then on.
    """
    key = {"brand_id": shop.brand_id, "shop_id": shop.id, "terms_id": terms_id}
    wanted = select(ShopDiscount).filter_by(**key).with_for_update().execution_options(populate_existing=True)
    present = (await session.scalars(wanted)).first()
    if present is not None:
        return present
    night = next_check(shop.id, zone_or(shop.time_zone, "UTC"), after=now)
    await session.execute(
        insert(ShopDiscount).values(**key, check_due_at=night, findings=[]).on_conflict_do_nothing()
    )
    return (await session.scalars(wanted)).one()


async def _begin(
    session: AsyncSession,
    brand_id: int,
    work: _Work,
    adapter: PlatformAdapter,
    first: UUID | None,
    *,
    urgent: bool,
    now: datetime,
) -> list[ClaimedCode]:
    """Mark the codes of the claim as being sent; the one with the id `first` is the first.

    That one is in every claim: an attempt that broke off may have made the discount with it.
    """
    is_revoking = CodePublication.state == PublicationState.revoking
    is_first = and_(CodePublication.code_id == first, CodePublication.state.in_(CALLED))
    rows = await session.scalars(
        select(CodePublication)
        .where(
            CodePublication.brand_id == brand_id,
            CodePublication.shop_id == work.shop_id,
            CodePublication.terms_id == work.terms_id,
            or_(is_due(now, urgent=urgent), is_first),
            is_revoking if work.revoking else ~is_revoking,
        )
        .order_by(CodePublication.code_id != first, CodePublication.due_at, CodePublication.code_id)
        .limit(adapter.codes_at_once)
        .with_for_update(skip_locked=True, of=CodePublication)
    )
    claimed = [_claimed(row) for row in rows]
    state = case((is_revoking, CodePublication.state), else_=PublicationState.sending)
    await session.execute(
        update(CodePublication)
        .values(state=state, attempt=CodePublication.attempt + 1, due_at=now + LEASE)
        .where(
            CodePublication.brand_id == brand_id,
            CodePublication.shop_id == work.shop_id,
            in_ids(CodePublication.code_id, [each.code_id for each in claimed]),
        )
        .execution_options(synchronize_session=False)
    )
    return claimed


def _claimed(row: CodePublication) -> ClaimedCode:
    return ClaimedCode(
        code_id=row.code_id,
        attempt=row.attempt + 1,
        code=row.code,
        expires_at=row.expires_at,
        may_exist=row.state is PublicationState.sending,
        job=row.job,
        remote_id=row.remote_id,
        is_shown=row.live_at is not None,
    )
