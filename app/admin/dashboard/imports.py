"""Settings, Import: a file of orders is uploaded, read by the workers, and its refusals shown."""

import csv
import io
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from app.admin.auth import StaffDep
from app.admin.csrf import FIELD, require_same_site
from app.admin.dashboard.access import AdminWriter, ForAdmin, screen_router
from app.admin.dashboard.form import Form
from app.admin.dashboard.frame import Frame
from app.admin.export_formats import BYTE_ORDER_MARK, cell
from app.admin.rules import Role, includes
from app.admin.views.imports import FORMATS, shown_import
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id, public_id
from app.base.web.problems import refuse_unstorable
from app.brands.models import Shop
from app.ingest.backfill_models import OrderImport
from app.ingest.import_parts import load_refusals
from app.ingest.uploaded_imports import UPLOAD_LIMIT, load_import, load_imports, stop_import, take_file
from app.platforms.order_files import FileFormat

IMPORT = "/admin/settings/import"
UPLOAD_PATH = f"{IMPORT}/file"
REQUEST_LIMIT = UPLOAD_LIMIT + 64 * 1024
"""Bytes of the form that uploads a file: the file and the fields beside it."""
REFRESH_SECONDS = 4
_CHUNK = 1024 * 1024
_MOST_FIELDS = 20
router = screen_router(IMPORT)


async def _spooled(request: Request, staff: StaffDep) -> FormData | None:
    """The form of an administrator, its file on the disk; None, with nothing read, of anybody else.

    It comes before the request's own transaction, which so waits for no slow upload.
    """
    await require_same_site(request)
    if staff is None or not includes(staff.role, Role.admin):
        return None
    return await request.form(max_files=1, max_fields=_MOST_FIELDS)


async def _upload(
    form: Annotated[FormData | None, Depends(_spooled, scope="function")], frame: ForAdmin
) -> tuple[Frame, Form]:
    """As `AdminWriter`, of a form with a large file."""
    token = form.get(FIELD) if form else None
    of_session = frame.staff.session_id
    if (
        form is None
        or not isinstance(token, str)
        or not frame.context.tokens.is_form_token(token, of_session)
    ):
        raise AppError(
            "stale_form",
            "This form is of an earlier session; go back, load the page anew and try again.",
            status=403,
        )
    refuse_unstorable(*(value for value in form.values() if isinstance(value, str)))
    return frame, Form(form)


_upload.wants = Role.admin  # type: ignore[attr-defined]  # read by the test that every screen names its role
_upload.writes = True  # type: ignore[attr-defined]  # as above
Uploading = Annotated[tuple[Frame, Form], Depends(_upload, scope="function")]


@router.get("")
async def show_imports(frame: ForAdmin) -> Response:
    """The form, and the last imports."""
    return await _page(frame, {}, {})


async def _page(frame: Frame, entered: dict[str, str], errors: dict[str, str], status: int = 200) -> Response:
    rows = [row for row in await load_imports(frame.session, frame.brand.id) if _shop_of(frame, row)]
    shown = [shown_import(row, _shop_of(frame, row)) for row in rows]
    values = {
        "shops_to_choose": [(each.slug, each.name) for each in frame.shops],
        "formats": [(name, _(text)) for name, text in FORMATS.items()],
        "entered": {"shop": "", "format": "", "history": "on"} | entered,
        "imports": shown,
        "megabytes": UPLOAD_LIMIT // 1024 // 1024,
        "errors": errors,
    }
    return frame.page("admin/imports.html", "import", values, status=status)


def _shop_of(frame: Frame, row: OrderImport) -> Shop | None:
    return next((each for each in frame.shops if each.id == row.shop_id), None)


@router.post("/file")
async def upload(writer: Uploading) -> Response:
    """Take a file, and show how far it is read."""
    frame, form = writer
    entered = {name: form.text(name, limit=100) for name in ("shop", "format", "history")}
    shop = next((each for each in frame.shops if each.slug == entered["shop"]), None)
    file = form.file("file")
    errors = {}
    if shop is None:
        errors["shop"] = _("Choose the shop that they are of.")
    if file is None:
        errors["file"] = _("Choose a file.")
    if entered["format"] not in FORMATS:
        errors["format"] = _("Choose who wrote the file.")
    if shop is None or file is None or errors:
        return await _page(frame, entered, errors, 422)
    try:
        with tempfile.TemporaryDirectory(prefix="tenfold-upload-") as folder:
            path = Path(folder) / "orders"
            await _save(file, path)
            async with frame.session.begin_nested():
                row, _file = await take_file(
                    frame.session,
                    shop,
                    path,
                    wanted=FileFormat(entered["format"]) if entered["format"] else None,
                    history=entered["history"] == "on",
                    actor=frame.staff.actor,
                    now=clock.now(),
                )
    except AppError as error:
        return await _page(frame, entered, {"file": error.detail}, error.status)
    return frame.redirect(f"{IMPORT}/{public_id('imp', row.id)}")


async def _save(file: UploadFile, path: Path) -> None:
    with path.open("wb") as kept:
        while content := await file.read(_CHUNK):
            kept.write(content)


@router.get("/{id}")
async def show_import(id: str, frame: ForAdmin) -> Response:  # noqa: A002  # the path's own word
    """How far a file is read, and what came of it; the page loads itself anew until it is done."""
    row, shop = await _own(frame, id)
    it = shown_import(row, shop)
    headers = {"Refresh": f"{REFRESH_SECONDS}; url={IMPORT}/{it.id}"} if it.is_working else {}
    refusals = (await load_refusals(frame.session, frame.brand.id, row.id))[:20]
    return frame.page("admin/import.html", "import", {"it": it, "refusals": refusals}, headers=headers)


async def _own(frame: Frame, shown_id: str) -> tuple[OrderImport, Shop]:
    row = await load_import(frame.session, frame.brand.id, parse_public_id("imp", shown_id))
    shop = _shop_of(frame, row)
    if shop is None:
        raise AppError("not_found", "Nothing is here under that address.", status=404)
    return row, shop


@router.get("/{id}/refused.csv")
async def refused(id: str, frame: ForAdmin) -> Response:  # noqa: A002  # the path's own word
    """What was refused of a file, by line, as a table."""
    row, _shop = await _own(frame, id)
    written = io.StringIO()
    lines = csv.writer(written)
    lines.writerow(("line", "reason"))
    for line, reason in await load_refusals(frame.session, frame.brand.id, row.id):
        lines.writerow((line, cell(reason)))
    headers = {"Content-Disposition": f'attachment; filename="refused-{id}.csv"', "Cache-Control": "no-store"}
    return Response(BYTE_ORDER_MARK + written.getvalue(), media_type="text/csv", headers=headers)


@router.post("/{id}/stop")
async def stop(id: str, writer: AdminWriter) -> Response:  # noqa: A002  # the path's own word
    """Read a file no further; what came in stays."""
    frame, _form = writer
    row, _shop = await _own(frame, id)
    await stop_import(frame.session, frame.brand.id, row.id)
    return frame.redirect(IMPORT, _("Stopped. The orders that came in stay."))


def _(text: str) -> str:
    return translate(SOURCE, text)
