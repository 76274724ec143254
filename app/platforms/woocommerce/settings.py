"""What a WooCommerce shop may set: names that its plugins gave. Pure."""

import re
from typing import Annotated

from pydantic import AfterValidator

from app.base.text import is_clean
from app.platforms.settings import PlatformSettings

_STATUS = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}")
_OTHERWISE_USED = frozenset(
    {"pending", "processing", "on-hold", "cancelled", "refunded", "failed", "checkout-draft", "trash"}
)
_LONGEST_KEY = 255
"""Characters of a key in WordPress's tables."""


def _status(value: str) -> str:
    if value.startswith("wc-"):
        raise ValueError("is written without `wc-`, as in delivered")
    if not _STATUS.fullmatch(value):
        raise ValueError("must be the slug of an order status, such as delivered")
    if value in _OTHERWISE_USED:
        raise ValueError(f"cannot be {value}, which has another meaning")
    return value


def _meta_key(value: str) -> str:
    if not value.strip() or len(value) > _LONGEST_KEY or not is_clean(value):
        raise ValueError(f"must be the key of a meta field, one line of at most {_LONGEST_KEY} characters")
    return value


Status = Annotated[str, AfterValidator(_status)]
MetaKey = Annotated[str, AfterValidator(_meta_key)]


class WooCommerceSettings(PlatformSettings):
    """WooCommerce itself has no status for a delivered order, no language and no consent.

    Plugins have: the keys are those of `meta_data`, in orders and in customers.
    """

    delivered_status: Status | None = None
    """The slug of the order status that means delivered; `completed` may be it."""
    consent_meta_key: MetaKey | None = None
    """Where the consent to e-mail is."""
    sms_consent_meta_key: MetaKey | None = None
    """Where the consent to texts is."""
    locale_meta_key: MetaKey | None = None
    """Where the language is, such as `de` or `de_DE`."""
    referral_meta_key: MetaKey | None = None
    """Where the share slug is, or the address with it that the friend came to."""
