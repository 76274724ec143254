"""Codes of friends' own: a share link gives each visitor one a day, which works once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.base.prepared import Prepared, Session
from app.base.tokens import plain_code, random_code
from app.referrals.code_state import status_of
from app.referrals.friend_offer import FriendOffer
from app.referrals.models import Code
from app.referrals.new_codes import TRIES
from app.referrals.publishing.models import CodePublication
from app.referrals.publishing.new_publication import add_publication
from app.referrals.publishing.pool import IssuedCode, PooledCode, issue_pooled, take_pooled
from app.referrals.publishing.shop_terms import ShopTerms
from app.referrals.publishing.shops import find_publishing_shops
from app.referrals.rules import CodeKind, CodeStatus, PublicationState
from app.referrals.shown import ShownCode, columns_of
from app.referrals.visit import Visitor, record_visit
from app.referrals.visit_models import Visit

MOST_PER_DAY = 100
"""Codes that one link gives on a day of the brand's zone, so that nobody drains it."""
MOST_PER_NETWORK = 20
"""Of these, codes for one network: an office or a home is one, and so is a script."""


@dataclass(frozen=True, slots=True)
class FriendCode:
    """A visitor's code as shown, and whether the shop knows it."""

    code: str
    is_live: bool


async def find_friend_code(
    session: Session, offer: FriendOffer, visitor: Visitor, *, now: datetime
) -> FriendCode | None:
    """The code that this visitor was given today and can still use; None where there is none.

    One that left the shop, since the link was used up for a while, is none.
    """
    row = await _GIVEN.first(
        session,
        of_brand=offer.brand.id,
        shop_id=offer.shop.id,
        referrer_id=offer.referrer_id,
        visitor=visitor.key,
        parent_id=offer.share.id,
    )
    if row is None or status_of(row.code, now=now) is not CodeStatus.active:
        return None
    return FriendCode(row.code.display, row.state is PublicationState.live)


class _GivenRow(NamedTuple):
    state: PublicationState
    code: ShownCode


_GIVEN = Prepared(
    select(CodePublication.state, *columns_of(Code, ShownCode))
    .select_from(Code)
    .join(Visit, (Visit.brand_id == Code.brand_id) & (Visit.code_id == Code.id))
    .join(
        CodePublication,
        (CodePublication.brand_id == Code.brand_id)
        & (CodePublication.code_id == Code.id)
        & (CodePublication.shop_id == bindparam("shop_id")),
    )
    .where(
        Visit.brand_id == bindparam("of_brand"),
        Visit.referrer_id == bindparam("referrer_id"),
        Visit.visitor == bindparam("visitor"),
        Code.parent_id == bindparam("parent_id"),
        CodePublication.state.not_in([PublicationState.revoking, PublicationState.revoked]),
    ),
    lambda state, *code: _GivenRow(state, ShownCode(*code)),
)


async def give_friend_code(
    session: AsyncSession, offer: FriendOffer, visitor: Visitor, *, now: datetime
) -> FriendCode | None:
    """The visitor's code of today, made now where they have none or have used it.

    None where the link or the visitor's network has given as many today as it may. The caller has
    locked the share code (`find_offer`), so of concurrent calls one makes the code and the others
    return it. It ends with the share code, at which its use counts.
    """
    present = await find_friend_code(session, offer, visitor, now=now)
    if present is not None:
        return present
    if await _is_limited(session, offer, visitor):
        return None
    await record_visit(session, offer, visitor, now=now)
    publishes = bool(await find_publishing_shops(session, offer.brand.id, [offer.shop]))
    pool = ShopTerms(offer.brand.id, offer.shop.id, offer.share.terms_id)
    ready = await take_pooled(session, pool, 1, until=offer.share.expires_at) if publishes else []
    code = await _make(session, offer.share, ready, now=now)
    pooled = any(each.code_id == code.id for each in ready)
    if pooled:
        await issue_pooled(session, pool, [IssuedCode(code.id, code.expires_at, trial=False)])
    else:
        await add_publication(session, code, offer.shop.id, publishes=publishes, now=now)
    await session.execute(
        update(Visit)
        .where(
            Visit.brand_id == offer.brand.id,
            Visit.referrer_id == offer.referrer_id,
            Visit.visitor == visitor.key,
        )
        .values(code_id=code.id, network=visitor.network)
        .execution_options(synchronize_session=False)
    )
    return FriendCode(code.display, pooled or not publishes)


async def _is_limited(session: AsyncSession, offer: FriendOffer, visitor: Visitor) -> bool:
    made = select(func.count()).where(
        Code.brand_id == offer.brand.id,
        Code.parent_id == offer.share.id,
        Code.starts_at >= visitor.day_began,
    )
    by_network = select(func.count()).where(
        Visit.brand_id == offer.brand.id,
        Visit.referrer_id == offer.referrer_id,
        Visit.network == visitor.network,
    )
    counts = (await session.execute(select(made.scalar_subquery(), by_network.scalar_subquery()))).one()
    return bool(counts[0] >= MOST_PER_DAY or counts[1] >= MOST_PER_NETWORK)


async def _make(
    session: AsyncSession, share: ShownCode, ready: Sequence[PooledCode], *, now: datetime
) -> Code:
    """A code under the terms of the share code, used once: one that lies ready, or a new one."""
    for each in [*ready, *[None] * TRIES]:
        display = random_code() if each is None else each.display
        code: Code | None = await session.scalar(
            insert(Code)
            .values(
                brand_id=share.brand_id,
                id=new_id() if each is None else each.code_id,
                referrer_id=share.referrer_id,
                kind=CodeKind.friend,
                parent_id=share.id,
                code=plain_code(display),
                display=display,
                terms_id=share.terms_id,
                discount_kind=share.discount_kind,
                discount_value=share.discount_value,
                currency=share.currency,
                minimum_subtotal=share.minimum_subtotal,
                max_uses=1,
                uses=0,
                active=True,
                starts_at=now,
                expires_at=share.expires_at,
            )
            .on_conflict_do_nothing()
            .returning(Code)
        )
        if code is not None:
            return code
    raise RuntimeError("no free code was found")
