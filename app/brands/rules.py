"""Pure words and checks about brands and shops."""

import re
from enum import StrEnum
from zoneinfo import ZoneInfo, available_timezones

RESERVED_SLUGS = frozenset({"sendgrid", "twilio"})
"""Shop slugs that would shadow the providers' doors below `/hooks/`."""
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")


class Platform(StrEnum):
    """What speaks to us at a shop's door."""

    shopify = "shopify"
    woocommerce = "woocommerce"
    stripe = "stripe"
    bigcommerce = "bigcommerce"
    checkout = "checkout"


def is_slug(slug: str) -> bool:
    """Whether a slug can stand in a path: 1-50 of a-z 0-9 and dashes, none at the ends, none reserved."""
    return _SLUG.fullmatch(slug) is not None and slug not in RESERVED_SLUGS


def is_zone(name: str) -> bool:
    """Whether the name is an IANA time zone such as Europe/Berlin."""
    return name in available_timezones()


def zone_or(name: str | None, fallback: str) -> ZoneInfo:
    """The named zone, or the fallback where the name is absent or none."""
    return ZoneInfo(name if name and is_zone(name) else fallback)
