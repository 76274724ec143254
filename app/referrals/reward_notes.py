"""What rewards are in each connected shop, and what is amiss with them, in sentences for people."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.brands.find import is_in_force
from app.brands.models import Brand, ProgrammeVersion, Shop
from app.brands.programme import RewardKind
from app.platforms.models import ShopConnection
from app.referrals.placing.models import RewardPlacement
from app.referrals.shop_credit.models import ShopCredit

_BY_API = (
    "it is spent by POST /credits/reserve of a checkout of your own and not in the shop, which holds none"
    ' (see "tenfold shop check {slug}"). With the reward kind "code" its owner gets a code that the shop knows.'
)


async def reward_notes(session: AsyncSession, shop_ids: Sequence[UUID] | None = None) -> list[str]:
    """A sentence for each connected shop, of these shops or all; none for thanks alone."""
    kind = ProgrammeVersion.terms["reward"]["kind"].astext
    wanted = [] if shop_ids is None else [in_ids(Shop.id, list(shop_ids))]
    rows = await session.execute(
        select(Shop.slug, Brand.names_reward, ShopConnection.holds_credit, kind.label("kind"))
        .join(
            ShopConnection, (ShopConnection.brand_id == Shop.brand_id) & (ShopConnection.shop_id == Shop.id)
        )
        .join(Brand, Brand.id == Shop.brand_id)
        .join(ProgrammeVersion, is_in_force(ShopConnection.__table__.c.brand_id))
        .where(kind != RewardKind.none.value, *wanted)
        .order_by(Shop.slug)
    )
    return [
        f"Shop {row.slug}: "
        + _note(RewardKind(row.kind), row.slug, names_reward=row.names_reward, holds_credit=row.holds_credit)
        for row in rows
    ]


def _note(kind: RewardKind, slug: str, *, names_reward: bool, holds_credit: bool) -> str:
    why = "as the programme says" if names_reward else "by default"
    if kind is RewardKind.credit and holds_credit:
        return f"rewards are credit, {why}, and customers spend it in the shop."
    if kind is RewardKind.credit:
        return f"rewards are credit, {why}; {_BY_API.format(slug=slug)}"
    if names_reward:
        return f"rewards are codes, {why}."
    whose = "another shop of the brand" if holds_credit else "the shop"
    return f"rewards are codes, {why}, since {whose} holds no credit that customers can spend."


async def reward_problems(session: AsyncSession) -> list[str]:
    """The shops in which rewards are not what they must be, codes first, with a reason each."""
    is_waiting = RewardPlacement.due_at.is_not(None)
    return [
        f"Shop {slug}: {count} rewards wait for their codes to be set in the shop: {reason}"
        for slug, count, reason in await _failed_in(session, RewardPlacement, is_waiting)
    ] + [
        f"Shop {slug}: the credit of {count} people is not what it must be: {reason}"
        for slug, count, reason in await _failed_in(session, ShopCredit)
    ]


async def _failed_in(
    session: AsyncSession, table: type[RewardPlacement | ShopCredit], *conditions: ColumnElement[bool]
) -> list[tuple[str, int, str]]:
    """By shop, in the order of slugs: of how many rows the last call failed, and one reason."""
    rows = await session.execute(
        select(Shop.slug, func.count(), func.max(table.reason))
        .join(Shop, (Shop.brand_id == table.brand_id) & (Shop.id == table.shop_id))
        .where(table.reason.is_not(None), *conditions)
        .group_by(Shop.slug)
        .order_by(Shop.slug)
    )
    return [(slug, count, reason or "") for slug, count, reason in rows]
