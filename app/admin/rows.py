"""What a row of each list is made of: one query and one shape a resource. Amounts are decimal strings, times UTC."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.fields import moment
from app.admin.listing import Resource
from app.admin.rules import mask_email, mask_name, mask_phone
from app.base import clock, money
from app.base.ids import public_id, public_id_or_none
from app.brands.models import Shop
from app.customers.models import Customer
from app.ingest.models import Delivery
from app.insight.sentences import without_addresses
from app.messaging.models import Message
from app.messaging.templates import find_template
from app.orders.models import Order
from app.referrals.models import Code, LedgerEntry, Redemption, Reward
from app.referrals.rules import CodeStatus
from app.referrals.share import status_of
from app.surveys.models import Response, Survey
from app.surveys.rules import band_of


def _select(key: InstrumentedAttribute[Any], *columns: Any) -> Select[Any]:
    return select(key.label("id"), *columns)


def _in_shop(
    query: Select[Any], shop_id: InstrumentedAttribute[Any], brand_id: InstrumentedAttribute[Any]
) -> Select[Any]:
    return query.add_columns(Shop.slug.label("shop")).join(
        Shop, (Shop.brand_id == brand_id) & (Shop.id == shop_id)
    )


def events(brand_id: int) -> Select[Any]:
    """Inbound deliveries."""
    return _in_shop(_select(Delivery.id, Delivery), Delivery.shop_id, Delivery.brand_id).where(
        Delivery.brand_id == brand_id
    )


def event(row: Any, _pii: bool) -> dict[str, Any]:
    """An inbound delivery, without its body."""
    it: Delivery = row.Delivery
    return {
        "id": public_id("dlv", it.id),
        "created_at": moment(it.created_at),
        "shop": row.shop,
        "source": it.source,
        "topic": it.topic,
        "external_id": it.external_id,
        "status": it.status,
        "reason": it.reason,
        "received_at": moment(it.received_at),
        "processed_at": moment(it.processed_at),
    }


def customers(brand_id: int) -> Select[Any]:
    """People of the brand."""
    return _select(Customer.id, Customer).where(Customer.brand_id == brand_id)


def customer(row: Any, pii: bool) -> dict[str, Any]:
    """One person; e-mail, phone and name are masked without `pii`."""
    it: Customer = row.Customer
    name = " ".join(part for part in (it.first_name, it.last_name) if part) or None
    return {
        "id": public_id("cus", it.id),
        "created_at": moment(it.created_at),
        "email": it.email if pii else mask_email(it.email),
        "phone": it.phone if pii else mask_phone(it.phone),
        "name": name if pii else mask_name(name),
        "locale": it.locale,
        "time_zone": it.time_zone,
        "country": it.country,
        "erased_at": moment(it.erased_at),
    }


def orders(brand_id: int) -> Select[Any]:
    """Orders of every shop of the brand."""
    return _in_shop(_select(Order.id, Order), Order.shop_id, Order.brand_id).where(Order.brand_id == brand_id)


def order(row: Any, _pii: bool) -> dict[str, Any]:
    """An order as its facts left it."""
    it: Order = row.Order
    return {
        "id": public_id("ord", it.id),
        "created_at": moment(it.created_at),
        "shop": row.shop,
        "external_id": it.external_id,
        "number": it.number,
        "customer": public_id_or_none("cus", it.customer_id),
        "subtotal": money.to_text(it.subtotal, it.currency),
        "total": money.to_text(it.total, it.currency),
        "discount_total": money.to_text(it.discount_total, it.currency),
        "refunded": money.to_text(it.refunded, it.currency),
        "currency": it.currency,
        "discount_codes": it.discount_codes,
        "referral": it.referral,
        "placed_at": moment(it.placed_at),
        "fulfilled_at": moment(it.fulfilled_at),
        "delivered_at": moment(it.delivered_at),
        "cancelled_at": moment(it.cancelled_at),
        "status": it.status,
        "test": it.test,
        "history": it.history,
    }


def surveys(brand_id: int) -> Select[Any]:
    """Surveys, the skipped ones too."""
    return _in_shop(_select(Survey.id, Survey), Survey.shop_id, Survey.brand_id).where(
        Survey.brand_id == brand_id
    )


def survey(row: Any, _pii: bool) -> dict[str, Any]:
    """A survey and why it was skipped or put off."""
    it: Survey = row.Survey
    return {
        "id": public_id("sur", it.id),
        "created_at": moment(it.created_at),
        "shop": row.shop,
        "order": public_id("ord", it.order_id),
        "customer": public_id_or_none("cus", it.customer_id),
        "status": it.status,
        "reason": it.reason,
        "deferred_reason": it.deferred_reason,
        "due_at": moment(it.due_at),
        "channel": it.channel,
        "sent_at": moment(it.sent_at),
        "expires_at": moment(it.expires_at),
        "reminders_sent": it.reminders_sent,
    }


def responses(brand_id: int) -> Select[Any]:
    """Answers."""
    return _select(Response.id, Response).where(Response.brand_id == brand_id)


def response(row: Any, pii: bool) -> dict[str, Any]:
    """An answer as it stands; its comment is without addresses where `pii` is false."""
    it: Response = row.Response
    return {
        "id": public_id("rsp", it.id),
        "created_at": moment(it.created_at),
        "survey": public_id("sur", it.survey_id),
        "order": public_id("ord", it.order_id),
        "customer": public_id("cus", it.customer_id),
        "score": it.score,
        "band": band_of(it.score),
        "comment": it.comment if pii or it.comment is None else without_addresses(it.comment),
        "channel": it.channel,
        "testimonial_consent": it.testimonial_consent,
        "answered_at": moment(it.answered_at),
        "changes": it.changes,
    }


def messages(brand_id: int) -> Select[Any]:
    """Messages, those not sent too."""
    return _in_shop(_select(Message.id, Message), Message.shop_id, Message.brand_id).where(
        Message.brand_id == brand_id
    )


def message(row: Any, _pii: bool) -> dict[str, Any]:
    """A message without its content; `attempts` is how many there were."""
    it: Message = row.Message
    template = find_template(it.template)
    return {
        "id": public_id("msg", it.id),
        "created_at": moment(it.created_at),
        "shop": row.shop,
        "customer": public_id("cus", it.customer_id),
        "template": it.template,
        "subject_id": None if template is None else public_id(template.subject_prefix, it.subject_id),
        "step": it.step,
        "channel": it.channel,
        "status": it.status,
        "reason": it.reason,
        "due_at": moment(it.due_at),
        "sent_at": moment(it.sent_at),
        "delivered_at": moment(it.delivered_at),
        "attempts": it.attempts,
        "possible_duplicate": it.possible_duplicate,
    }


def codes(brand_id: int) -> Select[Any]:
    """Codes, the past ones too."""
    return _select(Code.id, Code).where(Code.brand_id == brand_id)


def code_status(it: Code, now: datetime) -> CodeStatus:
    """What a code is good for at a moment."""
    status = status_of(it, now=now)
    return CodeStatus.disabled if status is CodeStatus.active and not it.active else status


def code(row: Any, _pii: bool) -> dict[str, Any]:
    """A code and what it is good for at this moment."""
    it: Code = row.Code
    return {
        "id": public_id("cod", it.id),
        "created_at": moment(it.created_at),
        "code": it.display,
        "referrer": public_id("cus", it.customer_id),
        "uses": it.uses,
        "max_uses": it.max_uses,
        "expires_at": moment(it.expires_at),
        "status": code_status(it, clock.now()),
        "discount": {"kind": it.discount_kind, "value": f"{it.discount_value:f}", "currency": it.currency},
        "minimum_subtotal": None if it.minimum_subtotal is None else f"{it.minimum_subtotal:f}",
        "live_at": moment(it.live_at),
        "disabled_at": moment(it.disabled_at),
    }


def redemptions(brand_id: int) -> Select[Any]:
    """Friends' orders with a code of ours, the refused ones too."""
    return (
        _select(Redemption.id, Redemption, Code.display.label("code"), Order.number.label("order_number"))
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .where(Redemption.brand_id == brand_id)
    )


