"""What the API shows of customers."""

from datetime import datetime
from typing import Any, Self

from sqlalchemy import Row

from app.base.ids import public_id
from app.base.masking import mask_email, mask_name, mask_phone
from app.base.schemas import ApiModel, RowModel
from app.brands.programme import Channel
from app.customers.models import Customer
from app.customers.rules import SuppressionReason


class CustomerRow(RowModel):
    """One person of the brand; e-mail, phone and name are masked without the scope `pii`."""

    created_at: datetime
    email: str | None
    phone: str | None
    name: str | None
    locale: str | None
    time_zone: str | None
    country: str | None
    erased_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """Build the model of a row of `Customer`."""
        customer: Customer = row.Customer
        name = full_name(customer)
        return cls(
            id=public_id("cus", customer.id),
            created_at=customer.created_at,
            email=customer.email if pii else mask_email(customer.email),
            phone=customer.phone if pii else mask_phone(customer.phone),
            name=name if pii else mask_name(name),
            locale=customer.locale,
            time_zone=customer.time_zone,
            country=customer.country,
            erased_at=customer.erased_at,
        )


def full_name(customer: Customer) -> str | None:
    """First and last name, as far as they are known."""
    return " ".join(part for part in (customer.first_name, customer.last_name) if part) or None


class ReferenceExport(ApiModel):
    """A shop's own id of a person."""

    shop: str
    external_id: str


class ConsentExport(ApiModel):
    """What a person stated about a channel; the latest counts."""

    channel: Channel | str
    given: bool
    opt_in_level: str | None
    source: str | None
    at: datetime


class SuppressionExport(ApiModel):
    """Why a person gets nothing by a channel; until `lifted_at`, where they took it back."""

    channel: Channel | str
    reason: SuppressionReason | str
    at: datetime
    lifted_at: datetime | None


class CustomerExport(ApiModel):
    """One customer's own data, whole: for the person to have."""

    id: str
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    locale: str | None
    time_zone: str | None
    country: str | None
    created_at: datetime
    erased_at: datetime | None
    references: list[ReferenceExport]
    consents: list[ConsentExport]
    suppressions: list[SuppressionExport]
