"""Pages and mails inside the dashboard, as customers see them: in a frame that can do nothing.

Styles may be inline, pictures are ours, nothing runs and nothing is sent. Each is shown in one
colour scheme, whatever the reader's own is.
"""

import re
from typing import Literal

from starlette.responses import HTMLResponse

from app.base.web.policy import CSP
from app.base.web.stylesheets import stylesheet_text

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
FRAMING = {"Content-Security-Policy": CSP + "; frame-src 'self'"}
"""Headers of a page that shows such frames."""
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: {public_url}; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)
_DARK = re.compile(r"\(\s*prefers-color-scheme:\s*dark\s*\)")
_BOTH = re.compile(r"(color-schemes?:\s*|content=\")light dark")
_SHEET = re.compile(r'<link rel="stylesheet" href="(/look/[^"]+)">')
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)


def scheme_of(text: str) -> Scheme:
    """The scheme of this name; light for any other."""
    return "dark" if text == "dark" else "light"


def in_scheme(text: str, scheme: Scheme) -> str:
    """HTML or CSS that shows this scheme, whatever the reader prefers."""
    text = _DARK.sub(" all" if scheme == "dark" else " not all", text)
    return _BOTH.sub(rf"\g<1>{scheme}", text)


def preview_page(html: str, scheme: Scheme, public_url: str) -> HTMLResponse:
    """The frame's content, in one scheme and without scripts."""
    policy = _POLICY.format(public_url=public_url)
    styled = _SHEET.sub(lambda found: f"<style>{stylesheet_text(found[1])}</style>", _SCRIPT.sub("", html))
    return HTMLResponse(
        in_scheme(styled, scheme),
        headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"},
    )
