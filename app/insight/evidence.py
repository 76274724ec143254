"""Why a friend's order counts, or not: what was compared, what was found, what hangs on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Result, Row, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import NotFound
from app.base.i18n import SOURCE
from app.base.schemas import ApiModel
from app.brands.models import Brand, Shop
from app.brands.terms import load_terms
from app.customers.models import Customer
from app.customers.schemas import CustomerRow
from app.insight import evidence_sentences as sentences
from app.insight.evidence_sentences import Case, Compared, Finding, Found, Whose
from app.orders.models import Order
from app.referrals.amount_rules import minor_of
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus
from app.referrals.schemas import RewardRow

_ORDERS = 100
"""Orders of a referrer, and of their earlier friends, that are compared at most: the newest."""


class ShownFinding(ApiModel):
    """One comparison and its sentence.

    `order` is the number of the other order in which it was found, `whose` that order's buyer.
    """

    compared: Compared
    found: Found
    whose: Whose | None
    order: str | None
    text: str


class RedemptionEvidence(ApiModel):
    """A friend's order with all that decides about it.

    `referrer` is null for one who is no customer, `friend` for an order without a customer. E-mail
    addresses, numbers and names are masked without the scope `pii`.
    """

    shop: str
    decision: str
    """A sentence: where it stands, and why."""
    effects: list[str]
    """What hangs on it, in sentences."""
    findings: list[ShownFinding]
    referrer: CustomerRow | None
    friend: CustomerRow | None
    reward: RewardRow | None


@dataclass(frozen=True, slots=True)
class _Other:
    """Another order of the referrer or of an earlier friend of theirs, with its keys."""

    number: str
    keys: frozenset[bytes]
    whose: Whose


async def load_evidence(
    session: AsyncSession, brand: Brand, redemption_id: UUID, *, pii: bool
) -> RedemptionEvidence:
    """The evidence of a redemption, as it is now; about seven queries. Raises NotFound."""
    case = await _load_case(session, brand.id, redemption_id)
    people = await _people(session, brand.id, case)
    owner, friend = (people.get(one) for one in (case.owner_id, case.redemption.friend_id))
    findings = list(_same_contacts(case.redemption, owner))
    findings += _same_marks(case.order, await _others(session, brand.id, case))
    findings.append(await _history(session, brand.id, case))
    findings += _by_the_terms(case)
    zone = ZoneInfo(brand.time_zone)
    reward = await _reward(session, brand.id, redemption_id)
    return RedemptionEvidence(
        shop=case.shop,
        decision=sentences.decision(case.redemption, findings, SOURCE, zone, pii=pii),
        effects=sentences.effects(case.redemption, reward and reward.Reward, SOURCE, zone),
        findings=[_shown(each, case, zone) for each in findings],
        referrer=owner and CustomerRow.from_row(owner, pii=pii),
        friend=friend and CustomerRow.from_row(friend, pii=pii),
        reward=reward and RewardRow.from_row(reward, pii=pii),
    )


def _shown(it: Finding, case: Case, zone: ZoneInfo) -> ShownFinding:
    return ShownFinding(
        compared=it.compared,
        found=it.found,
        whose=it.whose,
        order=it.order,
        text=sentences.finding(it, case, SOURCE, zone),
    )


async def _load_case(session: AsyncSession, brand_id: int, redemption_id: UUID) -> Case:
    found = await session.execute(
        select(Redemption, Order, Code, Referrer.customer_id, Shop.slug)
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .join(Referrer, (Referrer.brand_id == Redemption.brand_id) & (Referrer.id == Redemption.referrer_id))
        .join(Shop, (Shop.brand_id == Order.brand_id) & (Shop.id == Order.shop_id))
        .where(Redemption.brand_id == brand_id, Redemption.id == redemption_id)
    )
    row = found.first()
    if row is None:
        raise NotFound
    terms = await load_terms(session, brand_id, [row.Redemption.terms_id])
    return Case(
        redemption=row.Redemption,
        order=row.Order,
        code=row.Code,
        terms=terms[row.Redemption.terms_id],
        owner_id=row.customer_id,
        shop=row.slug,
    )


async def _people(session: AsyncSession, brand_id: int, case: Case) -> dict[UUID | None, Row[Any]]:
    ids = [each for each in (case.owner_id, case.redemption.friend_id) if each is not None]
    rows = await session.execute(select(Customer).where(Customer.brand_id == brand_id, Customer.id.in_(ids)))
    return {row.Customer.id: row for row in rows}


async def _reward(session: AsyncSession, brand_id: int, redemption_id: UUID) -> Row[Any] | None:
    found: Result[Any] = await session.execute(
        select(Reward, Code.display.label("code"))
        .join(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id), isouter=True)
        .where(Reward.brand_id == brand_id, Reward.redemption_id == redemption_id)
    )
    return found.first()


def _same_contacts(redemption: Redemption, owner: Row[Any] | None) -> Iterator[Finding]:
    """Whether the friend has the referrer's e-mail address, without aliases, or number."""
    customer: Customer | None = owner and owner.Customer
    pairs = (
        (Compared.email, redemption.friend_email_key, customer and customer.email_key),
        (Compared.phone, redemption.friend_phone, customer and customer.phone),
    )
    for compared, theirs, owners in pairs:
        if not theirs or not owners:
            # What only the friend lacks matters: without both nothing tells who they are.
            yield Finding(compared, Found.unknown, is_missing=not theirs)
        else:
            yield Finding(compared, Found.against if theirs == owners else Found.clear)


