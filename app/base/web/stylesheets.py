"""Stylesheets: one request a page. Customers' have the brand's colours and heading face inside.

The address names the colour, the face and the content, so that it may be kept for ever. No brand
is looked up, and nothing but a colour and a known face gets into a style. The dashboard's is the
same for every brand.
"""

import base64
import gzip
import hashlib
import re
from dataclasses import asdict, dataclass
from functools import lru_cache

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.base.colour import DEFAULT_ACCENT, parse_colour
from app.base.colour_palette import Palette, palettes_of
from app.base.errors import NotFound
from app.base.paths import ROOT

router = APIRouter(include_in_schema=False)
FACES = ("sans", "serif")
"""The faces of headings; both are the reader's system's, the first is the default."""
SHEETS = {"letter": ("customer.css",), "offer": ("customer.css", "offer.css")}
"""The files of `static/` that each stylesheet has: questions, and what is handed on."""
PLAIN_SHEETS = {
    "dashboard": ("dashboard.css", "dashboard_parts.css", "dashboard_answers.css", "dashboard_programme.css")
}
"""As `SHEETS`, of those that have no colour of a brand; a screen's own file is added here."""
_NAME = re.compile(r"([a-z]+)-([0-9a-f]{6})-([a-z]+)-([0-9a-f]{10})")
_PLAIN_NAME = re.compile(r"([a-z]+)-([0-9a-f]{10})")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_KEPT_FOR_EVER = "public, max-age=31536000, immutable"
_OF_ANOTHER_RELEASE = "public, max-age=60"
"""While processes of two releases run, one may be asked for the other's content."""


@dataclass(frozen=True, slots=True)
class Stylesheet:
    """One stylesheet as it is sent."""

    text: str
    packed: bytes
    """Compressed by gzip."""
    version: str
    source: str
    """How a Content-Security-Policy names it where it stands in a page."""


def stylesheet_of(sheet: str, accent: str | None, face: str | None) -> Stylesheet:
    """The stylesheet itself, to stand in a page. Raises as `stylesheet_url`."""
    return _compose(sheet, accent or DEFAULT_ACCENT, face or FACES[0])


def stylesheet_url(sheet: str, accent: str | None, face: str | None) -> str:
    """The address of a stylesheet with a brand's colour and face; None is the default.

    Raises KeyError for an unknown sheet.
    """
    colour, heading = accent or DEFAULT_ACCENT, face or FACES[0]
    return f"/look/{sheet}-{colour}-{heading}-{_compose(sheet, colour, heading).version}.css"


def dashboard_stylesheet_url() -> str:
    """The address of the dashboard's stylesheet."""
    return f"/look/dashboard-{_compose_plain('dashboard').version}.css"


def stylesheet_text(url: str) -> str:
    """The stylesheet of customers' pages at an address of `stylesheet_url`; raises `NotFound`."""
    made, _ = _composed(url.removeprefix("/look/").removesuffix(".css"))
    return made.text


@router.get("/look/{name}.css")
async def show_stylesheet(request: Request, name: str) -> Response:
    """A stylesheet; 404 for another colour, face or sheet than there is."""
    plain = _PLAIN_NAME.fullmatch(name)
    if plain is not None and plain[1] in PLAIN_SHEETS:
        made, version = _compose_plain(plain[1]), plain[2]
    else:
        made, version = _composed(name)
    headers = {
        "Cache-Control": _KEPT_FOR_EVER if version == made.version else _OF_ANOTHER_RELEASE,
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(made.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type="text/css")
    return Response(made.text, headers=headers, media_type="text/css")


def _composed(name: str) -> tuple[Stylesheet, str]:
    """A stylesheet with a brand's colour, and the version that its name asks for."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise NotFound
    sheet, colour, face, version = found.groups()
    if sheet not in SHEETS or face not in FACES or parse_colour(colour) != colour:
        raise NotFound
    return _compose(sheet, colour, face), version


@lru_cache(maxsize=512)
def _compose(sheet: str, colour: str, face: str) -> Stylesheet:
    palettes = palettes_of(colour)
    dark = f"@media(prefers-color-scheme:dark){{:root{{{_tokens(palettes.dark)}}}}}"
    tokens = f":root{{--display:var(--{face});{_tokens(palettes.light)}}}{dark}"
    return _made(tokens + "".join(_source(name) for name in SHEETS[sheet]))


@lru_cache
def _compose_plain(sheet: str) -> Stylesheet:
    return _made("".join(_source(name) for name in PLAIN_SHEETS[sheet]))


def _made(text: str) -> Stylesheet:
    version = hashlib.sha256(text.encode()).hexdigest()[:10]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Stylesheet(text, gzip.compress(text.encode(), 9, mtime=0), version, f"'sha256-{digest}'")


@lru_cache
def _source(name: str) -> str:
    """A file of `static/` without comments and line breaks; read once a process."""
    text = _COMMENT.sub("", (ROOT / "static" / name).read_text())
    return re.sub(r"\s*([{};,])\s*", r"\1", " ".join(text.split())).replace(";}", "}")


def _tokens(palette: Palette) -> str:
    return ";".join(f"--{name.replace('_', '-')}:#{value}" for name, value in asdict(palette).items())
