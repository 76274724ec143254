"""How personal data are shown to people who may not see them. Pure."""

import re
from collections.abc import Iterable

# Only from the start of a word: a long word without an @ is then read once.
_ADDRESS = re.compile(r"(?<![^\s<>\"'])[^\s<>\"']+@[^\s<>\"']+")
_LONG_NUMBER = re.compile(r"\+?\d(?:[\s().\-/\u2010-\u2015]{0,3}\d){6,}")
"""As people write it: `+49 (0) 170 / 123-45-67`, also with spaces that do not break."""
_NAMED_CODE = re.compile(r"[A-Z]{1,10}-([2-9A-HJKMNP-TV-Z]{5})")
_TYPED_CODE = re.compile(r"[A-Z]{1,10}[-\s\u2010-\u2015]?([2-9A-HJKMNP-TV-Z]{5})", re.IGNORECASE)
HIDDEN = "…"
"""In place of what only those see who may see people."""


def mask_email(email: str | None) -> str | None:
    """`a***@***`: enough to distinguish two people in a list, too little to write to one."""
    return None if email is None else f"{email[:1]}***@***"


def mask_phone(phone: str | None) -> str | None:
    """`***67`: the last two digits."""
    return None if phone is None else f"***{phone[-2:]}"


def mask_name(name: str | None) -> str | None:
    """`A***`: the first letter."""
    return f"{name[:1]}***" if name else None


def mask_code(code: str | None) -> str | None:
    """`***-7K4QX`: a code of ours, as shown, without its owner's name; a random one as it is."""
    found = _NAMED_CODE.fullmatch(code) if code else None
    return f"***-{found[1]}" if found else code


def mask_typed_code(code: str) -> str:
    """As `mask_code`, for a code as a customer typed it: perhaps without its dash.

    Five letters at the start of a random code are then taken for a name, which harms nobody.
    """
    found = _TYPED_CODE.fullmatch(code.strip())
    return f"***-{found[1]}" if found else code


def mask_reason(reason: str | None, words: Iterable[str]) -> str | None:
    """A reason that is one of our words; … for one in a person's own, who may name somebody."""
    return reason if reason is None or reason in set(words) else HIDDEN


def without_addresses(text: str) -> str:
    """The text with … for every e-mail address and every number of seven digits or more.

    Spaces and dashes between digits belong to the number, as in a telephone number. Providers
    repeat addresses in their reasons, customers write them in comments.
    """
    return _LONG_NUMBER.sub(HIDDEN, _ADDRESS.sub(HIDDEN, text))


def without_addresses_or_none(text: str | None) -> str | None:
    """As `without_addresses`; None for None."""
    return None if text is None else without_addresses(text)
