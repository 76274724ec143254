"""Settings, Keys: what programs may do with this brand, made, shown once and revoked."""

from datetime import timedelta
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from app.admin.auth import refuse_unconfirmed
from app.admin.dashboard.access import AdminWriter, ForAdmin, confirmed_writer, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.form import Form
from app.admin.dashboard.frame import Frame
from app.admin.keys import create_key, revoke_key
from app.admin.listing import PageRequest, list_page
from app.admin.models import ApiKey
from app.admin.rows import KEYS
from app.admin.rules import Scope
from app.admin.staff import lock_staff
from app.admin.views.keys import EXPIRY, SCOPE_HINTS, key_rows
from app.admin.views.names import staff_names
from app.base import clock
from app.base.i18n import SOURCE, translate
from app.base.ids import new_id, parse_public_id, public_id
from app.base.text import is_clean

KEYS_PATH = "/admin/settings/keys"
_AT_ONCE = 50
_LONGEST_LABEL = 200
router = screen_router(KEYS_PATH)
Making = Annotated[tuple[Frame, Form], Depends(confirmed_writer(f"{KEYS_PATH}/new"), scope="function")]


@router.get("")
async def show_keys(frame: ForAdmin) -> Response:
    """The brand's keys, newest first: those in use, or the ended ones too."""
    query = frame.request.query_params
    everything = query.get("show") == "all"
    wanted = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
    chosen = [] if everything else [ApiKey.revoked_at.is_(None)]
    found = await list_page(frame.session, wanted, frame.staff.actor, KEYS, *chosen)
    makers = await staff_names(frame.session, frame.brand.id)
    values = {
        "keys": key_rows(found.data, makers, now=clock.now()),
        "views": [
            {"href": frame.here(show=None), "name": _("In use"), "is_current": not everything, "count": None},
            {"href": frame.here(show="all"), "name": _("All"), "is_current": everything, "count": None},
        ],
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
    }
    return frame.page("admin/keys.html", "keys", values)


def _(text: str) -> str:
    return translate(SOURCE, text)


@router.get("/new")
async def show_new(frame: ForAdmin) -> Response:
    """The form of a new key."""
    refuse_unconfirmed(frame.staff, f"{KEYS_PATH}/new")
    return _new_page(frame, {"label": "", "scopes": [Scope.read], "expires": "365"})


def _new_page(frame: Frame, entered: dict[str, object], errors: dict[str, str] | None = None) -> Response:
    values = {
        "entered": entered,
        # A form that is sent twice names the same key.
        "once": public_id("key", new_id()),
        "scopes": [(scope.value, translate(SOURCE, hint)) for scope, hint in SCOPE_HINTS.items()],
        "expiry": [(key, translate(SOURCE, name)) for key, (name, _days) in EXPIRY.items()],
        "errors": errors or {},
    }
    return frame.page("admin/key_new.html", "keys", values, status=422 if errors else 200)


@router.post("/new")
async def make(writer: Making) -> Response:
    """Make a key, and show it this once."""
    frame, form = writer
    label, expires = form.text("label"), form.text("expires")
    scopes = [Scope(word) for word in form.texts("scopes") if word in set(Scope)]
    errors = {}
    if not label or len(label) > _LONGEST_LABEL or not is_clean(label):
        errors["label"] = translate(SOURCE, "Say in a line what the key is for.")
    if not scopes:
        errors["scopes"] = translate(SOURCE, "Choose what it may do.")
    if expires not in EXPIRY:
        errors["expires"] = translate(SOURCE, "Choose when it ends.")
    if errors:
        return _new_page(frame, {"label": label, "scopes": scopes, "expires": expires}, errors)
    once = form.text("once", limit=100)
    key_id = parse_public_id("key", once) if once else new_id()
    # One press after the other, whatever the browser does.
    await lock_staff(frame.session, frame.brand.id, frame.staff.staff_id)
    if await frame.session.get(ApiKey, (frame.brand.id, key_id)) is not None:
        made = _("The key was made already, and shown once. Revoke it where nobody kept it.")
        return frame.redirect(KEYS_PATH, made, Tone.failed)
    days = EXPIRY[expires][1]
    row, key = await create_key(
        frame.session,
        frame.brand.id,
        scopes,
        actor=frame.staff.actor,
        label=label,
        key_id=key_id,
        expires_at=None if days is None else clock.now() + timedelta(days=days),
    )
    return frame.page("admin/key_made.html", "keys", {"key": key, "label": row.label})


@router.post("/{id}/revoke")
async def revoke(id: str, writer: AdminWriter) -> Response:  # noqa: A002  # the path's own word
    """Revoke a key. It protects, so nobody is asked who they are first."""
    frame, _form = writer
    key_id = parse_public_id("key", id)
    await revoke_key(frame.session, frame.brand.id, key_id, actor=frame.staff.actor, now=clock.now())
    done = translate(SOURCE, "Revoked: every request with it is refused within five seconds.")
    return frame.redirect(KEYS_PATH, done)
