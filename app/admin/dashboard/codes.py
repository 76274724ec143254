"""Referrers, Codes: where each works, which may have leaked, and what is done about it."""

from uuid import UUID

from starlette.responses import RedirectResponse, Response

from app.admin.codes import (
    CodeDetail,
    CodeFilter,
    CodeState,
    code_conditions,
    code_detail,
    count_suspected,
    is_code,
    order_of,
)
from app.admin.dashboard.access import ForViewer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.list_exports import links_of
from app.admin.export_rules import ExportName
from app.admin.listing import PageRequest, get_row, list_page
from app.admin.rows import CODES, MESSAGES
from app.admin.views import codes as view
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id, public_id
from app.messaging.resend import resend_message
from app.referrals.disable import disable_code
from app.referrals.leaks import dismiss_leak
from app.referrals.models import Code
from app.referrals.replace_leaked import issue_again, replace_code
from app.referrals.rules import CodeKind

PATH = "/admin/codes"
_AT_ONCE = 50
_FILTERS = ("code", "kind", "referrer")
router = screen_router(PATH)


@router.get("")
async def show_codes(frame: ForViewer) -> Response:
    """The codes, newest first, by state and filters; what cannot be read leads to all of them."""
    query = frame.request.query_params
    try:
        wanted = _filter_of(frame)
        conditions = code_conditions(frame.brand.id, wanted, now=clock.now())
        request = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
        actor = frame.staff.actor
        found = await list_page(frame.session, request, actor, CODES, *conditions, by=order_of(wanted))
    except (AppError, ValueError):
        return RedirectResponse(frame.url(PATH), 303)
    suspected = await count_suspected(frame.session, frame.brand.id) if frame.staff.shops is None else None
    chips = _chips(frame, wanted)
    values = {
        "rows": view.code_rows(found.data),
        "exports": links_of(frame, ExportName.codes, ("state", *_FILTERS)),
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
        "tabs": [
            {
                "href": frame.here(state=state and state.value),
                "name": translate(SOURCE, name),
                "is_current": state is wanted.state,
                "count": suspected or None if state is CodeState.suspected else None,
            }
            for state, name in view.TABS.items()
        ],
        "kinds": [(each.value, translate(SOURCE, name)) for each, name in view.KINDS.items()],
        "kept": [(name, query[name]) for name in ("shop", "state", "referrer") if query.get(name)],
        "chosen": {name: query.get(name, "") for name in _FILTERS},
        "chips": chips,
        "clear": frame.here(**dict.fromkeys(_FILTERS)),
        "everything": frame.url(PATH),
        "empty_text": translate(SOURCE, view.NO_MATCH if chips else view.EMPTY[wanted.state]),
    }
    return frame.page("admin/codes.html", "codes", values, by_shop=True)


def _filter_of(frame: Frame) -> CodeFilter:
    """What the address asks for; raises ValueError for what cannot be read."""
    query = frame.request.query_params
    kind, state = query.get("kind"), query.get("state")
    return CodeFilter(
        referrer=query.get("referrer") or None,
        code=query.get("code") or None,
        kind=CodeKind(kind) if kind else None,
        state=CodeState(state) if state else None,
        shop_id=frame.shop.id if frame.shop else None,
    )


def _chips(frame: Frame, wanted: CodeFilter) -> list[dict[str, str]]:
    """The filters in force, each with the address without it."""
    texts = {
        "code": wanted.code or "",
        "kind": translate(SOURCE, view.KINDS[wanted.kind]) if wanted.kind else "",
        "referrer": translate(SOURCE, "of one referrer") if wanted.referrer else "",
    }
    return [{"name": text, "href": frame.here(**{name: None})} for name, text in texts.items() if text]


@router.get("/{id}")
async def show_code(id: str, frame: ForViewer) -> Response:  # noqa: A002  # the path's own word
    """One code: where it works, why it may have leaked, and the messages about it."""
    it = await _find(frame, id)
    values = {
        "it": it,
        "line": view.code_line(it),
        "places": view.places(it),
        "messages": view.messages(it),
        "suspected": it.leak is not None and it.leak.dismissed_at is None and view.may_replace(it),
        "may_replace": view.may_replace(it),
        "may_disable": view.may_disable(it),
        "may_issue_again": view.may_issue_again(it),
    }
    return frame.page("admin/code_page.html", "codes", values)


