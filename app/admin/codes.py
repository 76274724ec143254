"""Codes: which are wanted, and one with where it works, what speaks against it and its messages."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, and_, false, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.code_texts import leak_text, place_text
from app.admin.rows import CODES, MESSAGES
from app.base import clock
from app.base.actor import Actor
from app.base.batch import constant
from app.base.errors import NotFound
from app.base.ids import parse_public_id
from app.base.schemas import ApiModel
from app.base.tokens import plain_code
from app.brands.models import Shop
from app.messaging.models import Message
from app.messaging.schemas import MessageRow
from app.referrals.leak_models import SuspectedLeak
from app.referrals.leak_rules import LeakReason
from app.referrals.models import Code, Referrer
from app.referrals.publishing.models import CodePublication, ShopPublishing
from app.referrals.publishing.shops import find_publishing_shops
from app.referrals.rules import CodeKind, PublicationState
from app.referrals.schemas import CodeRow
from app.referrals.templates import OFFER

NOT_LIVE = (PublicationState.wanted, PublicationState.sending, PublicationState.failed)
"""The states of a code that its shop should know and does not, or not yet."""


class CodeState(StrEnum):
    """What a list of codes may be about."""

    suspected = "suspected"
    """Taken for leaked, and nobody has decided yet."""
    not_live = "not_live"
    """Its shop does not know it, though it should."""
    ended = "ended"
    """A referrer's code that has expired, and was not replaced by another; the latest first."""
    disabled = "disabled"


@dataclass(frozen=True, slots=True)
class CodeFilter:
    """Which codes are wanted; None asks for all.

    `referrer` is a public id, `code` as a person writes it, `shop_id` its referrer's shop,
    `updated_since` when it was issued, used, disabled or erased last, or later.
    """

    referrer: str | None = None
    code: str | None = None
    kind: CodeKind | None = None
    state: CodeState | None = None
    shop_id: UUID | None = None
    updated_since: datetime | None = None


def code_conditions(brand_id: int, wanted: CodeFilter, *, now: datetime) -> list[ColumnElement[bool]]:
    """The conditions of a list of codes at `now`; raises NotFound for an id of another kind."""
    found: list[ColumnElement[bool]] = [true()]
    if wanted.referrer:
        found.append(Code.referrer_id == parse_public_id("ref", wanted.referrer))
    if wanted.code:
        found.append(Code.code == plain_code(wanted.code))
    if wanted.kind:
        # As text: the index of these alone counts where the statement says it.
        found.append(Code.kind == constant(wanted.kind, Code.kind.type))
    if wanted.kind is CodeKind.friend:
        # The index of these alone: they may be few.
        found.append(Code.parent_id.is_not(None))
    if wanted.state is CodeState.ended and wanted.kind not in (None, CodeKind.share):
        # That state is of shared codes alone; the database would look at each of them.
        found.append(false())
    if wanted.state:
        found.append(_in_state(brand_id, wanted.state, now=now))
    if wanted.shop_id:
        # As text too: of a shop with few referrers an index finds them.
        found.append(Referrer.shop_id == constant(wanted.shop_id, Referrer.shop_id.type))
    if wanted.updated_since:
        found.append(Code.updated_at >= wanted.updated_since)
    return found


def _in_state(brand_id: int, state: CodeState, *, now: datetime) -> ColumnElement[bool]:
    match state:
        case CodeState.suspected:
            leaks = select(SuspectedLeak.code_id).where(
                SuspectedLeak.brand_id == brand_id, SuspectedLeak.dismissed_at.is_(None)
            )
            return and_(Code.id.in_(leaks), Code.disabled_at.is_(None))
        case CodeState.not_live:
            missing = select(CodePublication.code_id).where(
                CodePublication.brand_id == brand_id,
                CodePublication.issued_id.is_not(None),
                CodePublication.state.in_(NOT_LIVE),
            )
            return and_(Code.id.in_(missing), Code.disabled_at.is_(None), Code.active)
        case CodeState.ended:
            return and_(Code.active, Code.kind == CodeKind.share, Code.expires_at <= now)
        case CodeState.disabled:
            return Code.disabled_at.is_not(None)


