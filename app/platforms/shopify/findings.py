"""What a check of a connection finds, in sentences: what is missing, and where to correct it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from app.brands.rules import domain_of
from app.platforms.connection_types import ConnectedShop
from app.platforms.shopify.documents import API_VERSION
from app.platforms.shopify.responses import GraphQLError, incomplete
from app.platforms.shopify.topics import PRIVACY_TOPICS

NEEDED_SCOPES: Mapping[str, str] = {
    "read_orders": "orders, refunds and cancellations do not arrive",
    "read_customers": "changed addresses and consents do not arrive",
    "read_fulfillments": "parcels and their delivery do not arrive",
    "write_discounts": "codes cannot be made in the shop",
}
"""What does not work without each."""
OPTIONAL_SCOPES: Mapping[str, str] = {
    "read_shopify_payments_disputes": "chargebacks of Shopify Payments do not arrive",
    "read_all_orders": (
        "orders from more than 60 days ago are not shown to tenfold sync (import a file of them, so that"
        " regular customers do not count as new)"
    ),
}
CREDIT_SCOPES = (
    "write_store_credit_account_transactions",
    "read_store_credit_account_transactions",
    "read_store_credit_accounts",
)
"""Those without which rewards cannot be store credit."""
_SCOPES_OF_APP = (
    "In the Dev Dashboard (dev.shopify.com) open the app > Versions, add the scopes in a new version and"
    " release it; then approve it in the shop under Settings > Apps."
)
_SCOPES_OF_CUSTOM_APP = (
    "In the shop's admin open Settings > Apps > Develop apps > the app > Configuration, add the scopes and"
    " save; then install the app again."
)
_PROTECTED = (
    "In the Partner or Dev Dashboard open the app > API access requests > Protected customer data access,"
    " and request it with the fields name, email, phone and address. Shopify reviews that for a public app"
    " alone; for a custom app that the shop's admin made it depends on the shop's plan."
)


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """What Shopify says of the shop."""

    name: str
    domain: str
    host: str
    currency: str
    time_zone: str
    scopes: frozenset[str]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read the data of the document. Raises `OutsideError` where something is not there."""
        try:
            shop, installation = data["shop"], data["currentAppInstallation"]
            return cls(
                shop["name"],
                shop["myshopifyDomain"],
                shop["primaryDomain"]["host"],
                shop["currencyCode"],
                shop["ianaTimezone"],
                frozenset(each["handle"] for each in installation["accessScopes"]),
            )
        except (KeyError, TypeError):
            raise incomplete() from None

    def grants(self, scope: str) -> bool:
        """Whether the app has the scope; one to write includes reading."""
        return scope in self.scopes or scope.replace("read_", "write_", 1) in self.scopes


def scope_problems(facts: ShopFacts, *, is_custom_app: bool) -> list[str]:
    """Which needed scopes are missing, in one sentence."""
    missing = [f"{scope} ({loss})" for scope, loss in NEEDED_SCOPES.items() if not facts.grants(scope)]
    if not missing:
        return []
    where = _SCOPES_OF_CUSTOM_APP if is_custom_app else _SCOPES_OF_APP
    return [f"The app lacks access scopes: {'; '.join(missing)}. {where}"]


def scope_notes(facts: ShopFacts) -> list[str]:
    """Which scopes would be of use."""
    return [
        f"Without the access scope {scope} {loss}."
        for scope, loss in OPTIONAL_SCOPES.items()
        if not facts.grants(scope)
    ]


def credit_notes(facts: ShopFacts, *, is_on: bool | None, is_custom_app: bool) -> list[str]:
    """Why customers cannot spend credit of ours in the shop; none where they can.

    `is_on` is whether the shop's checkout takes store credit, None where that was not asked.
    """
    missing = [scope for scope in CREDIT_SCOPES if not facts.grants(scope)]
    if missing:
        where = _SCOPES_OF_CUSTOM_APP if is_custom_app else _SCOPES_OF_APP
        scopes = ", ".join(missing)
        return [f"Rewards cannot be store credit: the app lacks the access scopes {scopes}. {where}"]
    if not is_on:
        return [
            (
                "Rewards cannot be store credit: the shop's checkout takes none. In the shop's admin open Settings"
                " > Customer accounts and switch store credit on."
            )
        ]
    return []


def currency_problems(facts: ShopFacts, shop: ConnectedShop) -> list[str]:
    """Whether the shop's currency here is another one."""
    if facts.currency == shop.currency:
        return []
    return [
        (
            f"The shop's currency is {facts.currency} at Shopify and {shop.currency} here, where it cannot be"
            " changed. Add a shop with the right currency and connect that one."
        )
    ]


def difference_notes(facts: ShopFacts, shop: ConnectedShop) -> list[str]:
    """Where the shop here differs in what may differ: its address and its time zone."""
    notes = []
    ours = domain_of(shop.url or "")
    if ours and ours not in {domain_of(f"https://{facts.host}"), facts.domain}:
        notes.append(
            f"The shop's address is {facts.host} at Shopify and {ours} here. If this is the wrong shop,"
            " connect the right one; else leave it, or correct the address here: PATCH"
            f' /api/v1/shops/{shop.slug} with {{"url": "https://{facts.host}"}}'
        )
    if facts.time_zone != shop.time_zone:
        notes.append(
            f"The shop's time zone is {facts.time_zone} at Shopify and {shop.time_zone} here, where customers"
            f" without a zone of their own are in it. To change it: PATCH /api/v1/shops/{shop.slug} with"
            f' {{"time_zone": "{facts.time_zone}"}}'
        )
    return notes


def version_notes(served: str | None) -> list[str]:
    """Whether Shopify serves our version of its API no more: it then serves a newer one instead."""
    if served in (None, API_VERSION):
        return []
    return [
        (
            f"Shopify's Admin API serves its version {served} to Tenfold, which was made for {API_VERSION}:"
            " install a newer Tenfold, before something fails."
        )
    ]


def personal_data_findings(
    data: Mapping[str, Any], errors: Collection[GraphQLError]
) -> tuple[list[str], list[str]]:
    """Problems and notes about protected customer data, from what we are shown of an order."""
    hidden = {each.path[-1] if each.path else "" for each in errors}
    if hidden - {"email", "phone"}:
        text = "Shopify shows the app no orders and customers: protected customer data are not granted."
        return [f"{text} {_PROTECTED}"], []
    if hidden:
        text = (
            f"Shopify hides {' and '.join(sorted(hidden))} of customers from the app, so nobody can be asked."
        )
        return [f"{text} {_PROTECTED}"], []
    orders = data.get("orders")
    if not isinstance(orders, Mapping) or not orders.get("nodes"):
        return [], ["The shop has no order yet, so whether Shopify hides customers' addresses is not known."]
    return [], []


def privacy_note(webhook_url: str) -> str:
    """What cannot be registered by API, and where to set it."""
    return (
        f"Shopify's privacy webhooks ({', '.join(PRIVACY_TOPICS)}) cannot be registered by API, and Shopify"
        f" wants them of apps in its App Store alone. To have them, set all three to {webhook_url} as"
        " compliance_topics in the app's shopify.app.toml. Without them, erase people who ask for it by: tenfold"
        " person erase"
    )
