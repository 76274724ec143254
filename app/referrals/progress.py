"""A referrer's own page: the code, the visits of the link, and the state of each friend's order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Integer, Select, Uuid, bindparam, cast, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from app.base.i18n import translate
from app.base.prepared import Prepared, Session
from app.base.text import isolated
from app.base.tokens import Subject
from app.brands.models import Brand
from app.brands.setup import as_text, read_brand
from app.brands.terms import load_terms
from app.customers.models import Customer
from app.customers.names import shown_name
from app.orders.models import Order
from app.referrals.credit_lines import CreditLine, CreditRow, credit_lines, select_credit
from app.referrals.goodwill_shown import GoodwillRow, expiry_of, select_goodwill
from app.referrals.models import Code, Redemption, Referrer, Reward
from app.referrals.offer_texts import Reader, reader_of
from app.referrals.placement_models import RewardPlacement, working_code
from app.referrals.publication_models import CodePublication
from app.referrals.rules import EARNED, CodeKind, CodeStatus, PublicationState, RedemptionStatus, RewardStatus
from app.referrals.sentences import CODE_STATES, LINK_STATES, NO_CODE, describe_redemption
from app.referrals.share import Share, in_home_shop, is_live, make_share, status_of
from app.referrals.shown import (
    ShownCode,
    ShownRedemption,
    ShownReferrer,
    ShownReward,
    columns_of,
    read_code,
)
from app.referrals.visit_models import Visit, VisitCount

SHOWN = 50
"""Friends' orders on the page, the newest first."""


class OrderState(StrEnum):
    """What a friend's order means for the referrer."""

    earned = "earned"
    waiting = "waiting"
    lost = "lost"


@dataclass(frozen=True, slots=True)
class FriendOrder:
    """One friend's order without the friend: the day, and its state in a sentence."""

    placed_on: str
    result: str
    state: OrderState
    short: str
    """What was earned, `€10`, or the day on which the order counts, `18 Dec`; empty for neither."""


@dataclass(frozen=True, slots=True)
class UsableReward:
    """A code of the referrer's own that can be used."""

    code: str
    amount: str
    until: str
    """The last day in words; empty for none."""


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
    """The newest first, `SHOWN` at most."""
    rewards: Sequence[UsableReward]
    credit: Sequence[CreditLine]
    reward: str | None
    per_friend: bool
    """Whether each friend gets a code of their own by the link."""

    @property
    def counted(self) -> int:
        """How many of the shown orders were kept."""
        return sum(order.state is OrderState.earned for order in self.orders)

    @property
    def waiting(self) -> int:
        """How many of the shown orders may still count."""
        return sum(order.state is OrderState.waiting for order in self.orders)

    @property
    def line(self) -> Sequence[FriendOrder]:
        """The shown orders that count or may count, the oldest first."""
        return [order for order in reversed(self.orders) if order.state is not OrderState.lost]


async def find_progress(
    session: Session, public_url: str, subject: Subject, *, now: datetime
) -> Progress | None:
    """A referrer's page at `now`; None for an unknown, revoked or erased referrer."""
    given: dict[str, object] = {"brand_id": subject.brand_id, "referrer_id": subject.row_id}
    row = await _PAGE.first(session, **given)
    if row is None:
        return None
    brand, code = row.brand, row.code
    reader = reader_of(brand, row.locale)
    status, made = None, None
    if code is not None:
        terms = (await load_terms(session, brand.id, [code.terms_id]))[code.terms_id]
        live = is_live(code, row.state)
        made = make_share(public_url, brand.name, row.referrer, code, terms, reader, row.country, live=live)
        status = status_of(code, now=now)
    orders = await _ORDERS.all(session, **given) if row.uses else []
    per_friend = code is not None and not code.redeemable
    states = LINK_STATES if per_friend else CODE_STATES
    problem = NO_CODE if status is None else states[status]
    return Progress(
        brand=brand,
        customer_id=row.referrer.customer_id,
        first_name=isolated(shown_name(row.first_name) or "") or None,
        share=made if status is CodeStatus.active else None,
        code_problem=translate(reader.language, problem) if problem else "",
        language=reader.language,
        clicks=int(row.clicks),
        uses=row.uses,
        earned=[reader.amount(int(total), currency) for currency, total in sorted(row.earned.items())],
        orders=[_friend_order(*order, reader) for order in orders],
        rewards=[
            *(_goodwill(each, reader) for each in row.goodwill or () if each["code"]),
            *(
                _usable(reward, own, reader)
                for _, _, reward, own in orders
                if reward is not None and own is not None and _can_be_used(reward)
            ),
        ],
        credit=credit_lines(row.credit, reader),
        reward=None if made is None else made.offer.reward,
        per_friend=per_friend,
    )


