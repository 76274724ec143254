"""The outbox as pages: the messages that the `outbox` provider kept instead of sending them.

While it is empty it shows why: the latest surveys that are not sent, and what is planned.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import HTMLResponse, Response

from app.admin.auth import StaffDep
from app.admin.dashboard.access import RoleRequired, SignInRequired, screen_router
from app.admin.dashboard.frame import Frame, load_frame
from app.admin.icons import icon
from app.admin.reads import record_reading
from app.admin.rules import Role, includes
from app.admin.staff import SignedIn, load_administrators
from app.admin.texts import moment_text
from app.base.config import EmailProvider, Environment, SmsProvider
from app.base.errors import NotFound
from app.base.i18n import SOURCE
from app.base.ids import parse_public_id, public_id
from app.base.web.context import ContextDep, SessionDep
from app.base.web.local import is_local
from app.base.web.pages import page
from app.base.web.policy import CSP
from app.insight.unsent import SkippedSurvey, Unsent, unsent
from app.messaging.models import Attempt, Message, OutboxItem
from app.messaging.templates import customer_templates, staff_copy

AT_ONCE = 100
_ID = "att"
_PAGE = {"Content-Security-Policy": CSP + "; frame-src 'self'"}
# A mail's styles are inline; it is shown in a sandbox and may load nothing and run nothing.
_MAIL = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: %s; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    ),
    "Cache-Control": "no-store",
}


router = screen_router("/outbox")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the outbox: of one brand, or of all for a developer on this machine."""

    brand_id: int | None
    frame: Frame | None
    """None for a developer who is not signed in."""
    staff: SignedIn | None

    def page(
        self, template: str, values: dict[str, object], headers: dict[str, str] | None = None
    ) -> Response:
        """The page in the frame of who is signed in, else alone."""
        if self.frame is None:
            return page(template, {"framed": False, "icon": icon, **values}, headers=headers)
        return self.frame.page(template, "outbox", {"framed": True, **values}, headers=headers or {})


async def _reader(request: Request, context: ContextDep, session: SessionDep, staff: StaffDep) -> Reader:
    """Who may read: in development a browser on this machine all brands', else staff their own.

    Raises SignInRequired and RoleRequired, and NotFound in production with real providers, where
    there is no outbox, and for who is limited to some shops: it holds the messages of all.
    """
    settings = context.settings
    production = settings.env is Environment.production
    sends = (
        settings.email_provider is not EmailProvider.outbox or settings.sms_provider is not SmsProvider.outbox
    )
    if production and sends:
        raise NotFound
    is_developer = not production and is_local(request)
    if staff is None and not is_developer:
        raise SignInRequired
    if staff is not None and not is_developer and not includes(staff.role, Role.support):
        raise RoleRequired(Role.support, staff.role, await load_administrators(session, staff.brand_id))
    if staff is not None and not is_developer and staff.shops is not None:
        raise NotFound
    frame = await load_frame(request, context, session, staff) if staff is not None else None
    return Reader(None if is_developer or staff is None else staff.brand_id, frame, staff)


ReaderDep = Annotated[Reader, Depends(_reader, scope="function")]


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A survey that is not sent, as the empty outbox shows it."""

    at: datetime
    shown_at: str
    text: str
    customer: str | None
    customer_id: str | None
    """None where the reader may not open the person's page."""


@router.get("")
async def list_outbox(
    session: SessionDep,
    reader: ReaderDep,
    to: Annotated[str, Query(max_length=320)] = "",
    before: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The newest messages first, a page at a time, of everybody or of one address.

    Where there are none, the latest surveys that are not sent, and why.
    """
    # Attempt ids carry their time, so they sort as they were made.
    query = (
        _items(reader.brand_id)
        .order_by(OutboxItem.created_at.desc(), OutboxItem.id.desc())
        .limit(AT_ONCE + 1)
    )
    if to:
        query = query.where(OutboxItem.to == to.strip())
    if before:
        mark, _ = await _find(session, reader.brand_id, before)
        query = query.where(OutboxItem.created_at <= mark.created_at, OutboxItem.id < mark.id)
    items = (await session.execute(query)).all()
    rows = [{"id": public_id(_ID, item.id), "item": item, "at": at} for item, at in items[:AT_ONCE]]
    if rows and reader.staff is not None:
        await record_reading(session, reader.staff.actor, "messages", len(rows))
    older = rows[-1]["id"] if len(items) > AT_ONCE else None
    values: dict[str, object] = {"rows": rows, "to": to, "older": older}
    if not rows:
        values |= _empty_values(await unsent(session, reader.brand_id, to=to.strip()), reader.staff)
    return reader.page("admin/outbox.html", values)


def _empty_values(found: Unsent, staff: SignedIn | None) -> dict[str, object]:
    due_at = found.next_due_at
    return {
        "skipped": [_skipped_row(it, staff) for it in found.skipped],
        "planned": found.planned,
        "next_due": None if due_at is None else moment_text(due_at, SOURCE),
    }


def _skipped_row(it: SkippedSurvey, staff: SignedIn | None) -> SkippedRow:
    may_open = staff is not None and staff.brand_id == it.brand_id and it.customer_id is not None
    return SkippedRow(
        at=it.at,
        shown_at=moment_text(it.at, SOURCE),
        text=it.text,
        customer=it.customer,
        customer_id=public_id("cus", it.customer_id) if may_open and it.customer_id else None,
    )


@router.get("/{shown_id}")
async def show_item(session: SessionDep, reader: ReaderDep, shown_id: str) -> Response:
    """One message with all its parts."""
    item, at = await _find(session, reader.brand_id, shown_id)
    return reader.page("admin/outbox_item.html", {"item": item, "id": shown_id, "at": at}, headers=_PAGE)


@router.get("/{shown_id}/html")
async def show_html(session: SessionDep, reader: ReaderDep, context: ContextDep, shown_id: str) -> Response:
    """A mail as it would have been sent, with our own pictures; links open in a new window."""
    item, _ = await _find(session, reader.brand_id, shown_id)
    if item.html is None:
        raise NotFound
    policy = _MAIL["Content-Security-Policy"] % context.settings.public_url
    headers = {**_MAIL, "Content-Security-Policy": policy}
    return HTMLResponse(item.html.replace("<head>", '<head><base target="_blank">', 1), headers=headers)


def _items(brand_id: int | None) -> Select[OutboxItem, datetime]:
    """The items that the reader may see, each with the time of its attempt.

    That is by the clock of the process, which `tenfold demo` sets; a row's own `created_at` is by
    the database's.
    """
    query = select(OutboxItem, Attempt.started_at).join(
        Attempt, (Attempt.brand_id == OutboxItem.brand_id) & (Attempt.id == OutboxItem.id)
    )
    if brand_id is None:
        return query
    # A colleague's link to sign in is nobody else's; a sample is what customers get.
    samples = [staff_copy(spec).name for spec in customer_templates()]
    is_shown = Message.customer_id.is_not(None) | Message.template.in_(samples)
    joined = (Message.brand_id == Attempt.brand_id) & (Message.id == Attempt.message_id)
    query = query.join(Message, joined & is_shown)
    return query.where(OutboxItem.brand_id == brand_id)


async def _find(session: AsyncSession, brand_id: int | None, shown_id: str) -> tuple[OutboxItem, datetime]:
    row_id: UUID = parse_public_id(_ID, shown_id)
    found = (await session.execute(_items(brand_id).where(OutboxItem.id == row_id))).first()
    if found is None:
        raise NotFound
    item, at = found
    return item, at
