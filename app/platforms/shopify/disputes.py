"""Disputes in Shopify's bodies: chargebacks, and a bank's inquiries before one."""

from datetime import datetime

from app.platforms.events import DisputeStatus, OrderDisputed
from app.platforms.fields import Fields

_STATUSES = {
    "won": DisputeStatus.won,
    "lost": DisputeStatus.lost,
    "accepted": DisputeStatus.lost,
    "charge_refunded": DisputeStatus.lost,
    # Visa's rapid resolution pays the buyer back before there is a chargeback: no fee, no money.
    "prevented": DisputeStatus.lost,
}
"""All others (`needs_response`, `under_review`, a new word) are open: nobody has decided."""


def read_dispute(dispute: Fields, received_at: datetime) -> list[OrderDisputed]:
    """The dispute's present status; none where it is about no order. Raises `Unparseable`.

    Shopify states when a dispute began and when it was decided, and nothing of the time between.
    """
    order_id = dispute.id_or_none("order_id")
    if order_id is None:
        return []
    status = _STATUSES.get((dispute.text("status") or "").lower(), DisputeStatus.open)
    began = dispute.moment("initiated_at")
    if status is DisputeStatus.open:
        at = began or received_at
    else:
        at = max(filter(None, (began, dispute.moment("finalized_on") or received_at)))
    amount = None if dispute.values.get("amount") is None else dispute.decimal("amount")
    return [OrderDisputed(order_id, dispute.id_or_none("id") or order_id, status, at, amount)]