def _page() -> Select[Any]:
    """Everything of the page but the list of orders, in one statement.

    The code is the present share code, else the last one there was.
    """
    brand_id = bindparam("brand_id", type_=Integer)
    referrer_id = bindparam("referrer_id", type_=Uuid)
    other = aliased(Code)
    latest = (
        select(other.id)
        .where(other.brand_id == brand_id, other.referrer_id == referrer_id, other.kind == CodeKind.share)
        .order_by(other.active.desc(), other.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    visits = select(func.count()).where(Visit.brand_id == brand_id, Visit.referrer_id == referrer_id)
    counted = select(func.coalesce(func.sum(VisitCount.visits), 0)).where(
        VisitCount.brand_id == brand_id, VisitCount.referrer_id == referrer_id
    )
    uses = select(func.count()).where(Redemption.brand_id == brand_id, Redemption.referrer_id == referrer_id)
    sums = (
        select(Reward.currency, func.sum(Reward.net_amount).label("total"))
        .where(
            Reward.brand_id == brand_id,
            Reward.referrer_id == referrer_id,
            Reward.status.in_(EARNED),
            Reward.net_amount > 0,
        )
        .group_by(Reward.currency)
        .subquery()
    )
    earned = select(func.coalesce(func.jsonb_object_agg(sums.c.currency, sums.c.total), cast({}, JSONB)))
    return (
        select(
            as_text(Brand),
            Customer.first_name,
            Customer.locale,
            Customer.country,
            CodePublication.state,
            (visits.scalar_subquery() + counted.scalar_subquery()).label("clicks"),
            uses.scalar_subquery().label("uses"),
            type_coerce(earned.scalar_subquery(), JSONB).label("earned"),
            type_coerce(select_credit(brand_id, referrer_id), JSONB).label("credit"),
            type_coerce(select_goodwill(brand_id, referrer_id), JSONB).label("goodwill"),
            *columns_of(Referrer, ShownReferrer),
            *columns_of(Code, ShownCode),
        )
        .select_from(Referrer)
        .join(Brand, Brand.id == Referrer.brand_id)
        .outerjoin(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
        .outerjoin(Code, (Code.brand_id == Referrer.brand_id) & (Code.id == latest))
        .outerjoin(CodePublication, in_home_shop())
        .where(
            Referrer.brand_id == brand_id,
            Referrer.id == referrer_id,
            Referrer.revoked_at.is_(None),
            Customer.erased_at.is_(None),
        )
    )


class _PageRow(NamedTuple):
    brand: Brand
    first_name: str | None
    locale: str | None
    country: str | None
    state: PublicationState | None
    clicks: int
    uses: int
    earned: dict[str, int]
    credit: Sequence[CreditRow] | None
    goodwill: Sequence[GoodwillRow] | None
    referrer: ShownReferrer
    code: ShownCode | None


def _page_row(brand: str, *values: Any) -> _PageRow:
    referrer, code = values[_REFERRER_AT:_CODE_AT], values[_CODE_AT:]
    plain = values[:_REFERRER_AT]
    return _PageRow._make([read_brand(brand), *plain, ShownReferrer(*referrer), read_code(code)])


_REFERRER_AT = 9
_CODE_AT = _REFERRER_AT + len(ShownReferrer._fields)
_PAGE = Prepared(_page(), _page_row)


class _OrderRow(NamedTuple):
    redemption: ShownRedemption
    placed_at: datetime
    reward: ShownReward | None
    own: str | None
    """The referrer's own code that the reward is paid with, once it works."""


def _order_row(placed_at: datetime, own: str | None, *shown: Any) -> _OrderRow:
    redemption, reward = shown[:_REWARD_AT], shown[_REWARD_AT:]
    return _OrderRow(
        ShownRedemption(*redemption), placed_at, None if reward[0] is None else ShownReward(*reward), own
    )


_REWARD_AT = len(ShownRedemption._fields)
_ORDERS = Prepared(
    select(
        Order.placed_at,
        working_code(),
        *columns_of(Redemption, ShownRedemption),
        *columns_of(Reward, ShownReward),
    )
    .select_from(Redemption)
    .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
    .outerjoin(Reward, (Reward.brand_id == Redemption.brand_id) & (Reward.redemption_id == Redemption.id))
    .outerjoin(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id))
    .outerjoin(
        RewardPlacement,
        (RewardPlacement.brand_id == Reward.brand_id) & (RewardPlacement.reward_id == Reward.id),
    )
    .where(Redemption.brand_id == bindparam("brand_id"), Redemption.referrer_id == bindparam("referrer_id"))
    .order_by(Order.placed_at.desc(), Redemption.id.desc())
    .limit(SHOWN),
    _order_row,
)


def _friend_order(
    redemption: ShownRedemption,
    placed_at: datetime,
    reward: ShownReward | None,
    own: str | None,
    reader: Reader,
) -> FriendOrder:
    state = _state_of(redemption, reward)
    short = ""
    if state is OrderState.earned and reward is not None and reward.net_amount:
        short = reader.amount(reward.net_amount, reward.currency)
    elif redemption.status is RedemptionStatus.pending and redemption.hold_until is not None:
        short = reader.short_day(redemption.hold_until.astimezone(reader.zone).date())
    return FriendOrder(
        reader.day(placed_at.astimezone(reader.zone).date()),
        describe_redemption(redemption, reward, own, reader),
        state,
        short,
    )


def _state_of(redemption: ShownRedemption, reward: ShownReward | None) -> OrderState:
    if redemption.status in (RedemptionStatus.pending, RedemptionStatus.in_review):
        return OrderState.waiting
    if redemption.status is not RedemptionStatus.approved:
        return OrderState.lost
    if reward is not None and (reward.reason is not None or reward.status is RewardStatus.reversed):
        return OrderState.lost
    return OrderState.earned


def _can_be_used(reward: ShownReward) -> bool:
    return reward.status is RewardStatus.granted and not reward.frozen


def _goodwill(row: GoodwillRow, reader: Reader) -> UsableReward:
    until = reader.day(reader.last_day(expiry_of(row)))
    return UsableReward(row["code"] or "", reader.amount(row["amount"], row["currency"]), until)


def _usable(reward: ShownReward, code: str, reader: Reader) -> UsableReward:
    until = "" if reward.expires_at is None else reader.day(reader.last_day(reward.expires_at))
    return UsableReward(code, reader.amount(reward.net_amount, reward.currency), until)
