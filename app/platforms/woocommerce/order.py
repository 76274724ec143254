"""Orders in WooCommerce's bodies.

The body shows the order as it is when it is sent, whatever its topic. The share slug that a friend
came with is read from the shop's own meta field, from one called `tenfold_ref`, `_tenfold_ref` or
`ref`, or from the address where WooCommerce's order attribution saw the visit begin (`/?ref=SLUG`,
to which our landing page leads).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from app.platforms.delivery_types import RawDelivery
from app.platforms.events import (
    DisputeStatus,
    OrderCancelled,
    OrderDelivered,
    OrderDisputed,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    PlatformEvent,
    address_parts,
)
from app.platforms.fields import LIST_LIMIT, Fields
from app.platforms.links import first_slug, query_of
from app.platforms.woocommerce.amounts import codes_and_discounts, goods, in_minor, items, priced_lines, taxed
from app.platforms.woocommerce.meta import Meta
from app.platforms.woocommerce.people import is_anonymized, read_buyer
from app.platforms.woocommerce.settings import WooCommerceSettings

_UNFINISHED = frozenset(
    {
        *("checkout-draft", "auto-draft", "draft", "pending", "trash"),
        # Plugins' own, until what was ordered early is released, or the rest is paid.
        *("pre-ordered", "partial-payment", "partially-paid", "pending-deposit", "scheduled-payment"),
    }
)
"""Statuses in which an order changes nothing here, even one that was paid before."""
_PAID = frozenset({"processing", "completed", "refunded"})
"""Statuses of an order that was paid; one paid on delivery is `processing` without a payment."""
_COMPLETED, _REFUNDED, _ON_HOLD, _FAILED = "completed", "refunded", "on-hold", "failed"
_CALLED_OFF = frozenset({"cancelled", _FAILED})
"""A known order is `failed` where the bank took the payment back, or where a parcel to be paid on
delivery was not accepted; of one that is not known it says nothing."""
_INSTALMENT = "wc_deposits"
"""What the orders are created by that collect the rest of an order."""
_SKEW = timedelta(days=366)
"""How far the shop's clock may be ahead of ours: beyond that it was never set."""
_PAYMENT_TAKES = timedelta(hours=1)
"""A gateway that holds a payment back until somebody has looked at it does so at once."""
_RENEWAL = "_subscription_renewal"
_MODES = frozenset({"_wcpay_mode", "_wc_stripe_mode", "_ppcp_paypal_payment_mode", "_mollie_payment_mode"})
"""Where WooPayments, Stripe's second plugin, PayPal and Mollie note whether money was paid."""
_ENVIRONMENT = ("_wc_", "_environment")
"""How the keys begin and end under which Klarna, Braintree, Authorize.Net and others do."""
_TEST_MODES = ("test", "sandbox", "us-test")
_REFERRAL_KEYS = ("tenfold_ref", "_tenfold_ref", "ref", "_wc_order_attribution_session_entry")


def read_order(delivery: RawDelivery, body: Fields, settings: WooCommerceSettings) -> list[PlatformEvent]:
    """Everything that the present state of an order shows, nothing while it is not finished.

    A status of a plugin's own is that of a paid order once the order has the time of its payment. A
    part of another order is nothing of its own: marketplaces copy an order for each of its sellers,
    buyer and codes included.

    Raises `Unparseable` for an order without an id, a status, a currency or a total; what else
    cannot be read is left out.
    """
    order_id, known = body.id("id"), body.informational
    status = _status(body)
    if status in _UNFINISHED or _is_part(known):
        return []
    changed_at = _moment(known, "date_modified_gmt")
    if changed_at is None or changed_at > delivery.received_at + _SKEW:
        # Nothing that follows once the shop's clock is right would be newer.
        changed_at = delivery.received_at
    paid_at = _moment(known, "date_paid_gmt")
    if status == _ON_HOLD:
        # It waits for its payment, but for one that gateways put on hold while it is disputed.
        if paid_at is None or changed_at - paid_at < _PAYMENT_TAKES:
            return []
        return [OrderDisputed(order_id, "", DisputeStatus.open, changed_at, revocable=True)]
    events: list[PlatformEvent] = []
    is_delivered = status == settings.delivered_status
    if status in _PAID or is_delivered or (paid_at is not None and status != _FAILED):
        events.append(_paid(delivery, body, status, changed_at, paid_at, settings))
    completed_at = _moment(known, "date_completed_gmt")
    if completed_at is not None or is_delivered or status == _COMPLETED:
        events.append(OrderFulfilled(order_id, completed_at or changed_at))
    if is_delivered:
        at = completed_at if status == _COMPLETED else None
        events.append(OrderDelivered(order_id, at or changed_at))
    events += _refunds(known, order_id, changed_at)
    if status in _CALLED_OFF:
        # What nobody paid in time, or by a card that was declined, a later payment takes up again.
        events.append(OrderCancelled(order_id, changed_at, revocable=True, tentative=status == _FAILED))
    return events


