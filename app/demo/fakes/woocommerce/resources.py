"""Which resource a call of the API is for, and what it does."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.demo.fakes.woocommerce import coupons, orders, webhooks
from app.demo.fakes.woocommerce.errors import RestError, invalid_parameters
from app.demo.fakes.woocommerce.schema import read_query, violations
from app.demo.fakes.woocommerce.state import FakeShop, FakeWebhook, page_of

MOST_IN_A_BATCH = 100
_VERBS = {"GET": "view", "POST": "create", "PUT": "edit", "DELETE": "delete"}
_CREATED = 201


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the API; `path` is what follows `wc/v3/`."""

    shop: FakeShop
    method: str
    path: str
    query: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class Reply:
    """What a call returned, with the webhooks that it made."""

    body: Any = None
    status: int = 200
    total: int | None = None
    error: RestError | None = None
    violations: list[str] = field(default_factory=list)
    created_webhooks: list[FakeWebhook] = field(default_factory=list)


def route(call: Call, *, is_known: bool, is_manager: bool) -> Reply:
    """Do what the call asks for; `is_known` is whether its key is one of the shop's."""
    reply = Reply()
    try:
        if not is_manager:
            action = "batch" if call.path.endswith("/batch") else _VERBS.get(call.method, "view")
            message = "Sorry, you are not allowed to do that."
            raise RestError(f"woocommerce_rest_cannot_{action}", message, 403 if is_known else 401)
        _dispatch(call, reply)
    except RestError as error:
        reply.error = error
    return reply


def _dispatch(call: Call, reply: Reply) -> None:
    for method, pattern, work in _ROUTES:
        found = re.fullmatch(pattern, call.path)
        if method == call.method and found is not None:
            work(call, reply, *map(int, found.groups()))
            return
    raise RestError("rest_no_route", "No route was found matching the URL and request method.", 404)


def _check(call: Call, reply: Reply, name: str, value: Any = None) -> Any:
    """The body, or a part of it, once it fits a definition. Raises `RestError`."""
    given = call.body if value is None else value
    found = violations(name, given)
    if found:
        reply.violations += [f"{call.method} {call.path} {each}" for each in found]
        raise invalid_parameters(found)
    return given


def _query(call: Call, reply: Reply, name: str) -> dict[str, Any]:
    query, found = read_query(name, call.query)
    if found:
        reply.violations += [f"{call.method} {call.path} {each}" for each in found]
        raise invalid_parameters(found)
    return query


def _listed(name: str, work: Callable[..., tuple[list[dict[str, Any]], int]]) -> Callable[..., None]:
    def run(call: Call, reply: Reply, *numbers: int) -> None:
        reply.body, reply.total = work(call.shop, *numbers, _query(call, reply, name))

    return run


def _force(call: Call) -> bool:
    return call.query.get("force") == "true"


def _settings(call: Call, reply: Reply) -> None:
    shop = call.shop
    values = {
        "woocommerce_currency": shop.currency,
        "woocommerce_enable_coupons": "yes" if shop.has_coupons else "no",
        "woocommerce_default_country": shop.country,
    }
    reply.body = [{"id": name, "label": name, "type": "text", "value": each} for name, each in values.items()]


def _status(call: Call, reply: Reply) -> None:
    shop = call.shop
    reply.body = {
        "environment": {"home_url": shop.url, "site_url": shop.url, "version": "10.2.0", "wp_version": "6.9"},
        "settings": {"currency": shop.currency},
    }


def _create_webhook(call: Call, reply: Reply) -> None:
    webhook = webhooks.create_webhook(call.shop, _check(call, reply, "webhook_create_request"))
    reply.created_webhooks.append(webhook)
    reply.body, reply.status = webhooks.show_webhook(call.shop, webhook), _CREATED


def _update_webhook(call: Call, reply: Reply, number: int) -> None:
    body = _check(call, reply, "webhook_update_request")
    reply.body = webhooks.show_webhook(call.shop, webhooks.update_webhook(call.shop, number, body))


def _delete_webhook(call: Call, reply: Reply, number: int) -> None:
    webhook = webhooks.delete_webhook(call.shop, number, force=_force(call))
    reply.body = webhooks.show_webhook(call.shop, webhook)


