"""Types of text fields that the API accepts."""

from typing import Annotated

from pydantic import AfterValidator, Field

from app.base.text import is_clean
from app.brands.entered import BRAND_TEXT_LIMIT, LOCALE, NAME_LIMIT, POSTAL_ADDRESS_LIMIT
from app.brands.rules import is_web_address, is_zone
from app.surveys.work_rules import NOTE_LIMIT, REPLY_LIMITS, TAG_LIMIT


def _plain(text: str) -> str:
    if not is_clean(text):
        raise ValueError("may hold no control or invisible characters")
    return text


def _lines(text: str) -> str:
    if not is_clean(text, lines=True):
        raise ValueError("may hold no control or invisible characters")
    return text


def _web_address(text: str) -> str:
    if not is_web_address(text):
        raise ValueError("is no web address; write it as https://shop.example")
    return text


def _zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError("is no time zone; use a name such as Europe/Berlin")
    return name


Plain = Annotated[str, Field(max_length=NAME_LIMIT), AfterValidator(_plain)]
"""One line that the database can hold."""
Line = Annotated[Plain, Field(min_length=1)]
BrandText = Annotated[str, Field(min_length=1, max_length=BRAND_TEXT_LIMIT), AfterValidator(_plain)]
"""A sentence or two that a brand says on its pages, in one line."""
Lines = Annotated[str, Field(max_length=POSTAL_ADDRESS_LIMIT), AfterValidator(_lines)]
Tag = Annotated[str, Field(min_length=1, max_length=TAG_LIMIT), AfterValidator(_plain)]
ReplyText = Annotated[str, Field(min_length=1, max_length=max(REPLY_LIMITS.values())), AfterValidator(_lines)]
NoteText = Annotated[str, Field(min_length=1, max_length=NOTE_LIMIT), AfterValidator(_lines)]
Zone = Annotated[str, AfterValidator(_zone)]
Locale = Annotated[str, Field(pattern=LOCALE)]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$")]
Address = Annotated[
    str, Field(max_length=320, pattern=r"^[^@\s<>,;\"]+@[^@\s<>,;\"]+$"), AfterValidator(_plain)
]
Url = Annotated[str, Field(max_length=500), AfterValidator(_plain), AfterValidator(_web_address)]