def _is_part(order: Fields) -> bool:
    given = order.values
    return (
        bool(given.get("parent_id") and order.quantity("parent_id"))
        or given.get("created_via") == _INSTALMENT
    )


def _status(order: Fields) -> str:
    """The order's status, without the prefix that it has in WordPress's tables."""
    status = order.text("status", limit=64)
    if status is None:
        raise order.wrong("status", "is missing")
    return status.removeprefix("wc-")


def _moment(body: Fields, name: str) -> datetime | None:
    """A time of a field `…_gmt`, which WooCommerce writes in UTC and without a zone."""
    return body.moment(name, zone=UTC)


def _paid(
    delivery: RawDelivery,
    body: Fields,
    status: str,
    changed_at: datetime,
    paid_at: datetime | None,
    settings: WooCommerceSettings,
) -> OrderPaid:
    order_id, currency = body.id("id"), body.currency("currency")
    total = body.amount("total", currency)
    known = body.informational
    meta, lines = Meta.of(known), priced_lines(known)
    codes, discounts = codes_and_discounts(known, currency)
    shipping = known.object_or_empty("shipping")
    placed_at = _moment(known, "date_created_gmt")
    shipping_total = in_minor(taxed(known, "shipping_total", "shipping_tax"), currency)
    discount_total = in_minor(taxed(known, "discount_total", "discount_tax"), currency)
    subtotal = goods(lines, currency)
    if subtotal is None:
        subtotal = max(0, total - (shipping_total or 0) + (discount_total or 0))
    return OrderPaid(
        order_id=order_id,
        number=known.text("number", limit=64) or order_id,
        placed_at=placed_at or delivery.received_at,
        placed_at_stated=placed_at is not None,
        version_at=changed_at,
        paid_at=paid_at,
        currency=currency,
        subtotal=subtotal,
        total=total,
        discount_total=discount_total,
        shipping_total=shipping_total,
        refunded_wholly=status == _REFUNDED,
        person=read_buyer(known, meta, settings),
        discount_codes=codes,
        discounts=discounts,
        # A renewal inherits what is noted of the first order; no link brought it.
        referral=None if meta.values.get(_RENEWAL) else _referral(meta, settings),
        source=known.text("created_via", limit=64),
        test=_is_test(meta),
        refund_ids=_refund_ids(known),
        items=items(lines, currency),
        shipping_address=() if is_anonymized(meta) else _address(shipping),
        shipping_country=shipping.country("country"),
        stood_at=_stood_at(status, changed_at, paid_at, settings),
    )


def _is_test(meta: Meta) -> bool:
    """Whether the order was paid in a gateway's test mode."""
    begins, ends = _ENVIRONMENT
    return any(
        value in _TEST_MODES and (key in _MODES or (key.startswith(begins) and key.endswith(ends)))
        for key, value in meta.values.items()
    )


def _stood_at(
    status: str, changed_at: datetime, paid_at: datetime | None, settings: WooCommerceSettings
) -> datetime | None:
    """When the order was not called off: now, or in a status of a plugin's own when it was paid."""
    if status in _PAID or status == settings.delivered_status:
        return changed_at
    return None if status in _CALLED_OFF else paid_at


def _address(address: Fields) -> tuple[str, ...]:
    return address_parts(
        [address.text(name) for name in ("address_1", "address_2", "postcode", "city", "country")]
    )


def _referral(meta: Meta, settings: WooCommerceSettings) -> str | None:
    return first_slug(_referral_texts(meta, settings))


def _referral_texts(meta: Meta, settings: WooCommerceSettings) -> Iterator[str | None]:
    """Every text that may be the slug; of an address its `ref`."""
    for key in (settings.referral_meta_key, *_REFERRAL_KEYS):
        text = meta.text(key, limit=2000)
        if text is None or "?" not in text:
            yield text
        elif "ref=" in text:
            yield from query_of(text).get("ref", [])


def _refund_ids(order: Fields) -> tuple[str, ...] | None:
    """Those of all refunds; None where the order does not list them, or not whole."""
    listed = order.values.get("refunds")
    if listed == []:
        return ()
    if not isinstance(listed, list) or len(listed) >= LIST_LIMIT:
        return None
    ids = [each.id_or_none("id") for each in order.objects("refunds")]
    return None if None in ids or len(ids) < len(listed) else tuple(filter(None, ids))


def _refunds(order: Fields, order_id: str, changed_at: datetime) -> list[OrderRefunded]:
    """The refunds that an order lists, each by its id.

    It shows neither when they were made, which is at the latest when the order was changed, nor
    which part was for shipping.
    """
    found = []
    for refund in order.objects("refunds"):
        refund_id, amount = refund.id_or_none("id"), refund.signed_decimal("total")
        if refund_id is not None and amount:
            found.append(OrderRefunded(order_id, refund_id, abs(amount), changed_at))
    return found