def order_of(wanted: CodeFilter) -> InstrumentedAttribute[Any] | None:
    """What the list begins with the most of; None for the newest first."""
    return Code.expires_at if wanted.state is CodeState.ended else None


async def count_suspected(session: AsyncSession, brand_id: int) -> int:
    """How many codes are taken for leaked and wait for a decision."""
    condition = _in_state(brand_id, CodeState.suspected, now=clock.now())
    found = await session.scalars(select(Code.id).where(Code.brand_id == brand_id, condition))
    return len(found.all())


class CodePlace(ApiModel):
    """Whether a shop knows a code, in a sentence that says what to do where it does not."""

    shop: str
    name: str
    state: PublicationState | str
    live_at: datetime | None
    text: str


class CodeLeak(ApiModel):
    """Why a code is taken for leaked; the numbers are of the 30 days before it was looked at."""

    reason: LeakReason | str
    text: str
    orders: int
    turned_away: int = Field(description="Orders that it did not count for.")
    visits: int = Field(description="People who opened the referrer's link.")
    found_at: datetime
    dismissed_at: datetime | None


class CodeDetail(CodeRow):
    """A code with where it works, what speaks against it, and the messages about it."""

    redeemable: bool = Field(description="False where each friend gets a code of their own by the link.")
    places: list[CodePlace]
    leak: CodeLeak | None
    messages: list[MessageRow]


async def code_detail(session: AsyncSession, caller: Actor, condition: ColumnElement[bool]) -> CodeDetail:
    """The one code that the condition names; raises NotFound for one the caller may not see."""
    row = (await session.execute(CODES.visible(caller).where(condition))).first()
    if row is None:
        raise NotFound
    code: Code = row.Code
    return CodeDetail(
        **CODES.shape(row, pii=caller.sees_people).__dict__,
        redeemable=code.redeemable,
        places=await _places(session, code),
        leak=await _leak(session, code),
        messages=await _messages(session, caller, code.id),
    )


async def _places(session: AsyncSession, code: Code) -> list[CodePlace]:
    rows = await session.execute(
        select(CodePublication, Shop, ShopPublishing.reason)
        .join(Shop, (Shop.brand_id == CodePublication.brand_id) & (Shop.id == CodePublication.shop_id))
        .outerjoin(
            ShopPublishing,
            (ShopPublishing.brand_id == Shop.brand_id) & (ShopPublishing.shop_id == Shop.id),
        )
        .where(CodePublication.brand_id == code.brand_id, CodePublication.code_id == code.id)
        .order_by(Shop.id)
    )
    found = [(publication, shop, why) for publication, shop, why in rows]
    connected = await find_publishing_shops(session, code.brand_id, [shop for _, shop, _ in found])
    return [
        CodePlace(
            shop=shop.slug,
            name=shop.name,
            state=publication.state,
            live_at=publication.live_at,
            text=place_text(publication, shop, why, is_connected=shop.id in connected),
        )
        for publication, shop, why in found
    ]


async def _leak(session: AsyncSession, code: Code) -> CodeLeak | None:
    found = await session.get(SuspectedLeak, (code.brand_id, code.id))
    if found is None:
        return None
    values = {"orders": found.orders, "visits": found.visits, "turned_away": found.turned_away}
    return CodeLeak(
        reason=found.reason,
        text=leak_text(found.reason, **values),
        **values,
        found_at=found.found_at,
        dismissed_at=found.dismissed_at,
    )


async def _messages(session: AsyncSession, caller: Actor, code_id: UUID) -> list[MessageRow]:
    """Those that told the referrer of it, the latest first."""
    rows = await session.execute(
        MESSAGES.visible(caller)
        .where(Message.template == OFFER.name, Message.subject_id == code_id)
        .order_by(Message.id.desc())
    )
    return [MESSAGES.shape(row, pii=caller.sees_people) for row in rows]


def is_code(shown: str) -> ColumnElement[bool]:
    """The condition of one code: by its public id, else by the code as a person writes it."""
    if shown.startswith("cod_"):
        return Code.id == parse_public_id("cod", shown)
    return Code.code == plain_code(shown)
