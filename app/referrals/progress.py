"""A referrer's own page: the code, the visits of the link, and the state of each friend's order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.base.i18n import translate
from app.base.prepared import Session
from app.base.text import isolated
from app.base.tokens import Subject
from app.brands.models import Brand
from app.brands.terms import load_terms
from app.customers.names import shown_name
from app.referrals.code_state import is_live, status_of
from app.referrals.credit_lines import CreditLine, credit_lines
from app.referrals.goodwill_shown import GoodwillRow, expiry_of
from app.referrals.offer_texts import Reader, reader_of
from app.referrals.progress_rows import ORDERS, PAGE, OrderRow, PageRow
from app.referrals.rules import CodeStatus, RedemptionStatus, RewardStatus
from app.referrals.sentences import CODE_STATES, LINK_STATES, NO_CODE, describe_redemption
from app.referrals.share import Share, make_share
from app.referrals.shown import ShownRedemption, ShownReward


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
    """The newest first, `progress_rows.SHOWN` at most."""
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
    row = await PAGE.first(session, **given)
    if row is None:
        return None
    brand, code = row.brand, row.code
    reader = reader_of(brand, row.locale)
    made = await _share_of(session, public_url, row, reader)
    status = None if code is None else status_of(code, now=now)
    orders = await ORDERS.all(session, **given) if row.uses else []
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
        rewards=_usable_rewards(row, orders, reader),
        credit=credit_lines(row.credit, reader),
        reward=None if made is None else made.offer.reward,
        per_friend=per_friend,
    )


async def _share_of(session: Session, public_url: str, row: PageRow, reader: Reader) -> Share | None:
    """What the referrer shares by their present code, whether it works or not; None without one."""
    code, brand = row.code, row.brand
    if code is None:
        return None
    terms = (await load_terms(session, brand.id, [code.terms_id]))[code.terms_id]
    live = is_live(code, row.state)
    return make_share(public_url, brand.name, row.referrer, code, terms, reader, row.country, live=live)


def _usable_rewards(row: PageRow, orders: Sequence[OrderRow], reader: Reader) -> list[UsableReward]:
    """The codes that can be used, those of goodwill first."""
    goodwill = [_goodwill(each, reader) for each in row.goodwill or () if each["code"]]
    return goodwill + [
        _usable(reward, own, reader)
        for _, _, reward, own in orders
        if reward is not None and own is not None and _can_be_used(reward)
    ]


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
