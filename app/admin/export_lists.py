"""The lists that can be exported, and the columns of each as CSV."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.admin.export_rules import ExportName
from app.admin.resources import Resource
from app.admin.rows import (
    AUDIT,
    CODES,
    CUSTOMERS,
    LEDGER,
    MESSAGES,
    ORDERS,
    REDEMPTIONS,
    REFERRERS,
    RESPONSES,
    REWARDS,
)
from app.base.schemas import RowModel


@dataclass(frozen=True, slots=True)
class Export:
    """A list and its columns: fields of its rows, `discount.kind` for a field of a field."""

    resource: Resource[RowModel]
    columns: Sequence[str]


def _columns(text: str) -> list[str]:
    return ["id", *text.split()]


EXPORTS = {
    ExportName.responses: Export(
        RESPONSES,
        _columns(
            "answered_at score band comment channel testimonial_consent customer order survey changes state"
            " tags shop trial suspicion"
        ),
    ),
    ExportName.referrers: Export(
        REFERRERS,
        _columns(
            "created_at customer email name slug shop survey codes visits redemptions approved revoked_at"
            " friends orders revenue cost profit currency last_order_at"
        ),
    ),
    ExportName.codes: Export(
        CODES,
        _columns(
            "created_at code kind parent referrer status uses max_uses expires_at discount.kind"
            " discount.value discount.currency minimum_subtotal"
        ),
    ),
    ExportName.redemptions: Export(
        REDEMPTIONS,
        _columns(
            "created_at code referrer friend order order_number amount_off currency status reason hold_until"
            " approved_at reversed_at"
        ),
    ),
    ExportName.ledger: Export(
        LEDGER,
        _columns(
            "occurred_at posted_on transaction account amount currency cause.kind cause.id referrer"
            " transaction_key"
        ),
    ),
    ExportName.customers: Export(
        CUSTOMERS, _columns("created_at email phone name locale time_zone country erased_at")
    ),
    ExportName.orders: Export(
        ORDERS,
        _columns(
            "created_at shop external_id number customer status placed_at currency subtotal total"
            " discount_total refunded discount_codes referral fulfilled_at delivered_at cancelled_at test"
            " history trial"
        ),
    ),
    ExportName.rewards: Export(
        REWARDS,
        _columns(
            "created_at redemption referrer kind amount net_amount used_amount currency code status reason"
            " frozen granted_at expires_at used_at"
        ),
    ),
    ExportName.messages: Export(
        MESSAGES,
        _columns(
            "created_at shop customer template subject_id step channel status reason due_at sent_at"
            " delivered_at attempts possible_duplicate trial"
        ),
    ),
    ExportName.audit: Export(
        AUDIT,
        _columns("created_at actor_kind actor action subject_kind subject fields_changed changes"),
    ),
}
