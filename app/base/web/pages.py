"""HTML pages: a rendered page in the reader's language, and the one 404 page of each language."""

from collections.abc import Mapping
from typing import Any, cast

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.base.i18n import SOURCE, language_of, language_tag
from app.base.templates import make_environment
from app.base.web.policy import CSP
from app.base.web.stylesheets import dashboard_stylesheet_url, stylesheet_of, stylesheet_url


def page(
    template: str,
    values: Mapping[str, object],
    *,
    language: str = SOURCE,
    status: int = 200,
    headers: dict[str, str] | None = None,
    inline: str | None = None,
) -> HTMLResponse:
    """A page of `templates/web`, never cached: it is about one person.

    `language` is one of `app.base.i18n.languages()` or `variants()`. With `inline` the stylesheet
    of this name stands in the page, of the `accent` and `face` in its values: a page that people
    open first needs a round trip less.
    """
    made = make_environment("web", language=language).get_template(template)
    shared: dict[str, Any] = {
        "lang": language_tag(language),
        "stylesheet_url": stylesheet_url,
        "dashboard_stylesheet_url": dashboard_stylesheet_url,
    }
    own = {"Cache-Control": "no-store", **(headers or {})}
    if inline is not None:
        style = stylesheet_of(
            inline, cast("str | None", values["accent"]), cast("str | None", values["face"])
        )
        shared["style"] = Markup(style.text)  # noqa: S704  # our own files, a colour and a known face
        own["Content-Security-Policy"] = CSP.replace("style-src 'self'", f"style-src 'self' {style.source}")
    body = made.render({**shared, **values})
    return HTMLResponse(body, status, own)


def not_found_page(request: Request | None = None, *, status: int = 404) -> HTMLResponse:
    """The one 404 page: unknown, expired and revoked links all get it, byte for byte.

    It is in the language of the request's browser; in English without a request, for staff.
    """
    return page("not_found.html", {}, language=browser_language(request), status=status)


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
