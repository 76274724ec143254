"""Texts of a brand or shop as an operator enters them: what the API refuses is refused here too."""

import re

from app.base.errors import AppError
from app.base.text import is_clean, quoted

NAME_LIMIT = 200
BRAND_TEXT_LIMIT = 240
POSTAL_ADDRESS_LIMIT = 500
LOCALE = r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$"
"""A language tag such as `de`, `de-AT` or `de_AT`."""


def check_entered(*, name: str, locale: str, postal_address: str = "") -> None:
    """Raise `AppError` for a name, locale or postal address that the API would refuse."""
    if not 1 <= len(name) <= NAME_LIMIT or not is_clean(name):
        raise AppError("bad_name", f"A name is one line of 1 to {NAME_LIMIT} characters.")
    if not re.fullmatch(LOCALE, locale):
        raise AppError("bad_locale", f"{quoted(locale)} is no locale; write it as de or de-AT.")
    if len(postal_address) > POSTAL_ADDRESS_LIMIT or not is_clean(postal_address, lines=True):
        raise AppError(
            "bad_postal_address",
            f"A postal address has at most {POSTAL_ADDRESS_LIMIT} characters, and none that cannot be seen.",
        )
