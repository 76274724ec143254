"""What the API shows of exports."""

from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import Field
from sqlalchemy import Row

from app.admin.export_models import ListExport
from app.admin.export_rules import ExportFormat, ExportName, ExportState
from app.base import clock
from app.base.actor import Actor, ActorKind
from app.base.ids import public_id
from app.base.schemas import RowModel

_STALE = timedelta(minutes=5)
"""An export of which no part was read for this long has broken off."""


class ExportRow(RowModel):
    """A list that somebody takes, or took, as a file."""

    created_at: datetime
    name: ExportName | str
    format: ExportFormat | str
    filters: dict[str, str] = Field(description="`…` for one that may name a person.")
    people: bool = Field(description="Whether personal fields are in it.")
    actor: str = Field(description="`key_…`, `stf_…`, or `cli`.")
    state: ExportState
    rows: int = Field(description="So far.")
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:  # noqa: ARG003  # nothing in it is personal
        """From a row of `ListExport`."""
        export: ListExport = row.ListExport
        return cls(
            id=public_id("exp", export.id),
            created_at=export.created_at,
            name=export.name,
            format=export.format,
            filters=export.filters,
            people=export.people,
            actor=Actor(ActorKind(export.actor_kind), export.brand_id, export.actor_id).name,
            state=_state(export),
            rows=export.rows,
            finished_at=export.finished_at,
        )


def _state(export: ListExport) -> ExportState:
    if export.finished_at is not None:
        return ExportState.whole
    is_over = export.failed_at is not None or clock.now() - export.advanced_at > _STALE
    return ExportState.broken_off if is_over else ExportState.running
