"""The list of exports."""

from typing import Any

from sqlalchemy import Select, select

from app.admin.export_models import ListExport
from app.admin.export_schemas import ExportRow
from app.admin.resources import Resource


def list_exports(brand_id: int) -> Select[Any]:
    """Lists that were taken as files."""
    found: Any = select(ListExport.id.label("id"), ListExport)
    return found.where(ListExport.brand_id == brand_id)  # type: ignore[no-any-return]  # untyped above


LIST_EXPORTS = Resource(list_exports, ListExport.id, ExportRow.from_row)
