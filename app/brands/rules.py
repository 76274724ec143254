"""Pure vocabulary and checks of brands and shops."""

import base64
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import TypedDict
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import ValidationError

from app.base.colour import parse_colour
from app.base.domain_names import encoded_domain
from app.brands.programme import QuietHours

RESERVED_SLUGS = frozenset({"sendgrid", "twilio"})
"""Shop slugs that would shadow the providers' webhook paths below `/hooks/`."""
_ADDRESS_LIMIT = 500
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")


class TextKind(StrEnum):
    """The texts of its own that a brand may have on its pages, by their field."""

    greeting = "greeting"
    """Before the survey's question, after the person's name."""
    sign_off = "sign_off"
    """After the survey's form: who reads the answer."""
    thanks = "thanks"
    """To a promoter."""
    pitch = "pitch"
    """To a friend: what the shop sells."""
    noun = "noun"
    """What a friend buys, as it follows the discount: `your first bag of coffee`."""


class ImageKind(StrEnum):
    """The images that a brand may have, by their field."""

    logo = "logo"
    logo_dark = "logo_dark"
    """The logo on dark backgrounds."""
    picture = "picture"
    """A product or a mood, beside the letter."""
    card = "card"
    """The preview of a link, made of the logo."""


class ImageJson(TypedDict):
    """An image of a brand: the file's name in its address, and pixels."""

    file: str
    width: int
    height: int


class BrandingJson(TypedDict, total=False):
    """How pages and messages look, as stored with a brand."""

    accent: str | None
    """`#rrggbb`."""
    heading: str | None
    """The face of headings, `sans` or `serif`."""
    greeting: str | dict[str, str] | None
    """A text in the brand's language, or texts by language."""
    sign_off: str | dict[str, str] | None
    thanks: str | dict[str, str] | None
    pitch: str | dict[str, str] | None
    noun: str | dict[str, str] | None
    logo: ImageJson | None
    logo_dark: ImageJson | None
    picture: ImageJson | None
    card: ImageJson | None


QuietHoursJson = TypedDict("QuietHoursJson", {"from": str, "to": str})
"""Local times such as `20:00`; see `QuietHours`."""


class CountryRulesJson(TypedDict, total=False):
    """What holds in one country, as stored with a brand; quiet hours narrow the programme's."""

    email_basis: str | None
    """`existing_customer` or `consent`."""
    quiet_hours: QuietHoursJson | None


WEBHOOK_KEY_BYTES = 24
"""The least of a Standard Webhooks secret; its specification asks for 24 to 64 bytes."""
PLATFORM_SECRET_LENGTH = 16
"""The least characters of a secret that a platform made."""


def is_webhook_secret(secret: str, platform: "Platform") -> bool:
    """Whether a secret may sign deliveries.

    A checkout's is `whsec_` and at least 24 bytes in strict base64. A platform's own is taken as it
    is, with at least 16 printable characters.
    """
    if platform is not Platform.checkout and not secret.startswith(_WEBHOOK_PREFIX):
        return len(secret) >= PLATFORM_SECRET_LENGTH and secret.isascii() and secret.isprintable()
    try:
        key = base64.b64decode(secret.removeprefix(_WEBHOOK_PREFIX), validate=True)
    except ValueError:
        return False
    return secret.startswith(_WEBHOOK_PREFIX) and len(key) >= WEBHOOK_KEY_BYTES


_WEBHOOK_PREFIX = "whsec_"


class Platform(StrEnum):
    """The shop platforms that have an adapter."""

    checkout = "checkout"
    shopify = "shopify"
    woocommerce = "woocommerce"


class AddressForm(StrEnum):
    """How customers are addressed; a value but the first names a variant of a language's texts."""

    formal = "formal"
    informal = "informal"


def is_slug(slug: str) -> bool:
    """Whether a slug is usable in a path: 1-50 of a-z 0-9 and dashes.

    It neither begins nor ends with a dash and is not reserved.
    """
    return _SLUG.fullmatch(slug) is not None and slug not in RESERVED_SLUGS


