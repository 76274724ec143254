"""HTML pages: a rendered page in the reader's language, and the one 404 page."""

from collections.abc import Mapping

from starlette.responses import HTMLResponse

from app.base.i18n import SOURCE
from app.base.templates import make_environment


def page(
    template: str,
    values: Mapping[str, object],
    *,
    language: str = SOURCE,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    """A page of `templates/web` in one of `languages()`, never cached: it is about one person."""
    body = (
        make_environment("web", language=language).get_template(template).render({"lang": language, **values})
    )
    return HTMLResponse(body, status, {"Cache-Control": "no-store", **(headers or {})})


def not_found_page() -> HTMLResponse:
    """The one 404 page: unknown, expired and revoked links all get it, byte for byte."""
    return page("not_found.html", {}, status=404)
