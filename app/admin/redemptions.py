"""Friends' orders: which are wanted, and one with the evidence that decides about it."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.filter_texts import FilterTexts
from app.admin.rows import REDEMPTIONS
from app.base.actor import Actor
from app.base.errors import NotFound
from app.base.ids import id_at, parse_public_id
from app.base.tokens import plain_code
from app.brands.models import Brand, Shop
from app.insight.evidence import RedemptionEvidence, load_evidence
from app.insight.periods import Period, read_period
from app.referrals.models import Code, Redemption
from app.referrals.rules import RedemptionReason, RedemptionStatus
from app.referrals.schemas import RedemptionRow


class RedemptionDetail(RedemptionRow):
    """A friend's order with the evidence that decides about it."""

    evidence: RedemptionEvidence


@dataclass(frozen=True, slots=True)
class RedemptionFilter:
    """Which friends' orders are wanted; None asks for all.

    `referrer` is a public id, `code` as a person writes it, `shop` a slug, `reason` one of our
    words, `period` when the order was recorded.
    """

    status: RedemptionStatus | None = None
    referrer: str | None = None
    code: str | None = None
    shop: str | None = None
    reason: str | None = None
    period: Period = field(default_factory=Period)


def read_filter(texts: FilterTexts, zone: str) -> RedemptionFilter:
    """The filter of these texts, days in the zone; raises ValueError for a word that is none.

    Raises AppError (`bad_period`) too.
    """
    status, reason = texts.get("status"), texts.get("reason")
    return RedemptionFilter(
        status=RedemptionStatus(status) if status else None,
        referrer=texts.get("referrer") or None,
        code=texts.get("code") or None,
        shop=texts.get("shop") or None,
        reason=RedemptionReason(reason) if reason else None,
        period=read_period(texts.get("start"), texts.get("end"), zone),
    )


def redemption_conditions(brand_id: int, wanted: RedemptionFilter) -> list[ColumnElement[bool]]:
    """The conditions of a list of friends' orders; raises NotFound for an id of another kind."""
    found = [_recorded_within(wanted.period)]
    if wanted.status:
        found.append(Redemption.status == wanted.status)
    if wanted.reason:
        found.append(Redemption.reason == wanted.reason)
    if wanted.referrer:
        found.append(Redemption.referrer_id == parse_public_id("ref", wanted.referrer))
    if wanted.code:
        found.append(_of_code(brand_id, wanted.code))
    if wanted.shop:
        found.append(_of_shop(brand_id, wanted.shop))
    return found


def _of_code(brand_id: int, code: str) -> ColumnElement[bool]:
    found = select(Code.id).where(Code.brand_id == brand_id, Code.code == plain_code(code))
    return Redemption.code_id == found.scalar_subquery()


def _of_shop(brand_id: int, slug: str) -> ColumnElement[bool]:
    found = select(Shop.id).where(Shop.brand_id == brand_id, Shop.slug == slug)
    return Redemption.shop_id == found.scalar_subquery()


def _recorded_within(period: Period) -> ColumnElement[bool]:
    """An id begins with the time it was made, so the list's own index finds a period."""
    conditions: list[ColumnElement[bool]] = [true()]
    if period.start is not None:
        conditions.append(Redemption.id >= id_at(period.start))
    if period.end is not None:
        conditions.append(Redemption.id < id_at(period.end))
    return and_(*conditions)


async def redemption_detail(
    session: AsyncSession, caller: Actor, brand: Brand, redemption_id: UUID
) -> RedemptionDetail:
    """One friend's order; raises NotFound for one that the caller may not see."""
    found = await session.execute(REDEMPTIONS.visible(caller).where(REDEMPTIONS.key == redemption_id))
    row = found.first()
    if row is None:
        raise NotFound
    evidence = await load_evidence(session, brand, redemption_id, pii=caller.sees_people)
    return RedemptionDetail(**REDEMPTIONS.shape(row, pii=caller.sees_people).__dict__, evidence=evidence)
