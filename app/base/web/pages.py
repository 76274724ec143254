"""HTML pages: one Jinja2 environment, rendered pages, the one 404 page."""

from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from app.base.paths import ROOT


def make_environment(folder: str, *, autoescape: bool = True) -> Environment:
    """Jinja2 over one folder of `templates/`; a name that is missing is an error, never a gap."""
    return Environment(
        loader=FileSystemLoader(ROOT / "templates" / folder),
        autoescape=autoescape,  # noqa: S701  # off for plain-text messages alone
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )


PAGES = make_environment("web")
"""Every page a browser sees."""
PAGES.install_null_translations()  # type: ignore[attr-defined]  # added by the i18n extension


def page(
    template: str, values: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None
) -> HTMLResponse:
    """A rendered page of `templates/web`, never cached: it speaks of one person."""
    return HTMLResponse(
        PAGES.get_template(template).render(values), status, {"Cache-Control": "no-store", **(headers or {})}
    )


def not_found_page() -> HTMLResponse:
    """The one 404 page: unknown, expired and revoked links all get it, byte for byte."""
    return page("not_found.html", {}, status=404)
