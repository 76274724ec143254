"""What a check of a connection finds, in sentences: what is missing, and where to correct it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from app.brands.rules import domain_of
from app.platforms.connection_types import ConnectedShop
from app.platforms.woocommerce.responses import KEYS, incomplete
from app.platforms.woocommerce.webhooks import ACTIVE, TOPICS, Changes, Webhook, ours

READ_ONLY = (
    "The consumer key may only read, so that neither webhooks nor codes can be made. In the shop's WordPress"
    f" open {KEYS}, edit the key, set Permissions to Read/Write and save."
)
INDEX_FIELDS = "home,timezone_string"
_PORTS = {None, 80, 443, 8080}
"""Those that WordPress calls."""


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """What WooCommerce and WordPress say of the shop; None and empty: not known."""

    currency: str
    has_coupons: bool
    home: str = ""
    time_zone: str = ""
    country: str = ""
    """ISO 3166, of the shop's own address."""

    @classmethod
    def of(cls, settings: object, index: Mapping[str, Any] | None) -> Self:
        """Read the general settings. Raises `OutsideError` where they name no currency."""
        rows = settings if isinstance(settings, list) else []
        values = {each.get("id"): each.get("value") for each in rows if isinstance(each, Mapping)}
        currency = values.get("woocommerce_currency")
        if not isinstance(currency, str) or not currency:
            raise incomplete()
        country = values.get("woocommerce_default_country")
        home, zone = ((index or {}).get(name) for name in ("home", "timezone_string"))
        return cls(
            currency,
            values.get("woocommerce_enable_coupons", "yes") == "yes",
            home if isinstance(home, str) else "",
            zone if isinstance(zone, str) else "",
            # With a state it is DE:DE-BY.
            country.partition(":")[0] if isinstance(country, str) else "",
        )


def setting_problems(facts: ShopFacts, shop: ConnectedShop) -> list[str]:
    """What in the shop's settings keeps codes, amounts or surveys from working."""
    problems = []
    if facts.currency != shop.currency:
        problems.append(
            f"The shop's currency is {facts.currency} at WooCommerce and {shop.currency} here, where it cannot"
            " be changed. Add a shop with the right currency and connect that one."
        )
    if not facts.has_coupons:
        problems.append(
            "Coupons are disabled in the shop, so no code works there. In WordPress open WooCommerce >"
            " Settings > General, tick Enable coupons and save."
        )
    if facts.country in shop.lacks_consent_in and not shop.settings.get("consent_meta_key"):
        problems.append(
            f"Customers in {facts.country} are asked with consent alone, nobody's is known, and WooCommerce"
            " itself has none: their surveys are skipped (no_consent). Name the field of your newsletter plugin:"
            f" tenfold shop settings {shop.slug} --set consent_meta_key=KEY (docs/woocommerce.md has how to find it)"
        )
    return problems


def difference_notes(facts: ShopFacts, shop: ConnectedShop) -> list[str]:
    """Where the shop here differs in what may differ: its address and its time zone."""
    notes = []
    here, there = domain_of(shop.url or ""), domain_of(facts.home)
    if here and there and here != there:
        notes.append(
            f"The shop's address is {there} in WordPress and {here} here. If this is the wrong shop, connect"
            " the right one; else leave it, or correct the address here: PATCH"
            f' /api/v1/shops/{shop.slug} with {{"url": "{facts.home}"}}'
        )
    if facts.time_zone and facts.time_zone != shop.time_zone:
        notes.append(
            f"The shop's time zone is {facts.time_zone} in WordPress and {shop.time_zone} here, where customers"
            f" without a zone of their own are in it. To change it: PATCH /api/v1/shops/{shop.slug} with"
            f' {{"time_zone": "{facts.time_zone}"}}'
        )
    return notes


def address_problem(shop: ConnectedShop, *, is_local: bool) -> str | None:
    """Why WordPress cannot deliver to our address; None where it can."""
    parts = urlsplit(shop.webhook_url)
    if parts.scheme != "https" and not (is_local and shop.webhook_url.startswith("http://127.0.0.1:")):
        return (
            f"Orders must not be sent without https, as to {shop.webhook_url}. Set TENFOLD_PUBLIC_URL to your"
            " public https address."
        )
    if parts.port not in _PORTS and not is_local:
        return (
            f"WordPress calls the ports 80, 443 and 8080 alone, and not {parts.port}. Set TENFOLD_PUBLIC_URL to"
            " an https address without a port."
        )
    return None


def missing_problems(listed: Sequence[Webhook], shop: ConnectedShop) -> list[str]:
    """Which webhooks are not there or not active, where nothing may be changed."""
    have = ours(listed, shop)
    missing = [topic for topic in TOPICS if topic not in have]
    idle = [f"{topic} ({each.status})" for topic, each in have.items() if each.status != ACTIVE]
    problems = []
    if missing:
        problems.append(
            f"{len(missing)} of {len(TOPICS)} webhooks are not registered ({', '.join(missing)}). Run: tenfold"
            f" shop check {shop.slug}"
        )
    if idle:
        problems.append(
            f"Webhooks are not active in the shop: {', '.join(idle)}. WooCommerce disables them after six"
            f" deliveries in a row that failed. Run: tenfold shop check {shop.slug}"
        )
    return problems


def refused_problems(changes: Changes) -> list[str]:
    """Which webhooks could not be registered or activated."""
    if not changes.refused:
        return []
    return [
        (
            f"WooCommerce did not take the webhooks {', '.join(changes.refused)}. In WordPress look under"
            " WooCommerce > Settings > Advanced > Webhooks, and in WooCommerce > Status > Logs."
        )
    ]


def change_notes(changes: Changes, shop: ConnectedShop) -> list[str]:
    """What registering changed."""
    notes = [f"Registered now: {', '.join(changes.created)}."] if changes.created else []
    if changes.activated:
        notes.append(
            f"Active again: {', '.join(changes.activated)}. WooCommerce delivers once, so what happened in the"
            f" shop meanwhile is read from it in the night; at once by: tenfold sync --shop {shop.slug}"
        )
    return notes


def other_notes(listed: Sequence[Webhook], shop: ConnectedShop) -> list[str]:
    """Webhooks to other shops of this installation, such as a former slug; others are not ours."""
    server = shop.webhook_url.partition("/hooks/")[0]
    others = sorted(
        {each.url for each in listed if each.url.startswith(f"{server}/hooks/")} - {shop.webhook_url}
    )
    if not others:
        return []
    return [f"The shop delivers to other addresses of this installation too: {', '.join(others[:5])}."]
