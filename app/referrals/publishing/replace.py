"""Replace codes that nobody has seen and that do not come to be live: by one of the pool."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.context import AppContext
from app.base.ids import new_id
from app.base.outbox import Event, record_events
from app.base.tokens import plain_code, random_code
from app.brands.find import load_shops
from app.referrals.announce_live import announce_live
from app.referrals.models import Code
from app.referrals.publishing.models import PUBLISHING_SWEEPS, CodePublication
from app.referrals.publishing.new_publication import publication_of
from app.referrals.publishing.pool import IssuedCode, PooledCode, issue_pooled, take_pooled
from app.referrals.publishing.revoke import revoke_publications
from app.referrals.publishing.rules import REPLACED_AFTER
from app.referrals.publishing.shop_terms import ShopTerms
from app.referrals.rules import CodeKind, PublicationState

AT_ONCE = 50


def is_late(now: datetime) -> ColumnElement[bool]:
    """Publications, joined to their `Code`, for which nobody should wait any longer."""
    is_slow = and_(
        CodePublication.state.in_([PublicationState.wanted, PublicationState.sending]),
        Code.starts_at <= now - REPLACED_AFTER,
    )
    is_taken = and_(CodePublication.state == PublicationState.failed, CodePublication.due_at <= now)
    return and_(
        CodePublication.due_at.is_not(None),
        CodePublication.urgent,
        CodePublication.live_at.is_(None),
        Code.active,
        Code.redeemable,
        Code.kind == CodeKind.share,
        or_(is_slow, is_taken),
    )


def joins_code() -> ColumnElement[bool]:
    """Joins a publication to its code."""
    return (Code.brand_id == CodePublication.brand_id) & (Code.id == CodePublication.issued_id)


async def replace_late(session: AsyncSession, context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Give new codes to those whose code is late or taken; returns how many.

    The new code is for good: the old one is disabled and is taken out of the shop should it come
    there. A late one waits on where the pool is empty, a taken one gets a random code instead.
    """
    rows = (
        await session.execute(
            select(Code, CodePublication)
            .join(CodePublication, joins_code())
            .where(CodePublication.brand_id == brand_id, is_late(now))
            .order_by(Code.id)
            .limit(AT_ONCE)
            # Whoever disables a code locks both too, in another order: neither is waited for.
            .with_for_update(skip_locked=True)
        )
    ).all()
    groups: dict[ShopTerms, list[Row[Code, CodePublication]]] = defaultdict(list)
    for row in rows:
        pool = ShopTerms(brand_id, row.CodePublication.shop_id, row.Code.terms_id)
        groups[pool].append(row)
    shops = await load_shops(session, brand_id) if groups else {}
    count = 0
    for pool, late in groups.items():
        until = max(row.Code.expires_at for row in late)
        pooled = await take_pooled(session, pool, len(late), until=until)
        replaced = await _replace(session, pool, late, pooled, now=now)
        await announce_live(session, context, brand_id, shops[pool.shop_id], replaced.live, now=now)
        count += replaced.count
    return count


@dataclass(frozen=True, slots=True)
class _Replaced:
    """How many new codes were issued, and which of them are live."""

    live: Sequence[UUID]
    count: int


async def _replace(
    session: AsyncSession,
    pool: ShopTerms,
    late: Sequence[Row[Code, CodePublication]],
    pooled: Sequence[PooledCode],
    *,
    now: datetime,
) -> _Replaced:
    """Issue new codes in place of these."""
    left = list(pooled)
    issued: list[IssuedCode] = []
    made: list[Code] = []
    for old, publication in late:
        ready = left.pop() if left else None
        if ready is None and publication.state is not PublicationState.failed:
            continue
        new = new_code_like(old, ready, now=now)
        old.active, old.disabled_at = False, now
        await session.flush()
        session.add(new)
        await session.flush()
        made.append(new)
        if ready is not None:
            issued.append(IssuedCode(new.id, new.expires_at, publication.trial))
        else:
            wanted = publication_of(new, pool.shop_id, publishes=True, now=now)
            session.add(CodePublication(**wanted, trial=publication.trial))
        await revoke_publications(session, pool.brand_id, [old.id], now=now)
    await session.flush()
    await issue_pooled(session, pool, issued)
    await record_events(session, pool.brand_id, [Event("code.issued", each.id, now) for each in made])
    if len(issued) < len(made):
        await due.wake(session, PUBLISHING_SWEEPS[True])
    return _Replaced([each.code_id for each in issued], len(made))


def new_code_like(old: Code, ready: PooledCode | None, *, now: datetime) -> Code:
    """A code for the same referrer under the same terms, to the same end."""
    display = random_code() if ready is None else ready.display
    return Code(
        brand_id=old.brand_id,
        id=new_id() if ready is None else ready.code_id,
        referrer_id=old.referrer_id,
        kind=old.kind,
        code=plain_code(display),
        display=display,
        terms_id=old.terms_id,
        discount_kind=old.discount_kind,
        discount_value=old.discount_value,
        currency=old.currency,
        minimum_subtotal=old.minimum_subtotal,
        max_uses=old.max_uses,
        redeemable=old.redeemable,
        starts_at=now,
        expires_at=old.expires_at,
    )