def is_web_address(text: str) -> bool:
    """Whether the text is the http(s) address of a host, such as https://shop.example/de.

    No script, no relative address, nobody's password in it, no character that would end a link.
    """
    if len(text) > _ADDRESS_LIMIT or not text.isprintable() or any(each in text for each in ' "<>\\`'):
        return False
    try:
        parts = urlsplit(text)
        host, user, _ = parts.hostname, parts.username, parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and user is None


def domain_of(address: str) -> str:
    """The domain of a web address or an e-mail address, encoded and without `www.`.

    Empty where it has none.
    """
    host = (urlsplit(address).hostname or "") if "://" in address else address.rpartition("@")[2]
    return (encoded_domain(host) or host.lower().rstrip(".")).removeprefix("www.")


def is_domain(text: str) -> bool:
    """Whether the text is a domain of at least two labels, such as shop.example."""
    return _DOMAIN.fullmatch(text) is not None


def is_number(domain: str) -> bool:
    """Whether a host is an IPv4 address rather than a name."""
    return domain.replace(".", "").isdigit()


def lies_in(domain: str, allowed: Collection[str]) -> bool:
    """Whether a domain is one of these or below one of them."""
    return any(domain == each or domain.endswith(f".{each}") for each in allowed)


_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")


def is_zone(name: str) -> bool:
    """Whether the name is an IANA time zone such as Europe/Berlin."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    """All names, read once: each reading goes through the whole zone directory on the disk."""
    return frozenset(available_timezones())


@lru_cache(maxsize=4096)
def zone_or(name: str | None, fallback: str) -> ZoneInfo:
    """The named zone, or the fallback where the name is absent or no zone."""
    return ZoneInfo(name if name and is_zone(name) else fallback)


def quiet_until(now: datetime, zone: ZoneInfo, quiet_hours: QuietHours | None) -> datetime:
    """The first moment from `now` on, in UTC, outside the quiet hours of the zone.

    `now` itself where it is outside. Quiet hours run from `from` (quiet) to `to` (no longer quiet)
    by local time, also across midnight and on the days when clocks are changed.
    """
    local = now.astimezone(zone)
    if quiet_hours is None or not _is_quiet(local.time(), quiet_hours):
        return now.astimezone(UTC)
    spans_midnight = quiet_hours.from_ > quiet_hours.to
    tomorrow = spans_midnight and local.time() >= quiet_hours.from_
    day = local.date() + timedelta(days=1 if tomorrow else 0)
    end = datetime.combine(day, quiet_hours.to, zone)
    # In the hour that an autumn night has twice, the first occurrence of a time may already be
    # over.
    return (
        max(end.astimezone(UTC), end.replace(fold=1).astimezone(UTC)) if local.fold else end.astimezone(UTC)
    )


def next_daytime(
    at: datetime, zone: ZoneInfo, programme: QuietHours | None, country: QuietHours | None
) -> datetime:
    """The first moment from `at` on, in UTC, outside the quiet hours of programme and country.

    Where both together leave nothing of the day, the country's alone count.
    """
    if country is None:
        return quiet_until(at, zone, programme)
    moment = at.astimezone(UTC)
    for _ in range(4):
        later = quiet_until(quiet_until(moment, zone, programme), zone, country)
        if later == moment:
            return moment
        moment = later
    return quiet_until(at, zone, country)


def country_quiet_hours(countries: Mapping[str, CountryRulesJson], country: str | None) -> QuietHours | None:
    """The quiet hours of a brand in a country, from `Brand.countries`.

    Unreadable ones count as none.
    """
    rules = countries.get(country or "") if countries else None
    hours = rules.get("quiet_hours") if isinstance(rules, dict) else None
    try:
        return None if hours is None else QuietHours.model_validate(hours)
    except ValidationError:
        return None


def _is_quiet(at: time, quiet_hours: QuietHours) -> bool:
    start, end = quiet_hours.from_, quiet_hours.to
    return start <= at < end if start < end else at >= start or at < end


def accent_of(branding: BrandingJson) -> str | None:
    """The brand's own colour as six lower-case hex digits.

    None where it has none, or anything but a colour.
    """
    return parse_colour(str(branding.get("accent") or ""))
