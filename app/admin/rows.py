"""The lists of the API: one query and one shape for each resource."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.alarm_models import Alarm
from app.admin.alarm_schemas import AlarmRow
from app.admin.models import ApiKey, Staff, StaffSession
from app.admin.resources import Resource
from app.admin.schemas import AuditRow, KeyRow, StaffRow
from app.base.audit import AuditEntry, AuditValue
from app.base.batch import in_ids
from app.brands.models import Brand, Shop
from app.customers.models import Customer
from app.customers.schemas import CustomerRow
from app.ingest.models import DataRequest, Delivery, DeliveryCustomer
from app.ingest.schemas import DataRequestRow, DeliveryRow
from app.ledger.models import LedgerEntry
from app.ledger.schemas import LedgerEntryRow
from app.messaging.models import Message
from app.messaging.schemas import MessageRow
from app.orders.models import Order
from app.orders.schemas import OrderRow
from app.referrals.code_state import in_home_shop
from app.referrals.figure_models import ALL_TIME, ReferrerFigure
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.publishing.models import CodePublication
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus
from app.referrals.schemas import CodeRow, RedemptionRow, ReferrerRow, RewardRow, shown_order
from app.referrals.visit_models import Visit, VisitCount
from app.surveys.listed import of_shops, select_responses
from app.surveys.models import Response, Survey
from app.surveys.schemas import ResponseRow, SurveyRow
from app.surveys.testimonials import IS_TESTIMONIAL, TestimonialRow

InShops = Callable[[Collection[UUID]], ColumnElement[bool]]
"""See `Resource.in_shops`."""


def _select(key: InstrumentedAttribute[Any], *columns: Any) -> Select[Any]:
    return select(key.label("id"), *columns)


def _in_shop(
    query: Select[Any], shop_id: InstrumentedAttribute[Any], brand_id: InstrumentedAttribute[Any]
) -> Select[Any]:
    return query.add_columns(Shop.slug.label("shop")).join(
        Shop, (Shop.brand_id == brand_id) & (Shop.id == shop_id)
    )


def of_referrer(
    table: type[Code | Visit | VisitCount | Redemption | Reward | ReferrerFigure],
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions of a table's rows of one referrer."""
    return table.brand_id == Referrer.brand_id, table.referrer_id == Referrer.id


def deliveries(brand_id: int) -> Select[Any]:
    """Inbound deliveries."""
    return _in_shop(_select(Delivery.id, Delivery), Delivery.shop_id, Delivery.brand_id).where(
        Delivery.brand_id == brand_id
    )


def data_requests(brand_id: int) -> Select[Any]:
    """People's requests for their data."""
    people = (
        select(func.jsonb_agg(DeliveryCustomer.customer_id))
        .where(
            DeliveryCustomer.brand_id == DataRequest.brand_id,
            DeliveryCustomer.delivery_id == DataRequest.delivery_id,
        )
        .scalar_subquery()
    )
    return _in_shop(
        _select(DataRequest.id, DataRequest, people.label("customers")),
        DataRequest.shop_id,
        DataRequest.brand_id,
    ).where(DataRequest.brand_id == brand_id)


def customers(brand_id: int) -> Select[Any]:
    """People of the brand."""
    return _select(Customer.id, Customer).where(Customer.brand_id == brand_id)


def orders(brand_id: int) -> Select[Any]:
    """Orders of every shop of the brand."""
    return _in_shop(_select(Order.id, Order), Order.shop_id, Order.brand_id).where(Order.brand_id == brand_id)


def surveys(brand_id: int) -> Select[Any]:
    """Surveys, the skipped ones too."""
    return _in_shop(_select(Survey.id, Survey), Survey.shop_id, Survey.brand_id).where(
        Survey.brand_id == brand_id
    )


def responses(brand_id: int) -> Select[Any]:
    """Responses to surveys, with what the team made of them."""
    return select_responses(brand_id)


def testimonials(brand_id: int) -> Select[Any]:
    """Responses whose words may be shown to others."""
    return select_responses(brand_id).where(IS_TESTIMONIAL)