@router.post("/{id}/replace")
async def replace(id: str, writer: MarketerWriter) -> Response:  # noqa: A002  # the path's own word
    """A new code for its referrer; this one works no more."""
    frame, _ = writer
    it = await _find(frame, id)
    code = await _code(frame, it)
    try:
        new = await replace_code(
            frame.session, frame.context, frame.brand, code, actor=frame.staff.actor, now=clock.now()
        )
    except AppError as error:
        return _refused(frame, id, error)
    done = translate(SOURCE, "Replaced. This is the new code; its referrer is told once their shop knows it.")
    return frame.redirect(frame.url(f"{PATH}/{public_id('cod', new.id)}"), done)


@router.post("/{id}/disable")
async def disable(id: str, writer: MarketerWriter) -> Response:  # noqa: A002  # the path's own word
    """The code works no more, and its referrer gets none in its place."""
    frame, _ = writer
    it = await _find(frame, id)
    code = await _code(frame, it)
    await disable_code(frame.session, frame.brand, code, actor=frame.staff.actor, now=clock.now())
    return frame.redirect(frame.url(f"{PATH}/{id}"), translate(SOURCE, "Disabled. It counts no more."))


@router.post("/{id}/reissue")
async def reissue(id: str, writer: MarketerWriter) -> Response:  # noqa: A002  # the path's own word
    """A new code for the referrer of one that works no more."""
    frame, _ = writer
    it = await _find(frame, id)
    referrer_id = parse_public_id("ref", it.referrer)
    try:
        new = await issue_again(
            frame.session, frame.context, frame.brand, referrer_id, actor=frame.staff.actor, now=clock.now()
        )
    except AppError as error:
        return _refused(frame, id, error)
    done = translate(SOURCE, "This is their new code; they are told once their shop knows it.")
    return frame.redirect(frame.url(f"{PATH}/{public_id('cod', new.id)}"), done)


@router.post("/{id}/dismiss")
async def dismiss(id: str, writer: MarketerWriter) -> Response:  # noqa: A002  # the path's own word
    """It is not leaked."""
    frame, _ = writer
    it = await _find(frame, id)
    code_id = parse_public_id("cod", it.id)
    await dismiss_leak(frame.session, code_id, actor=frame.staff.actor, now=clock.now())
    done = translate(SOURCE, "Noted. It is not taken for leaked again.")
    return frame.redirect(frame.url(f"{PATH}/{id}"), done)


@router.post("/{id}/messages/{message}/resend")
async def resend(id: str, message: str, writer: MarketerWriter) -> Response:  # noqa: A002  # as above
    """Send a message about the code once more."""
    frame, _ = writer
    it = await _find(frame, id)
    if message not in {each.id for each in it.messages}:
        raise NotFound
    message_id = parse_public_id("msg", message)
    await get_row(frame.session, frame.staff.actor, MESSAGES, message_id)
    try:
        await resend_message(
            frame.session, frame.brand.id, message_id, actor=frame.staff.actor, now=clock.now()
        )
    except AppError as error:
        return _refused(frame, id, error)
    return frame.redirect(frame.url(f"{PATH}/{id}"), translate(SOURCE, "It goes out again within seconds."))


def _refused(frame: Frame, shown_id: str, error: AppError) -> Response:
    """Back to the page with why nothing was done."""
    if error.status != 409:
        raise error
    return frame.redirect(frame.url(f"{PATH}/{shown_id}"), error.detail, Tone.failed)


async def _find(frame: Frame, shown_id: str) -> CodeDetail:
    """The code by its id; raises NotFound for one that the reader may not see."""
    if public_id("cod", parse_public_id("cod", shown_id)) != shown_id:
        raise NotFound
    return await code_detail(frame.session, frame.staff.actor, is_code(shown_id))


async def _code(frame: Frame, it: CodeDetail) -> str:
    """The code itself, which the detail may have masked."""
    row: Code = await frame.session.get_one(Code, (frame.brand.id, _id(it)))
    return row.code


def _id(it: CodeDetail) -> UUID:
    return parse_public_id("cod", it.id)
