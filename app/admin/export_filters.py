"""Which rows of a list are exported: the filters of its screen and of its route of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.audit_filters import by_actor, by_subject, within_period
from app.admin.codes import CodeFilter, CodeState, code_conditions
from app.admin.export_lists import EXPORTS
from app.admin.export_rules import ExportName
from app.admin.fields import Plain
from app.admin.ledger import LedgerFilter, ledger_conditions
from app.admin.redemptions import RedemptionFilter, redemption_conditions
from app.admin.referrers import ReferrerFilter, default_currency, read_span, referrer_list
from app.admin.resources import Resource
from app.admin.response_work import answered_in, has_comment, in_band
from app.admin.shops import find_shop_id
from app.base import clock
from app.base.actor import Actor
from app.base.audit import AuditAction, AuditEntry
from app.base.errors import AppError
from app.base.ids import parse_public_id
from app.base.schemas import RowModel
from app.base.text import quoted
from app.brands.find import load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.contact import email_identity
from app.customers.models import Customer
from app.insight.periods import read_period
from app.ledger.rules import CauseKind, LedgerAccount
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from app.messaging.templates import find_template
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.referrals.reward_models import Reward
from app.referrals.rules import CodeKind, RedemptionReason, RedemptionStatus, RewardStatus
from app.surveys.listed import in_state, with_tag, with_words
from app.surveys.models import Response
from app.surveys.rules import Band
from app.surveys.suspicion_rules import Suspicion
from app.surveys.testimonials import IS_TESTIMONIAL
from app.surveys.work_rules import WorkState

W = TypeVar("W", bound=StrEnum)
PERSONAL = frozenset({"q", "email"})
"""Filters by which people are found, for who sees people."""
_UNSTORED = PERSONAL | {"code"}
"""Filters whose values may name a person, as a code does: they are stored nowhere."""
TAKES: Mapping[ExportName, str] = {
    ExportName.responses: "shop from to q customer band state assignee tag channel commented suspicion testimonial",
    ExportName.referrers: "shop span currency",
    ExportName.codes: "shop referrer code kind state",
    ExportName.redemptions: "shop from to status reason referrer code",
    ExportName.ledger: "account currency kind cause redemption referrer from to",
    ExportName.customers: "email",
    ExportName.orders: "shop status customer",
    ExportName.rewards: "status referrer",
    ExportName.messages: "shop template status customer",
    ExportName.audit: "from to action actor subject",
}
"""The filters of each list."""


class ExportFilters(BaseModel):
    """The filters of all lists; one that the exported list does not have is refused."""

    model_config = ConfigDict(extra="forbid")

    shop: Plain | None = None
    start: str | None = Field(default=None, alias="from", max_length=40, description="As of the list.")
    until: str | None = Field(default=None, alias="to", max_length=40, description="As of the list.")
    q: Plain | None = None
    email: Plain | None = None
    customer: Plain | None = None
    referrer: Plain | None = None
    redemption: Plain | None = None
    cause: Plain | None = None
    code: Plain | None = None
    kind: Plain | None = None
    status: Plain | None = None
    reason: Plain | None = None
    band: Plain | None = None
    state: Plain | None = None
    assignee: Plain | None = None
    tag: Plain | None = None
    channel: Plain | None = None
    commented: bool | None = None
    suspicion: Plain | None = Field(default=None, description="One word or several, with commas.")
    testimonial: bool | None = Field(default=None, description="Whether it may be shown to others.")
    template: Plain | None = None
    account: Plain | None = None
    action: Plain | None = None
    actor: Plain | None = None
    subject: Plain | None = None
    span: Plain | None = None
    currency: Plain | None = None
    end: bool = Field(default=False, description="Whether CSV has a last record; JSON Lines always has.")

    def given(self) -> dict[str, str]:
        """The filters that are given, as the address has them."""
        found = self.model_dump(by_alias=True, exclude_none=True, exclude={"end"})
        return {name: str(value).lower() if value is True else str(value) for name, value in found.items()}

    def stored(self) -> dict[str, str]:
        """As `given`, without what may name a person."""
        return {name: "…" if name in _UNSTORED else value for name, value in self.given().items()}


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """The rows that are exported."""

    resource: Resource[RowModel]
    conditions: tuple[ColumnElement[bool], ...] = ()


async def choose_rows(
    session: AsyncSession, caller: Actor, brand: Brand, what: ExportName, filters: ExportFilters
) -> ChosenRows:
    """The rows of a list that the filters leave.

    Raises AppError: `bad_filter` for a filter that the list does not have and for a value that is
    none of its words, `bad_period`, and `missing_scope` for what needs the scope `pii`; NotFound
    for an id of another kind.
    """
    given = filters.given()
    for name in given:
        if name not in TAKES[what].split():
            raise AppError("bad_filter", f"The list {what} has no filter {name}.")
    if PERSONAL & given.keys() and not caller.sees_people:
        raise AppError("missing_scope", "Finding people needs the scope 'pii'.", status=403)
    if what is ExportName.referrers and given:
        return await _referrers(session, brand, filters)
    return ChosenRows(EXPORTS[what].resource, tuple(await _conditions(session, brand, what, filters)))


async def _referrers(session: AsyncSession, brand: Brand, filters: ExportFilters) -> ChosenRows:
    shops = list((await load_shops(session, brand.id)).values())
    chosen = next((each for each in shops if each.slug == filters.shop), None)
    currency = filters.currency or default_currency(shops, chosen)
    shop_id = await find_shop_id(session, brand.id, filters.shop)
    wanted = ReferrerFilter(currency, span=read_span(filters.span), shop_id=shop_id)
    found = referrer_list(brand, wanted)
    return ChosenRows(found.resource, (found.condition,))


async def _conditions(
    session: AsyncSession, brand: Brand, what: ExportName, filters: ExportFilters
) -> list[ColumnElement[bool]]:
    period = read_period(filters.start, filters.until, brand.time_zone)
    found: list[ColumnElement[bool]] = []
    match what:
        case ExportName.responses:
            found = [answered_in(period), has_comment(filters.commented), *_of_response(filters)]
            if filters.q:
                found.append(await with_words(session, brand.id, filters.q))
        case ExportName.redemptions:
            wanted = RedemptionFilter(
                status=_word(RedemptionStatus, filters.status),
                referrer=filters.referrer,
                code=filters.code,
                shop=filters.shop,
                reason=_word(RedemptionReason, filters.reason),
                period=period,
            )
            return redemption_conditions(brand.id, wanted)
        case ExportName.codes:
            kind, state = _word(CodeKind, filters.kind), _word(CodeState, filters.state)
            shop_id = await find_shop_id(session, brand.id, filters.shop)
            codes = CodeFilter(filters.referrer, filters.code, kind, state, shop_id)
            return code_conditions(brand.id, codes, now=clock.now())
        case ExportName.ledger:
            return ledger_conditions(_ledger_filter(filters))
        case ExportName.audit:
            action = _word(AuditAction, filters.action)
            found = [within_period(period), by_actor(filters.actor), by_subject(filters.subject)]
            found += [AuditEntry.action == action] * (action is not None)
        case _:
            found = _of_columns(what, filters)
    if filters.shop and what is not ExportName.referrers:
        found.append(Shop.slug == filters.shop)
    return found


def _ledger_filter(filters: ExportFilters) -> LedgerFilter:
    return LedgerFilter(
        account=_word(LedgerAccount, filters.account),
        currency=filters.currency,
        kind=_word(CauseKind, filters.kind),
        cause=filters.cause or filters.redemption,
        referrer=filters.referrer,
        start=_day(filters.start),
        end=_day(filters.until),
    )


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise AppError("bad_period", f"{quoted(text or '')} is no day; write 2026-03-10.") from None


def _of_response(filters: ExportFilters) -> list[ColumnElement[bool]]:
    found = [in_band(_word(Band, filters.band))]
    state = _word(WorkState, filters.state)
    found += [in_state(state)] if state else []
    found += [with_tag(filters.tag)] if filters.tag else []
    found += _is_id(Response.customer_id, "cus", filters.customer)
    found += _is_id(Response.assignee_id, "stf", filters.assignee)
    if filters.suspicion:
        words = (_word(Suspicion, each) for each in filters.suspicion.split(","))
        found.append(Response.suspicion.in_([each for each in words if each]))
    if filters.testimonial is not None:
        found.append(IS_TESTIMONIAL if filters.testimonial else ~IS_TESTIMONIAL)
    channel = _word(Channel, filters.channel)
    return found + [Response.channel == channel] * (channel is not None)


def _of_columns(what: ExportName, filters: ExportFilters) -> list[ColumnElement[bool]]:
    """The filters of lists that compare a column each."""
    found: list[ColumnElement[bool]] = []
    match what:
        case ExportName.customers:
            found = [Customer.email == (email_identity(filters.email) or "")] if filters.email else []
        case ExportName.orders:
            found = _is_id(Order.customer_id, "cus", filters.customer)
            found += _is_word(Order.status, OrderStatus, filters.status)
        case ExportName.rewards:
            found = _is_id(Reward.referrer_id, "ref", filters.referrer)
            found += _is_word(Reward.status, RewardStatus, filters.status)
        case ExportName.messages:
            found = _is_id(Message.customer_id, "cus", filters.customer)
            found += _is_template(filters.template) + _is_word(Message.status, MessageStatus, filters.status)
    return found


def _word(words: type[W], text: str | None) -> W | None:
    try:
        return words(text) if text else None
    except ValueError:
        raise AppError("bad_filter", f"{quoted(text or '')} is none of {', '.join(words)}.") from None


def _is_word(
    column: InstrumentedAttribute[Any], words: type[W], text: str | None
) -> list[ColumnElement[bool]]:
    found = _word(words, text)
    return [] if found is None else [column == found]


def _is_template(name: str | None) -> list[ColumnElement[bool]]:
    if name and find_template(name) is None:
        raise AppError("bad_filter", f"There is no template {quoted(name)}.")
    return [Message.template == name] if name else []


def _is_id(column: InstrumentedAttribute[Any], prefix: str, shown: str | None) -> list[ColumnElement[bool]]:
    return [column == parse_public_id(prefix, shown)] if shown else []