def _batch_webhooks(call: Call, reply: Reply) -> None:
    shop = call.shop

    def create(body: Any) -> dict[str, Any]:
        webhook = webhooks.create_webhook(shop, _check(call, reply, "webhook_create_request", body))
        reply.created_webhooks.append(webhook)
        return webhooks.show_webhook(shop, webhook)

    def update(body: Any) -> dict[str, Any]:
        changes = {name: value for name, value in body.items() if name != "id"}
        changed = _check(call, reply, "webhook_update_request", changes)
        return webhooks.show_webhook(shop, webhooks.update_webhook(shop, body["id"], changed))

    def delete(number: int) -> dict[str, Any]:
        return webhooks.show_webhook(shop, webhooks.delete_webhook(shop, number, force=True))

    reply.body = _batch(call, {"create": create, "update": update, "delete": delete})


def _get_coupon(call: Call, reply: Reply, number: int) -> None:
    coupon = call.shop.coupons.get(number)
    if coupon is None:
        raise RestError("woocommerce_rest_shop_coupon_invalid_id", "Invalid ID.", 404)
    reply.body = coupons.show_coupon(call.shop, coupon)


def _create_coupon(call: Call, reply: Reply) -> None:
    made = coupons.create_coupon(call.shop, _check(call, reply, "coupon_create_request"))
    reply.body, reply.status = coupons.show_coupon(call.shop, made), _CREATED


def _update_coupon(call: Call, reply: Reply, number: int) -> None:
    body = _check(call, reply, "coupon_update_request")
    reply.body = coupons.show_coupon(call.shop, coupons.update_coupon(call.shop, number, body))


def _delete_coupon(call: Call, reply: Reply, number: int) -> None:
    deleted = coupons.delete_coupon(call.shop, number, force=_force(call))
    reply.body = coupons.show_coupon(call.shop, deleted)


def _batch_coupons(call: Call, reply: Reply) -> None:
    shop = call.shop
    _check_size(call)
    _check(call, reply, "coupon_batch_request")
    reply.body = _batch(
        call,
        {
            "create": lambda body: coupons.show_coupon(shop, coupons.create_coupon(shop, body)),
            "update": lambda body: coupons.show_coupon(shop, coupons.update_coupon(shop, body["id"], body)),
            "delete": lambda id_: coupons.show_coupon(shop, coupons.delete_coupon(shop, id_, force=True)),
        },
    )


def _check_size(call: Call) -> None:
    if sum(len(each) for each in call.body.values()) > MOST_IN_A_BATCH:
        message = f"Unable to accept more than {MOST_IN_A_BATCH} items for this request."
        raise RestError("woocommerce_rest_request_entity_too_large", message, 413)


def _batch(call: Call, works: Mapping[str, Callable[[Any], dict[str, Any]]]) -> Any:
    """Each item by itself: one that fails has its error in the place of its result."""
    _check_size(call)
    body: dict[str, Any] = {}
    for name, work in works.items():
        for item in call.body.get(name, []):
            number = item if isinstance(item, int) else item.get("id", 0)
            try:
                shown = work(item)
            except RestError as error:
                shown = {"id": number, "error": error.shown()}
            body.setdefault(name, []).append(shown)
    # PHP writes an array without anything in it as a list.
    return body or []


def _order(call: Call, reply: Reply, number: int) -> None:
    reply.body = orders.find_order(call.shop, number)


def _customers(call: Call, reply: Reply) -> None:
    page, per_page = int(call.query.get("page", 1)), int(call.query.get("per_page", 10))
    asked = call.query.get("include")
    rows = [each for each in call.shop.customers.values() if asked in {None, str(each["id"])}]
    reply.body, reply.total = page_of(rows, page, per_page)


_ROUTES: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("GET", "system_status", _status),
    ("GET", "settings/general", _settings),
    ("GET", "webhooks", _listed("webhooks", webhooks.list_webhooks)),
    ("POST", "webhooks", _create_webhook),
    ("POST", "webhooks/batch", _batch_webhooks),
    ("PUT", r"webhooks/(\d+)", _update_webhook),
    ("DELETE", r"webhooks/(\d+)", _delete_webhook),
    ("GET", "coupons", _listed("coupons", coupons.list_coupons)),
    ("GET", r"coupons/(\d+)", _get_coupon),
    ("POST", "coupons", _create_coupon),
    ("POST", "coupons/batch", _batch_coupons),
    *((method, r"coupons/(\d+)", _update_coupon) for method in ("POST", "PUT")),
    ("DELETE", r"coupons/(\d+)", _delete_coupon),
    ("GET", "orders", _listed("orders", orders.list_orders)),
    ("GET", r"orders/(\d+)", _order),
    ("GET", r"orders/(\d+)/refunds", _listed("refunds", orders.list_refunds)),
    ("GET", "customers", _customers),
)
"""By method and path; groups in a path are ids."""
