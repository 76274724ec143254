"""What the API shows of deliveries."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field, JsonValue
from sqlalchemy import Row

from app.base.ids import public_id
from app.base.masking import without_addresses_or_none
from app.base.schemas import ApiModel, RowModel
from app.ingest.backfill_models import OrderImport, ShopSync
from app.ingest.models import DataRequest, Delivery
from app.ingest.rules import DeliveryStatus


class ImportShape(ApiModel):
    """How far a file of orders is imported."""

    id: str
    shop: str
    format: str
    history: bool = Field(description="Whether its orders are from before the start.")
    records: int = Field(description="Orders of the file that are done; of these the next four.")
    new: int
    known: int
    unpaid: int
    refused: int
    size: int | None = Field(description="Bytes of an uploaded file; null for one that a command reads.")
    position: int | None = Field(description="How many bytes of it are read.")
    problem: str | None = Field(description="Why it is not read any further, in a sentence.")
    started_at: datetime
    finished_at: datetime | None = Field(description="Null while it is not finished.")

    @classmethod
    def of(cls, shop: str, row: OrderImport) -> Self:
        """The schema of an import; `shop` is the shop's slug."""
        counts = ("records", "new", "known", "unpaid", "refused", "size", "position")
        names = ("format", "history", "problem", "started_at", "finished_at")
        shown = {name: getattr(row, name) for name in (*counts, *names)}
        return cls(id=public_id("imp", row.id), shop=shop, **shown)


class TakenImport(ImportShape):
    """An import whose file was just taken."""

    notes: list[str] = Field(description="What to know of the file, in sentences.")


class ImportRefusalShape(ApiModel):
    """A record of a file that was refused."""

    line: int
    reason: str


class SyncShape(ApiModel):
    """Where the reading of a shop's orders from its platform stands."""

    shop: str
    since: datetime = Field(description="Orders that were changed then or later are read.")
    history: bool = Field(description="Whether orders that are new are from before the start.")
    orders: int = Field(description="Read so far; of these the next three.")
    new: int
    known: int
    failed: int = Field(description="Kept as failed deliveries, each with its reason.")
    problem: str | None = Field(description="Why it does not go on now, in a sentence.")
    started_at: datetime
    finished_at: datetime | None = Field(description="Null while it is not finished.")
    due_at: datetime = Field(description="When the workers go on, or begin the next one.")

    @classmethod
    def of(cls, shop: str, row: ShopSync) -> Self:
        """The schema of a synchronisation; `shop` is the shop's slug."""
        names = ("since", "history", "orders", "new", "known", "failed", "problem")
        times = ("started_at", "finished_at", "due_at")
        return cls(shop=shop, **{name: getattr(row, name) for name in (*names, *times)})


class DeliveryRow(RowModel):
    """An inbound delivery, without its body."""

    created_at: datetime
    shop: str
    source: str
    topic: str
    external_id: str
    status: DeliveryStatus | str
    reason: str | None
    received_at: datetime
    processed_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """Build the model of a row of `Delivery` and `shop`, the shop's slug."""
        delivery: Delivery = row.Delivery
        return cls(
            id=public_id("dlv", delivery.id),
            created_at=delivery.created_at,
            shop=row.shop,
            source=delivery.source,
            topic=delivery.topic,
            external_id=delivery.external_id,
            status=delivery.status,
            reason=delivery.reason if pii else without_addresses_or_none(delivery.reason),
            received_at=delivery.received_at,
            processed_at=delivery.processed_at,
        )


class DeliveryDetail(DeliveryRow):
    """A delivery with what it holds, as JSON or as text; null once it is deleted."""

    content: JsonValue
    fetched: JsonValue = Field(description="What was fetched from the platform for it.")


class DataRequestRow(RowModel):
    """Somebody asked a shop for their data; the law gives a month to answer."""

    created_at: datetime
    shop: str
    external_id: str
    customers: list[str]
    requested_at: datetime
    done_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:  # noqa: ARG003  # nothing in it is personal
        """Build the model of a row of `DataRequest`, `shop` and `customers`, their ids as text."""
        request: DataRequest = row.DataRequest
        return cls(
            id=public_id("drq", request.id),
            created_at=request.created_at,
            shop=row.shop,
            external_id=request.external_id,
            customers=[public_id("cus", UUID(each)) for each in row.customers or []],
            requested_at=request.requested_at,
            done_at=request.done_at,
        )


class ErasedPeople(ApiModel):
    """Whom an erasure found: emptied customers, or none for a person whom only raw data named."""

    erased_at: datetime
    customers: list[str]
