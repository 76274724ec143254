"""HTML pages: a rendered page in the reader's language, and the one 404 page of each language."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.base.i18n import SOURCE, language_of, language_tag
from app.base.templates import make_environment
from app.base.web.stylesheets import dashboard_stylesheet_url, stylesheet_url


def page(
    template: str,
    values: Mapping[str, object],
    *,
    language: str = SOURCE,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    """A page of `templates/web`, never cached: it is about one person.

    `language` is one of `app.base.i18n.languages()` or `variants()`.
    """
    made = make_environment("web", language=language).get_template(template)
    shared = {
        "lang": language_tag(language),
        "stylesheet_url": stylesheet_url,
        "dashboard_stylesheet_url": dashboard_stylesheet_url,
    }
    body = made.render({**shared, **values})
    return HTMLResponse(body, status, {"Cache-Control": "no-store", **(headers or {})})


def not_found_page(request: Request | None = None) -> HTMLResponse:
    """The one 404 page: unknown, expired and revoked links all get it, byte for byte.

    It is in the language of the request's browser; in English without a request, for staff.
    """
    return page("not_found.html", {}, language=browser_language(request), status=404)


def browser_language(request: Request | None) -> str:
    """The language that a browser prefers among ours, else English; for readers nobody knows."""
    header = "" if request is None else request.headers.get("accept-language", "")[:200]
    ranked: list[tuple[float, int, str]] = []
    for place, each in enumerate(header.split(",")):
        tag, _, quality = each.replace(" ", "").partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, tag))
        except ValueError:
            continue
    return language_of(*(tag for wanted, _, tag in sorted(ranked) if wanted < 0))
