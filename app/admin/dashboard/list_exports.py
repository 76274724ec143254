"""Links on a list's screen that take it as files, with its filters."""

from collections.abc import Iterable, Mapping

from app.admin.dashboard.frame import SHOP, Frame
from app.admin.export_rules import ExportName
from app.admin.views.exports import export_links


def links_of(
    frame: Frame,
    name: ExportName,
    filters: Iterable[str],
    changed: Mapping[str, str | None] | None = None,
    *,
    by_shop: bool = True,
) -> list[tuple[str, str]]:
    """The formats with their addresses; none for who may not take the list.

    The filters of the page's address are kept by their names, but for those that are `changed`.
    """
    query = frame.request.query_params
    kept = {each: query.get(each) for each in filters} | dict(changed or {})
    if by_shop and frame.shop is not None:
        kept[SHOP] = frame.shop.slug
    return export_links(name, frame.staff.role, kept, all_shops=frame.staff.shops is None)