def messages(brand_id: int) -> Select[Any]:
    """Messages, those not sent too."""
    return _in_shop(_select(Message.id, Message), Message.shop_id, Message.brand_id).where(
        Message.brand_id == brand_id
    )


def codes(brand_id: int) -> Select[Any]:
    """Codes, the past ones too."""
    query = (
        _select(Code.id, Code, CodePublication.live_at, Reward, Customer)
        .select_from(Code)
        .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
        .join(CodePublication, in_home_shop(), isouter=True)
        .join(Reward, (Reward.brand_id == Code.brand_id) & (Reward.code_id == Code.id), isouter=True)
        .join(Customer, _is_owner(), isouter=True)
        .where(Code.brand_id == brand_id)
    )
    return _in_shop(query, Referrer.shop_id, Referrer.brand_id)


def redemptions(brand_id: int) -> Select[Any]:
    """Friends' orders with a code of ours, the refused ones too."""
    return (
        _select(Redemption.id, Redemption, Code.display.label("code"), *shown_order())
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .where(Redemption.brand_id == brand_id)
    )


def rewards(brand_id: int) -> Select[Any]:
    """Referrers' rewards, the undone ones too."""
    return (
        _select(Reward.id, Reward, Code.display.label("code"))
        .join(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id), isouter=True)
        .where(Reward.brand_id == brand_id)
    )


def ledger(brand_id: int) -> Select[Any]:
    """Entries of the ledger."""
    return _select(LedgerEntry.id, LedgerEntry).where(LedgerEntry.brand_id == brand_id)


def referrers(brand_id: int) -> Select[Any]:
    """Referrers with what friends brought at any time, in the currency of the referrer's shop."""
    figure = (
        of_referrer(ReferrerFigure)[0]
        & of_referrer(ReferrerFigure)[1]
        & (ReferrerFigure.span == ALL_TIME)
        & (ReferrerFigure.currency == Shop.currency)
    )
    query = _select(Referrer.id, Referrer, Customer, ReferrerFigure).select_from(Referrer)
    return with_counts(query.where(Referrer.brand_id == brand_id)).outerjoin(ReferrerFigure, figure)


def _is_owner() -> ColumnElement[bool]:
    """Joins a referrer to the customer they are."""
    return (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id)


def with_counts(query: Select[Any]) -> Select[Any]:
    """Add to a query of `Referrer` what `ReferrerRow.from_row` reads beside it and the figure."""
    codes = select(func.count()).where(*of_referrer(Code)).scalar_subquery()
    kept = select(func.count()).where(*of_referrer(Visit))
    older = select(func.coalesce(func.sum(VisitCount.visits), 0)).where(*of_referrer(VisitCount))
    visits = kept.scalar_subquery() + older.scalar_subquery()
    redemptions = select(func.count()).where(*of_referrer(Redemption))
    counted = redemptions.where(Redemption.status != RedemptionStatus.refused).scalar_subquery()
    approved = redemptions.where(Redemption.status == RedemptionStatus.approved).scalar_subquery()
    counts = (
        query.add_columns(codes.label("codes"), visits.label("visits"))
        .add_columns(counted.label("redemptions"), approved.label("approved"))
        .add_columns(
            Shop.currency.label("shop_currency"), Brand.margin_percent.is_not(None).label("has_margin")
        )
        .join(Brand, Brand.id == Referrer.brand_id)
        .join(Customer, _is_owner(), isouter=True)
    )
    return _in_shop(counts, Referrer.shop_id, Referrer.brand_id)


def audit(brand_id: int) -> Select[Any]:
    """Entries of the audit log with their values, where these are still stored."""
    change = func.jsonb_build_object("before", AuditValue.before, "after", AuditValue.after)
    changes = (
        select(func.jsonb_object_agg(AuditValue.field, change))
        .where(AuditValue.brand_id == AuditEntry.brand_id, AuditValue.entry_id == AuditEntry.id)
        .scalar_subquery()
    )
    return _select(AuditEntry.id, AuditEntry, changes.label("changes")).where(AuditEntry.brand_id == brand_id)


