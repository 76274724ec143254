"""Icons of the dashboard, from the package `python-lucide`; each stands beside a word."""

import re
from functools import cache

from lucide import lucide_icon  # type: ignore[import-untyped]  # it ships no types
from markupsafe import Markup

_NAMES = {
    "answers": "message-square",
    "back": "arrow-left",
    "check": "check",
    "close": "x",
    "copy": "copy",
    "down": "chevron-down",
    "export": "download",
    "import": "upload",
    "mail": "mail",
    "menu": "menu",
    "orders": "shopping-bag",
    "outbox": "inbox",
    "overview": "house",
    "programme": "file-text",
    "referrers": "users",
    "rewards": "gift",
    "search": "search",
    "settings": "settings",
    "sign_out": "log-out",
    "system": "activity",
    "text": "smartphone",
    "warn": "triangle-alert",
}
"""Each icon of ours with Lucide's name of it; more are added here."""
_SVG = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


@cache
def icon(name: str) -> Markup:
    """An SVG that takes the colour of its text and is hidden from screen readers.

    Raises KeyError for a name that is not listed above.
    """
    found = _SVG.fullmatch(lucide_icon(_NAMES[name]).strip())
    if found is None:
        raise ValueError(f"the package has no usable icon {name!r}")
    shapes = re.sub(r"\s+", " ", found[1]).replace(" />", "/>").strip()
    return Markup(f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{shapes}</svg>')  # noqa: S704  # the package's own shapes
