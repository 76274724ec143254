"""How personal data are shown to people who may not see them. Pure."""

import re

# Only from the start of a word: a long word without an @ is then read once.
_ADDRESS = re.compile(r"(?<![^\s<>\"'])[^\s<>\"']+@[^\s<>\"']+")
_LONG_NUMBER = re.compile(r"\+?\d{7,}")


def mask_email(email: str | None) -> str | None:
    """`a***@***`: enough to distinguish two people in a list, too little to write to one."""
    return None if email is None else f"{email[:1]}***@***"


def mask_phone(phone: str | None) -> str | None:
    """`***67`: the last two digits."""
    return None if phone is None else f"***{phone[-2:]}"


def mask_name(name: str | None) -> str | None:
    """`A***`: the first letter."""
    return f"{name[:1]}***" if name else None


def without_addresses(text: str) -> str:
    """The text with … for every e-mail address and every number of seven digits or more.

    Providers repeat addresses in their reasons, customers write them in comments.
    """
    return _LONG_NUMBER.sub("…", _ADDRESS.sub("…", text))