def alarms(brand_id: int) -> Select[Any]:
    """Alarms, the solved ones too."""
    return _select(Alarm.id, Alarm).where(Alarm.brand_id == brand_id)


def keys(brand_id: int) -> Select[Any]:
    """API keys, the revoked and expired ones too."""
    return _select(ApiKey.id, ApiKey).where(ApiKey.brand_id == brand_id)


def staff(brand_id: int) -> Select[Any]:
    """The marketing team, with the slugs of their shops and when they were seen last."""
    shops = select(func.jsonb_agg(aggregate_order_by(Shop.slug, Shop.slug))).where(
        Shop.brand_id == Staff.brand_id, Shop.id == func.any(Staff.shop_ids)
    )
    seen = select(func.max(StaffSession.last_seen_at)).where(
        StaffSession.brand_id == Staff.brand_id, StaffSession.staff_id == Staff.id
    )
    return (
        _select(Staff.id, Staff)
        .add_columns(shops.scalar_subquery().label("shops"), seen.scalar_subquery().label("last_seen_at"))
        .where(Staff.brand_id == brand_id)
    )


def _of_referrers(table: type[Reward]) -> InShops:
    """Rows of the referrers of these shops."""
    return lambda shops: exists().where(*of_referrer(table), in_ids(Referrer.shop_id, sorted(shops)))


def _customers_of(shops: Collection[UUID]) -> ColumnElement[bool]:
    """People with an order or a survey in one of these shops."""
    ordered = exists().where(
        Order.brand_id == Customer.brand_id,
        Order.customer_id == Customer.id,
        in_ids(Order.shop_id, sorted(shops)),
    )
    asked = exists().where(
        Survey.brand_id == Customer.brand_id,
        Survey.customer_id == Customer.id,
        in_ids(Survey.shop_id, sorted(shops)),
    )
    return ordered | asked


def directly(column: InstrumentedAttribute[UUID] | InstrumentedAttribute[UUID | None]) -> InShops:
    """Rows of which this column names the shop."""
    return lambda shops: in_ids(column, sorted(shops))


DELIVERIES = Resource(deliveries, Delivery.id, DeliveryRow.from_row, directly(Delivery.shop_id))
DATA_REQUESTS = Resource(
    data_requests, DataRequest.id, DataRequestRow.from_row, directly(DataRequest.shop_id)
)
CUSTOMERS = Resource(customers, Customer.id, CustomerRow.from_row, _customers_of, "customers")
ORDERS = Resource(orders, Order.id, OrderRow.from_row, directly(Order.shop_id))
SURVEYS = Resource(surveys, Survey.id, SurveyRow.from_row, directly(Survey.shop_id))
RESPONSES = Resource(responses, Response.id, ResponseRow.from_row, of_shops, "responses")
TESTIMONIALS = Resource(testimonials, Response.id, TestimonialRow.from_row, of_shops)
MESSAGES = Resource(messages, Message.id, MessageRow.from_row, directly(Message.shop_id))
CODES = Resource(codes, Code.id, CodeRow.from_row, directly(Referrer.shop_id), "codes")
REDEMPTIONS = Resource(redemptions, Redemption.id, RedemptionRow.from_row, directly(Redemption.shop_id))
REWARDS = Resource(rewards, Reward.id, RewardRow.from_row, _of_referrers(Reward))
LEDGER = Resource(ledger, LedgerEntry.id, LedgerEntryRow.from_row)
REFERRERS = Resource(referrers, Referrer.id, ReferrerRow.from_row, directly(Referrer.shop_id), "referrers")
KEYS = Resource(keys, ApiKey.id, KeyRow.from_row)
STAFF = Resource(staff, Staff.id, StaffRow.from_row)
AUDIT = Resource(audit, AuditEntry.id, AuditRow.from_row)
ALARMS = Resource(alarms, Alarm.id, AlarmRow.from_row, lambda shops: in_ids(Alarm.shop_id, sorted(shops)))
