"""Connect a shop at Shopify, and check whether the connection has all that we need."""

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

import aiohttp

from app.base.errors import AppError, Fault, Outcome, OutsideError
from app.base.i18n import N_
from app.platforms.connection_types import ConnectedShop, Connection, ConnectionReport
from app.platforms.shopify.access_tokens import ACCESS_TOKENS
from app.platforms.shopify.accounts import domain_of_account, parse_account
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.credit_documents import CREDIT_IS_ON
from app.platforms.shopify.documents import PERSONAL_DATA, SHOP_FACTS
from app.platforms.shopify.findings import (
    CREDIT_SCOPES,
    ShopFacts,
    credit_notes,
    currency_problems,
    difference_notes,
    personal_data_findings,
    privacy_note,
    scope_notes,
    scope_problems,
    version_notes,
)
from app.platforms.shopify.responses import CONNECT_AGAIN
from app.platforms.shopify.topics import TOPICS
from app.platforms.shopify.webhooks import Webhook, list_webhooks, register_webhooks, remove_webhooks

CREDENTIALS = (("client_id", "client_secret"), ("access_token", "client_secret"), ("access_token",))
"""An app of the Dev Dashboard; a custom app of the shop's admin with its API secret key, or without
where the shop's webhook secret is that key already."""
CREDENTIAL_TITLES = {
    "client_id": N_("Client ID"),
    "client_secret": N_("Client secret (API secret key)"),
    "access_token": N_("Admin API access token"),
}


def make_connection(account: str, credentials: Mapping[str, str], *, local: bool) -> Connection:
    """See `PlatformAdapter.make_connection`."""
    given = {name: value.strip() for name, value in credentials.items() if value.strip()}
    if tuple(sorted(given)) not in {tuple(sorted(each)) for each in CREDENTIALS}:
        raise AppError(
            "bad_credentials",
            "Shopify needs client_id and client_secret of an app of the Dev Dashboard, or access_token of a"
            " custom app, with its API secret key as client_secret.",
        )
    if any(not value.isascii() or not value.isprintable() or " " in value for value in given.values()):
        raise AppError(
            "bad_credentials", "A credential of Shopify has neither spaces nor special characters."
        )
    return Connection(parse_account(account, local=local), given)


async def check(
    http: aiohttp.ClientSession, connection: Connection, shop: ConnectedShop, *, register: bool
) -> ConnectionReport:
    """See `PlatformAdapter.check`, and with `register` its `connect`."""
    ACCESS_TOKENS.renew(connection)
    client = ShopifyClient(http, connection)
    facts = ShopFacts.of(await client.run(SHOP_FACTS))
    domain = domain_of_account(connection.account)
    if facts.domain != domain:
        raise OutsideError(
            Outcome.refused,
            f"The credentials belong to the shop {facts.domain}, not to {domain}. {CONNECT_AGAIN}",
            fault=Fault.access,
        )
    is_custom_app = "access_token" in connection.credentials
    problems = scope_problems(facts, is_custom_app=is_custom_app)
    problems += currency_problems(facts, shop)
    credit = credit_notes(facts, is_on=await _credit_is_on(client, facts), is_custom_app=is_custom_app)
    notes = version_notes(client.served_version) + scope_notes(facts) + credit + difference_notes(facts, shop)
    if facts.grants("read_orders") and facts.grants("read_customers"):
        reply = await client.run_with_errors(PERSONAL_DATA)
        found = personal_data_findings(reply.data, reply.errors)
        problems, notes = problems + found[0], notes + found[1]
    wanted = [topic for topic, scope in TOPICS.items() if facts.grants(scope)]
    hooks = await _check_webhooks(client, connection, shop, wanted, register=register)
    return ConnectionReport(
        (*problems, *hooks.problems),
        (*notes, *hooks.notes, privacy_note(shop.webhook_url), *_secret_notes(connection)),
        hooks.webhooks,
        holds_credit=not credit,
    )


async def _credit_is_on(client: ShopifyClient, facts: ShopFacts) -> bool | None:
    """Whether the checkout takes store credit; None where our app could not put any there."""
    if not all(facts.grants(scope) for scope in CREDIT_SCOPES):
        return None
    found = (await client.run(CREDIT_IS_ON)).get("storeCreditConfiguration")
    return isinstance(found, Mapping) and found.get("storeCreditEnabled") is True


async def disconnect(http: aiohttp.ClientSession, connection: Connection, shop: ConnectedShop) -> None:
    """See `PlatformAdapter.disconnect`."""
    client = ShopifyClient(http, connection)
    ours = [each for each in await list_webhooks(client) if each.uri == shop.webhook_url]
    await remove_webhooks(client, ours)


async def _check_webhooks(
    client: ShopifyClient,
    connection: Connection,
    shop: ConnectedShop,
    wanted: Sequence[str],
    *,
    register: bool,
) -> ConnectionReport:
    """The part of the report about webhooks, once those that are missing were registered."""
    is_local = connection.account != domain_of_account(connection.account)
    allowed = ("https://", "http://127.0.0.1:") if is_local else ("https://",)
    if not shop.webhook_url.startswith(allowed):
        return ConnectionReport(
            (
                (
                    f"Shopify delivers to https addresses alone, and not to {shop.webhook_url}. Set"
                    " TENFOLD_PUBLIC_URL to your public https address."
                ),
            )
        )
    listed = await list_webhooks(client)
    ours = [each for each in listed if each.uri == shop.webhook_url]
    have = {each.topic for each in ours if each.is_whole}
    missing = [topic for topic in wanted if topic not in have]
    notes = _other_addresses(listed, shop)
    if not register or not missing:
        return ConnectionReport(_missing(missing, wanted, shop), notes, _known(have))
    await remove_webhooks(client, [each for each in ours if each.topic in missing])
    refused = await register_webhooks(client, shop.webhook_url, missing)
    made = [topic for topic in missing if topic not in refused]
    if made:
        notes = (*notes, f"Registered now: {', '.join(made)}.")
    return ConnectionReport(_refused(refused), notes, _known(have | set(made)))


def _known(topics: Collection[str]) -> tuple[str, ...]:
    return tuple(topic for topic in TOPICS if topic in topics)


def _missing(missing: Sequence[str], wanted: Sequence[str], shop: ConnectedShop) -> tuple[str, ...]:
    if not missing:
        return ()
    return (
        (
            f"{len(missing)} of {len(wanted)} webhooks are not registered ({', '.join(missing)}). Run: tenfold"
            f" shop check {shop.slug}"
        ),
    )


def _refused(refused: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence for each reason."""
    by_reason: dict[str, list[str]] = {}
    for topic, reason in refused.items():
        by_reason.setdefault(reason, []).append(topic)
    return tuple(
        f"Shopify refuses the webhooks {', '.join(topics)}: {reason}" for reason, topics in by_reason.items()
    )


def _other_addresses(listed: Sequence[Webhook], shop: ConnectedShop) -> tuple[str, ...]:
    hosts = sorted({urlsplit(each.uri).netloc or each.uri for each in listed if each.uri != shop.webhook_url})
    if not hosts:
        return ()
    return (
        (
            f"The app delivers to other addresses too ({', '.join(hosts[:5])}). If one is a former address of"
            " this installation, Shopify removes it by itself once its deliveries fail."
        ),
    )


def _secret_notes(connection: Connection) -> tuple[str, ...]:
    if "client_secret" in connection.credentials:
        return ()
    return (
        (
            "The API secret key of the custom app must be the shop's webhook secret (tenfold shop secret), or its"
            " webhooks are refused; connect with it as client_secret, and it is."
        ),
    )
