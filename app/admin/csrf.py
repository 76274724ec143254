"""Forms of the dashboard: taken only from a page of ours, shown in the very session that sends it.

A router of the dashboard has `dependencies=[Depends(require_own_form)]`; each of its forms that
posts has the value `csrf_field` of its page in it.
"""

from fastapi import Request
from markupsafe import Markup

from app.admin.auth import StaffDep
from app.admin.rules import is_own_form
from app.admin.staff import SignedIn
from app.base.config import Environment
from app.base.errors import AppError
from app.base.web.context import ContextDep, get_context
from app.base.web.problems import refuse_unstorable

FIELD = "csrf"
"""The name of the hidden field."""
_READING = ("GET", "HEAD", "OPTIONS")


def csrf_field(staff: SignedIn) -> Markup:
    """The hidden field of a form that this person's session may send."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, staff.form_token)


async def require_same_site(request: Request) -> None:
    """Raise AppError (403) for a form of another site. Enough for forms before a sign-in alone."""
    if request.method in _READING:
        return
    settings = get_context(request).settings
    production = settings.env is Environment.production
    own = [settings.public_url]
    if not production:
        # There the program is opened by whatever name this machine has.
        own.append(f"{request.url.scheme}://{request.headers.get('host', '')}")
    headers = request.headers
    if not is_own_form(headers.get("sec-fetch-site"), headers.get("origin"), own, strict=production):
        raise AppError(
            "foreign_form",
            "This form was sent from another site; open the page itself and try again.",
            status=403,
        )


async def require_own_form(request: Request, context: ContextDep, staff: StaffDep) -> None:
    """Check the form of a write: its origin, its token, and that the database can hold its texts.

    Raises AppError: 403 for a form of another site or session, 422 for a text with a zero byte;
    leads who is not signed in to the page for that (303).
    """
    if request.method in _READING:
        return
    await require_same_site(request)
    if staff is None:
        raise AppError("unauthorized", "Sign in first.", status=303, headers={"Location": "/admin"})
    # The body is stored with the request, so that the route can read it again.
    await request.body()
    form = await request.form()
    token = form.get(FIELD)
    if not isinstance(token, str) or not context.tokens.is_form_token(token, staff.session_id):
        raise AppError(
            "stale_form",
            "This form is of an earlier session; go back, load the page anew and try again.",
            status=403,
        )
    refuse_unstorable(*(value for value in form.values() if isinstance(value, str)))
