"""Connect a shop on WooCommerce, and check whether the connection has all that we need."""

import re
from collections.abc import Mapping

import aiohttp

from app.base.errors import AppError
from app.base.i18n import N_
from app.platforms.connection_types import ConnectedShop, Connection, ConnectionReport
from app.platforms.woocommerce.accounts import is_local, parse_account
from app.platforms.woocommerce.client import WooCommerceClient
from app.platforms.woocommerce.findings import (
    INDEX_FIELDS,
    READ_ONLY,
    ShopFacts,
    address_problem,
    change_notes,
    difference_notes,
    missing_problems,
    other_notes,
    refused_problems,
    setting_problems,
)
from app.platforms.woocommerce.responses import error_of, is_refused
from app.platforms.woocommerce.webhooks import (
    ACTIVE,
    TOPICS,
    list_webhooks,
    ours,
    register_webhooks,
    remove_webhooks,
)

CREDENTIALS = (("consumer_key", "consumer_secret"),)
CREDENTIAL_TITLES = {"consumer_key": N_("Consumer key"), "consumer_secret": N_("Consumer secret")}
_FORMS = {
    "consumer_key": re.compile(r"ck_\w{1,100}", re.ASCII),
    "consumer_secret": re.compile(r"cs_\w{1,100}", re.ASCII),
}


def make_connection(account: str, credentials: Mapping[str, str], *, local: bool) -> Connection:
    """See `PlatformAdapter.make_connection`."""
    given = {name: value.strip() for name, value in credentials.items() if value.strip()}
    if given.keys() != _FORMS.keys():
        raise AppError(
            "bad_credentials",
            "WooCommerce needs consumer_key and consumer_secret of a key with Read/Write, which an administrator"
            " makes under WooCommerce > Settings > Advanced > REST API.",
        )
    if not all(form.fullmatch(given[name]) for name, form in _FORMS.items()):
        raise AppError(
            "bad_credentials",
            "A consumer_key of WooCommerce begins with ck_ and a consumer_secret with cs_; letters and digits"
            " follow.",
        )
    return Connection(parse_account(account, local=local), given)


async def check(
    http: aiohttp.ClientSession, connection: Connection, shop: ConnectedShop, *, register: bool
) -> ConnectionReport:
    """See `PlatformAdapter.check`, and with `register` its `connect`."""
    client = WooCommerceClient(http, connection)
    settings = await client.get("settings/general")
    facts = ShopFacts.of(settings, await client.get_index(INDEX_FIELDS))
    problems, notes = setting_problems(facts, shop), difference_notes(facts, shop)
    may_write = await _may_write(client)
    if not may_write:
        problems.append(READ_ONLY)
    hooks = await _check_webhooks(client, connection, shop, register=register and may_write)
    return ConnectionReport(
        (*problems, *hooks.problems),
        (*notes, *hooks.notes),
        hooks.webhooks,
        holds_credit=may_write and facts.has_coupons,
    )


async def disconnect(http: aiohttp.ClientSession, connection: Connection, shop: ConnectedShop) -> None:
    """See `PlatformAdapter.disconnect`."""
    await remove_webhooks(WooCommerceClient(http, connection), shop)


async def _may_write(client: WooCommerceClient) -> bool:
    """Whether the key may write, asked by a batch of nothing. Raises `OutsideError`."""
    response = await client.try_send("POST", "coupons/batch", {"create": []})
    if is_refused(response) and response.code.startswith("woocommerce_rest_"):
        return False
    error = error_of(response, is_write=True)
    if error is not None:
        raise error
    return True


async def _check_webhooks(
    client: WooCommerceClient, connection: Connection, shop: ConnectedShop, *, register: bool
) -> ConnectionReport:
    """The part of the report about webhooks, once those that are missing were registered."""
    unreachable = address_problem(shop, is_local=is_local(connection.account))
    if unreachable is not None:
        return ConnectionReport((unreachable,))
    listed = await list_webhooks(client)
    if register:
        changes, listed = await register_webhooks(client, shop, listed)
        problems, notes = refused_problems(changes), change_notes(changes, shop)
    else:
        problems, notes = missing_problems(listed, shop), []
    active = {topic for topic, each in ours(listed, shop).items() if each.status == ACTIVE}
    webhooks = tuple(topic for topic in TOPICS if topic in active)
    return ConnectionReport(tuple(problems), (*notes, *other_notes(listed, shop)), webhooks)
