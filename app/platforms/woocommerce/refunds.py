"""What an order's body leaves out about its refunds, fetched from the shop.

It names them with their totals alone: neither the part for shipping nor when they were made.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.base import money
from app.platforms.events import OrderPaid, OrderRefunded, PlatformEvent
from app.platforms.fields import Fields
from app.platforms.woocommerce.amounts import taxed
from app.platforms.woocommerce.client import WooCommerceClient

_RESOURCE = re.compile(r"orders/[0-9]{1,20}/refunds")


def refunds_resource(events: Sequence[PlatformEvent]) -> str | None:
    """What to fetch for an order's events; None where it would change nothing.

    Of an order without shipping, or refunded wholly, no part has to be told from the goods.
    """
    paid = next((each for each in events if isinstance(each, OrderPaid)), None)
    refunded = sum((each.amount for each in events if isinstance(each, OrderRefunded)), Decimal(0))
    if paid is None or not refunded or not paid.shipping_total or paid.refunded_wholly:
        return None
    if refunded >= money.to_decimal(paid.total, paid.currency):
        return None
    resource = f"orders/{paid.order_id}/refunds"
    return resource if _RESOURCE.fullmatch(resource) else None


async def list_refunds(client: WooCommerceClient, resource: str) -> list[dict[str, Any]]:
    """The refunds of an order, as far as they are read: no names, no reasons.

    Raises `OutsideError`.
    """
    rows = await client.get_list(resource)
    return [
        {
            "id": row.get("id"),
            "date_created_gmt": row.get("date_created_gmt"),
            "shipping_lines": [
                {name: line.get(name) for name in ("total", "total_tax")}
                for line in row.get("shipping_lines") or []
                if isinstance(line, dict)
            ],
        }
        for row in rows
    ]


def with_refunds(events: Sequence[PlatformEvent], fetched: Fields) -> list[PlatformEvent]:
    """The events, with what was fetched about each refund, if anything was."""
    rows = fetched.informational.objects("refunds")
    by_id = {number: row for row in rows if (number := row.id_or_none("id")) is not None}
    return [
        _completed(each, by_id[each.refund_id])
        if isinstance(each, OrderRefunded) and each.refund_id in by_id
        else each
        for each in events
    ]


def _completed(refund: OrderRefunded, row: Fields) -> OrderRefunded:
    parts = (taxed(line, "total", "total_tax") for line in row.objects("shipping_lines"))
    shipping = abs(sum((part for part in parts if part is not None), Decimal(0)))
    made_at: datetime | None = row.moment("date_created_gmt", zone=UTC)
    return replace(refund, shipping=min(shipping, refund.amount), at=made_at or refund.at)
