"""Commands that connect shops to their platforms."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.base.context import AppContext
    from app.platforms.connection_types import ConnectionReport
    from app.platforms.protocol import PlatformAdapter

CREDENTIALS = "TENFOLD_SHOP_CREDENTIALS"
OFFER = (
    "Orders from before are brought in by: tenfold sync --shop {slug} --since 2024-01-01 --history (or out of a"
    " file, tenfold import orders). Their customers count as known, and nobody gets a message."
)
Slug = Annotated[str, typer.Argument(help="The shop's slug.")]


@console.shop.command("connect")
def connect(
    slug: Slug,
    account: Annotated[
        str | None,
        typer.Option(
            help="The shop's name at its platform, such as acme.myshopify.com, or for WooCommerce its"
            " address, such as https://acme.example. Where it is left out, the one that the shop is connected"
            " with; else it is asked for."
        ),
    ] = None,
    credentials_stdin: Annotated[
        bool,
        typer.Option(
            "--credentials-stdin",
            help='Read the credentials from stdin: {"client_id": "…", "client_secret": "…"}, or for WooCommerce'
            ' {"consumer_key": "…", "consumer_secret": "…"}. Without it they'
            f" come from {CREDENTIALS}, in the same form, or are asked for.",
        ),
    ] = False,
) -> None:
    """Connect a shop to its platform: tries the credentials, stores them, registers webhooks.

    Prints what is registered and what is missing; exits with 1 where something is missing.
    """
    from app.base import clock
    from app.base.actor import cli_actor
    from app.brands import find
    from app.platforms.check import check_shop
    from app.platforms.connect import connect_shop, try_connection
    from app.platforms.connections import load_row
    from app.platforms.registry import adapter_of

    async def work(context: AppContext) -> tuple[ConnectionReport, str]:
        async with context.sessions() as session:
            brand, shop = await find.require_shop(session, slug)
            present = await load_row(session, brand.id, shop.id)
        adapter = adapter_of(shop.platform)
        known = account or (None if present is None else present.account)
        where = known or _account(adapter, from_stdin=credentials_stdin)
        credentials = _credentials(adapter, from_stdin=credentials_stdin)
        connection = await try_connection(context.settings, shop, where, credentials)
        async with context.sessions.begin() as session:
            await connect_shop(
                session, context.tokens, shop, connection, actor=cli_actor(brand.id), now=clock.now()
            )
        offer = OFFER.format(slug=slug) if adapter.lists_orders and present is None else ""
        return await check_shop(context, brand.id, shop.id, now=clock.now()), offer

    report, offer = console.with_context(work)
    _print(slug, report, offer)


@console.shop.command("check")
def check(slug: Slug) -> None:
    """Check a shop's connection and its sender's domain; registers webhooks that were dropped.

    Prints what is registered, what is missing, and what the last check of its codes found, which a
    worker makes again; exits with 1 where something is missing.
    """
    from dataclasses import replace

    from app.base import clock
    from app.brands import find
    from app.messaging.sender_check import check_senders, load_senders
    from app.platforms.check import check_shop
    from app.referrals.publishing.code_check import check_codes_again
    from app.referrals.publishing.findings import find_code_problems
    from app.referrals.reward_notes import reward_notes

    async def work(context: AppContext) -> ConnectionReport:
        async with context.sessions() as session:
            brand, shop = await find.require_shop(session, slug)
            domains = await load_senders(session, context.settings, [brand.id])
        report = await check_shop(context, brand.id, shop.id, now=clock.now())
        async with context.sessions.begin() as session:
            codes = await find_code_problems(session, brand.id, [shop.id])
            await check_codes_again(session, brand.id, shop.id, now=clock.now())
            rewards = await reward_notes(session, [shop.id])
        senders = await check_senders(context.settings, domains)
        return replace(
            report,
            problems=(
                *report.problems,
                *codes.get(shop.id, ()),
                *(text for each in senders for text in each.problems),
            ),
            notes=(*report.notes, *(text for each in senders for text in each.notes), *rewards),
        )

    _print(slug, console.with_context(work))


@console.shop.command("disconnect")
def disconnect(slug: Slug) -> None:
    """Remove a shop's connection with its credentials, and its webhooks at the platform."""
    from app.base.actor import cli_actor
    from app.base.errors import AppError
    from app.brands import find
    from app.platforms.connect import remove_webhooks
    from app.platforms.connections import remove_connection

    async def work(context: AppContext) -> str | None:
        async with context.sessions() as session:
            brand, shop = await find.require_shop(session, slug)
        failed = await remove_webhooks(context, shop)
        async with context.sessions.begin() as session:
            if not await remove_connection(session, brand.id, shop.id, actor=cli_actor(brand.id)):
                raise AppError("not_connected", "The shop is not connected to its platform.", status=404)
        return failed

    failed = console.with_context(work)
    console.print_json({"shop": slug, "webhooks_left": failed})


def _print(slug: str, report: ConnectionReport, offer: str = "") -> None:
    """Print what was found, and what to do after it; exits with 1 where there are problems."""
    for each in report.problems:
        console.print_note(f"! {each}")
    if not report.problems:
        console.print_note(f"{len(report.webhooks)} webhooks are registered, and nothing is missing.")
    for each in (*report.notes, *filter(None, [offer])):
        console.print_note(each)
    console.print_json(
        {
            "shop": slug,
            "webhooks": list(report.webhooks),
            "problems": list(report.problems),
            "notes": list(report.notes),
        }
    )
    if report.problems:
        raise SystemExit(1)


def _account(adapter: PlatformAdapter, *, from_stdin: bool) -> str:
    """The account as a person enters it. Raises `AppError` where nobody is there to ask."""
    from app.base.errors import AppError

    if adapter.credentials and (from_stdin or not sys.stdin.isatty()):
        raise AppError("no_account", f"Name the shop's account: --account {adapter.account_hint}")
    if not adapter.credentials:
        return ""
    console.print_note(f"The shop's account, such as {adapter.account_hint}:")
    return input()


def _credentials(adapter: PlatformAdapter, *, from_stdin: bool) -> Mapping[str, str]:
    """The credentials from stdin, the environment or a person, so never from the process list."""
    from app.base.errors import AppError

    if from_stdin:
        return _parse(sys.stdin.read(65_536))
    if given := os.environ.get(CREDENTIALS):
        return _parse(given)
    if not adapter.credentials:
        return {}
    if not sys.stdin.isatty():
        raise AppError(
            "no_credentials",
            f"Give the credentials by --credentials-stdin or in {CREDENTIALS}, as a JSON object, or run this"
            " at a terminal.",
        )
    import getpass

    names = dict.fromkeys(name for each in adapter.credentials for name in each)
    console.print_note(
        f"Needed are {' or '.join(' with '.join(each) for each in adapter.credentials)}. What you paste is not"
        " shown; press Enter after each."
    )
    asked = {name: getpass.getpass(f"{name} (Enter for none): ") for name in names}
    return {name: value for name, value in asked.items() if value}


def _parse(text: str) -> Mapping[str, str]:
    """The credentials in a JSON object of texts. Raises `AppError`, which quotes nothing of it."""
    import orjson

    from app.base.errors import AppError

    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise AppError(
            "bad_credentials",
            'Give the credentials as a JSON object of texts, such as {"access_token": "…"}.',
        )
    return found
