"""A referrer's own page: the code, the visits of the link, and the state of each friend's order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.i18n import translate
from app.brands.models import Brand
from app.brands.terms import load_terms
from app.customers.models import Customer
from app.customers.names import shown_name
from app.orders.models import Order
from app.referrals.models import Code, CodePublication, Redemption, Referrer, Reward, Visit, VisitCount
from app.referrals.offer_texts import Reader, reader_of
from app.referrals.rules import EARNED, CodeKind, CodeStatus, PublicationState
from app.referrals.sentences import CODE_STATES, NO_CODE, describe_redemption
from app.referrals.share import Share, in_home_shop, make_share, status_of

SHOWN = 50
"""Friends' orders on the page, the newest first."""


@dataclass(frozen=True, slots=True)
class FriendOrder:
    """One friend's order without the friend: the day, and its state in a sentence."""

    placed_on: str
    result: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything on a referrer's own page."""

    brand: Brand
    customer_id: UUID | None
    """None for a referrer who is no customer."""
    first_name: str | None
    share: Share | None
    """None while there is no code that works; `code_problem` is why."""
    code_problem: str
    """A sentence in `language`; empty for a code that works."""
    language: str
    """The referrer's, else the brand's."""
    clicks: int
    uses: int
    earned: Sequence[str]
    """The sum of granted rewards after reversals, one amount per currency."""
    orders: Sequence[FriendOrder]
    reward: str | None


async def find_progress(
    session: AsyncSession, public_url: str, brand: Brand, referrer_id: UUID, *, now: datetime
) -> Progress | None:
    """A referrer's page at `now`; None for an unknown, revoked or erased referrer."""
    row = (
        await session.execute(
            select(Referrer, Customer.first_name, Customer.locale, Customer.country)
            .join(
                Customer,
                (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id),
                isouter=True,
            )
            .where(
                Referrer.brand_id == brand.id,
                Referrer.id == referrer_id,
                Referrer.revoked_at.is_(None),
                Customer.erased_at.is_(None),
            )
        )
    ).first()
    if row is None:
        return None
    reader = reader_of(brand, row.locale)
    language = reader.language
    status, made = await _latest_share(session, public_url, brand, row.Referrer, reader, row.country, now=now)
    problem = NO_CODE if status is None else CODE_STATES[status]
    return Progress(
        brand=brand,
        customer_id=row.Referrer.customer_id,
        first_name=shown_name(row.first_name),
        share=made if status is CodeStatus.active else None,
        code_problem=translate(language, problem) if problem else "",
        language=language,
        clicks=await _clicks(session, brand.id, referrer_id),
        uses=await _uses(session, brand.id, referrer_id),
        earned=await _earned(session, brand.id, referrer_id, reader),
        orders=await _orders(session, brand.id, referrer_id, reader),
        reward=None if made is None else made.offer.reward,
    )


async def _latest_share(
    session: AsyncSession,
    public_url: str,
    brand: Brand,
    referrer: Referrer,
    reader: Reader,
    country: str | None,
    *,
    now: datetime,
) -> tuple[CodeStatus | None, Share | None]:
    """The present share code, else the last one there was: its status and what it shares."""
    rows = await session.execute(
        select(Code, CodePublication.state)
        .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
        .join(CodePublication, in_home_shop(), isouter=True)
        .where(Code.brand_id == brand.id, Code.referrer_id == referrer.id, Code.kind == CodeKind.share)
        .order_by(Code.active.desc(), Code.id.desc())
        .limit(1)
    )
    row = rows.first()
    if row is None:
        return None, None
    code = row.Code
    terms = (await load_terms(session, brand.id, [code.terms_id]))[code.terms_id]
    live = row.state is PublicationState.live
    share = make_share(public_url, brand.name, referrer, code, terms, reader, country, live=live)
    return status_of(code, now=now), share


async def _clicks(session: AsyncSession, brand_id: int, referrer_id: UUID) -> int:
    kept = select(func.count()).where(Visit.brand_id == brand_id, Visit.referrer_id == referrer_id)
    counted = select(func.coalesce(func.sum(VisitCount.visits), 0)).where(
        VisitCount.brand_id == brand_id, VisitCount.referrer_id == referrer_id
    )
    query = select(kept.scalar_subquery() + counted.scalar_subquery())
    return int((await session.execute(query)).scalar_one())


async def _uses(session: AsyncSession, brand_id: int, referrer_id: UUID) -> int:
    """Friends' orders that carried a code of theirs, counted or not."""
    query = (
        select(func.count())
        .select_from(Redemption)
        .where(Redemption.brand_id == brand_id, Redemption.referrer_id == referrer_id)
    )
    return (await session.execute(query)).scalar_one()


async def _earned(session: AsyncSession, brand_id: int, referrer_id: UUID, reader: Reader) -> list[str]:
    rows = await session.execute(
        select(Reward.currency, func.sum(Reward.net_amount))
        .where(
            Reward.brand_id == brand_id,
            Reward.referrer_id == referrer_id,
            Reward.status.in_(EARNED),
            Reward.net_amount > 0,
        )
        .group_by(Reward.currency)
        .order_by(Reward.currency)
    )
    return [reader.amount(int(total), currency) for currency, total in rows]


async def _orders(
    session: AsyncSession, brand_id: int, referrer_id: UUID, reader: Reader
) -> list[FriendOrder]:
    rows = await session.execute(
        select(Redemption, Order.placed_at, Reward, Code.display)
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .join(
            Reward,
            (Reward.brand_id == Redemption.brand_id) & (Reward.redemption_id == Redemption.id),
            isouter=True,
        )
        .join(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id), isouter=True)
        .where(Redemption.brand_id == brand_id, Redemption.referrer_id == referrer_id)
        .order_by(Order.placed_at.desc(), Redemption.id.desc())
        .limit(SHOWN)
    )
    return [
        FriendOrder(
            reader.day(placed_at.astimezone(reader.zone).date()),
            describe_redemption(redemption, reward, code, reader),
        )
        for redemption, placed_at, reward, code in rows
    ]