def _same_marks(order: Order, others: list[_Other]) -> Iterator[Finding]:
    """Whether the referrer, or else an earlier friend, has the same account, address or means."""
    keys = (
        (Compared.account, order.buyer_key),
        (Compared.payment, order.payment_key),
        (Compared.address, order.address_key),
    )
    for compared, key in keys:
        other = next((each for each in others if key in each.keys), None)
        if key is None:
            yield Finding(compared, Found.unknown)
        elif other is None:
            yield Finding(compared, Found.clear)
        else:
            yield Finding(compared, Found.against, whose=other.whose, order=other.number)


async def _others(session: AsyncSession, brand_id: int, case: Case) -> list[_Other]:
    """The orders that share a key with this one: the referrer's own, then earlier friends'."""
    keys = [key for key in (case.order.buyer_key, case.order.payment_key, case.order.address_key) if key]
    if not keys:
        return []
    own = _with_keys(keys).where(
        Order.brand_id == brand_id,
        Order.customer_id == case.owner_id,
        Order.id != case.order.id,
        Order.test.is_(False),
        Order.trial.is_(False),
    )
    earlier = (
        _with_keys(keys)
        .join(Redemption, (Redemption.brand_id == Order.brand_id) & (Redemption.order_id == Order.id))
        .where(
            Redemption.brand_id == brand_id,
            Redemption.referrer_id == case.redemption.referrer_id,
            Redemption.id < case.redemption.id,
            Redemption.status != RedemptionStatus.refused,
            Redemption.friend_id.is_distinct_from(case.redemption.friend_id),
            Order.trial.is_(False),
        )
    )
    found = []
    for whose, query in ((Whose.referrer, own), (Whose.friend, earlier)):
        if whose is Whose.referrer and case.owner_id is None:
            continue
        for row in await session.execute(query.order_by(Order.placed_at.desc()).limit(_ORDERS)):
            # By the friend's account their own earlier order is found; that is their history.
            marks = {row.payment_key, row.address_key, row.buyer_key if whose is Whose.referrer else None}
            found.append(_Other(row.number, frozenset(marks - {None}), whose))
    return found


def _with_keys(keys: list[bytes]) -> Select[Any]:
    columns = Order.buyer_key, Order.payment_key, Order.address_key
    shown: list[Any] = [Order.number, *columns]
    return select(*shown).where(or_(*(column.in_(keys) for column in columns)))


async def _history(session: AsyncSession, brand_id: int, case: Case) -> Finding:
    """Whether the friend ordered before; against it where the terms want new customers alone."""
    against = Found.against if case.terms.offer.new_customers_only else Found.clear
    same_person = [
        column == value
        for column, value in (
            (Order.customer_id, case.redemption.friend_id),
            (Order.buyer_key, case.order.buyer_key),
        )
        if value is not None
    ]
    if same_person:
        number = await session.scalar(
            select(Order.number)
            .where(
                Order.brand_id == brand_id,
                or_(*same_person),
                Order.id != case.order.id,
                Order.placed_at < case.order.placed_at,
                Order.cancelled_at.is_(None),
                Order.test.is_(False),
                Order.trial.is_(False),
            )
            .order_by(Order.placed_at)
            .limit(1)
        )
        if number is not None:
            return Finding(Compared.history, against, whose=Whose.friend, order=number)
    if case.order.ordered_before:
        return Finding(Compared.history, against, whose=Whose.friend)
    return Finding(Compared.history, Found.clear if same_person else Found.unknown)


def _by_the_terms(case: Case) -> Iterator[Finding]:
    """The code's time and minimum, and what the order is worth."""
    late = case.code.expires_at <= case.order.placed_at
    yield Finding(Compared.code, Found.against if late else Found.clear)
    if case.code.minimum_subtotal is not None:
        least = minor_of(case.code.minimum_subtotal, case.code.currency)
        if case.code.currency != case.order.currency:
            yield Finding(Compared.minimum, Found.unknown)
        else:
            yield Finding(Compared.minimum, Found.against if case.order.subtotal < least else Found.clear)
    undone = case.order.money.is_undone or case.order.dispute is not None
    yield Finding(Compared.amount, Found.against if undone else Found.clear)