def redemption(row: Any, _pii: bool) -> dict[str, Any]:
    """A friend's order and whether it counts."""
    it: Redemption = row.Redemption
    return {
        "id": public_id("red", it.id),
        "created_at": moment(it.created_at),
        "code": row.code,
        "referrer": public_id("cus", it.referrer_id),
        "friend": public_id_or_none("cus", it.friend_id),
        "order": public_id("ord", it.order_id),
        "order_number": row.order_number,
        "amount_off": money.to_text(it.amount_off, it.currency),
        "currency": it.currency,
        "status": it.status,
        "reason": it.reason,
        "hold_until": moment(it.hold_until),
        "approved_at": moment(it.approved_at),
        "reversed_at": moment(it.reversed_at),
    }


def rewards(brand_id: int) -> Select[Any]:
    """What referrers were given."""
    return _select(Reward.id, Reward).where(Reward.brand_id == brand_id)


def reward(row: Any, _pii: bool) -> dict[str, Any]:
    """A reward as granted, and what clawbacks left of it."""
    it: Reward = row.Reward
    return {
        "id": public_id("rwd", it.id),
        "created_at": moment(it.created_at),
        "redemption": public_id("red", it.redemption_id),
        "referrer": public_id("cus", it.referrer_id),
        "kind": it.kind,
        "amount": money.to_text(it.amount, it.currency),
        "net_amount": money.to_text(it.net_amount, it.currency),
        "currency": it.currency,
        "code": it.code,
        "status": it.status,
        "granted_at": moment(it.granted_at),
    }


def ledger(brand_id: int) -> Select[Any]:
    """Lines of the ledger."""
    return _select(LedgerEntry.id, LedgerEntry).where(LedgerEntry.brand_id == brand_id)


def ledger_entry(row: Any, _pii: bool) -> dict[str, Any]:
    """One line; those of a transaction add up to zero."""
    it: LedgerEntry = row.LedgerEntry
    return {
        "id": public_id("led", it.id),
        "created_at": moment(it.created_at),
        "transaction": public_id("txn", it.transaction_id),
        "transaction_key": it.transaction_key,
        "account": it.account,
        "amount": money.to_text(it.amount, it.currency),
        "currency": it.currency,
        "redemption": public_id("red", it.redemption_id),
        "referrer": public_id("cus", it.referrer_id),
        "at": moment(it.at),
    }


EVENTS = Resource(events, Delivery.id, event)
CUSTOMERS = Resource(customers, Customer.id, customer)
ORDERS = Resource(orders, Order.id, order)
SURVEYS = Resource(surveys, Survey.id, survey)
RESPONSES = Resource(responses, Response.id, response)
MESSAGES = Resource(messages, Message.id, message)
CODES = Resource(codes, Code.id, code)
REDEMPTIONS = Resource(redemptions, Redemption.id, redemption)
REWARDS = Resource(rewards, Reward.id, reward)
LEDGER = Resource(ledger, LedgerEntry.id, ledger_entry)
