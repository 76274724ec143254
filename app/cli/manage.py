"""Set-up commands: the schema, brands and shops."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from app.base.text import quoted
from app.cli import console
from app.cli.shop_settings import read_pairs

if TYPE_CHECKING:
    from app.base.context import AppContext
    from app.brands.rules import AddressForm, Platform
    from app.platforms.new_shop import NewShop

Slug = Annotated[str, typer.Argument(help="Letters a-z, digits and dashes.")]
Name = Annotated[str, typer.Option(help="As customers know it.")]
Secret = Annotated[
    str | None,
    typer.Option(
        help="Generated where none is given; other users of the machine can see it in the process list.",
        envvar="TENFOLD_WEBHOOK_SECRET",
        show_envvar=True,
    ),
]
SecretStdin = Annotated[
    bool, typer.Option("--webhook-secret-stdin", help="Read the secret from stdin, in one line.")
]


@console.cli.command()
def migrate() -> None:
    """Upgrade the schema to head."""
    from app.base import schema
    from app.base.config import load_settings
    from app.wiring import database_url_of

    console.run(schema.migrate(database_url_of(load_settings())))
    console.print_note(f"The schema is at head ({schema.head()}).")


@console.brand.command("add")
def add_brand(
    slug: Slug,
    name: Name,
    time_zone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    locale: Annotated[str, typer.Option(help="Such as de.")] = "en",
    address_form: Annotated[
        str, typer.Option(help="formal or informal: whether German says Sie or du.")
    ] = "formal",
    postal_address: Annotated[str, typer.Option(help="Printed below every message.")] = "",
) -> None:
    """Create a brand with the default programme."""
    from app.brands import add

    form = _address_form(address_form)

    async def work(context: AppContext) -> dict[str, object]:
        async with context.sessions.begin() as session:
            brand = await add.add_brand(
                session,
                slug,
                name=name,
                time_zone=time_zone,
                locale=locale,
                address_form=form,
                postal_address=postal_address,
            )
            return {"brand": brand.slug, "id": brand.id, "name": brand.name}

    console.print_json(console.with_context(work))


@console.brand.command("domains")
def change_domains(
    slug: Slug,
    add: Annotated[list[str] | None, typer.Option(help="Such as shop.example; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
) -> None:
    """Print the domains in which the brand's sender and shops may lie, after changing them."""
    from app.base.actor import cli_actor
    from app.brands import change, find

    async def work(context: AppContext) -> list[str]:
        async with context.sessions.begin() as session:
            owner = await find.find_brand(session, slug)
            return await change.change_domains(
                session, owner.id, add=add or (), remove=remove or (), actor=cli_actor(owner.id)
            )

    console.print_json({"brand": slug, "domains": console.with_context(work)})


@console.shop.command("add")
def add_shop(  # noqa: PLR0913, PLR0917  # each is an option of the command
    slug: Slug,
    name: Name,
    brand: Annotated[
        str | None, typer.Option(help="Slug of its brand; without it the shop gets a brand of its own.")
    ] = None,
    platform: Annotated[str, typer.Option(help="checkout, shopify or woocommerce.")] = "checkout",
    webhook_secret: Secret = None,
    webhook_secret_stdin: SecretStdin = False,
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "EUR",
    time_zone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
    locale: Annotated[str | None, typer.Option(help="Such as de.")] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The shop's address, to which share links redirect, such as https://shop.example."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(help="A setting of its platform as NAME=VALUE (docs/platforms.md); may be repeated."),
    ] = None,
) -> None:
    """Create a shop; prints its webhook URLs, and its secret where one was generated."""
    webhook_secret = _webhook_secret(webhook_secret, webhook_secret_stdin)
    from app.platforms.new_shop import NewShop

    settings = read_pairs(setting or ())
    new = NewShop(slug, name, _platform(platform), currency, time_zone, locale, url, webhook_secret, settings)

    async def work(context: AppContext) -> dict[str, object]:
        return await _create_shop(context, brand, new)

    console.print_json(console.with_context(work))


def _webhook_secret(given: str | None, from_stdin: bool) -> str | None:
    from app.base.errors import AppError

    if given and from_stdin and "TENFOLD_WEBHOOK_SECRET" not in os.environ:
        raise AppError("two_secrets", "Give the secret by --webhook-secret or by stdin, not by both.")
    return console.read_secret("webhook secret") if from_stdin else given


def _address_form(name: str) -> AddressForm:
    from app.base.errors import AppError
    from app.brands.rules import AddressForm

    try:
        return AddressForm(name)
    except ValueError:
        raise AppError(
            "bad_address_form", f"{quoted(name)} is no form of address; use one of {', '.join(AddressForm)}."
        ) from None


def _platform(name: str) -> Platform:
    from app.base.errors import AppError
    from app.brands.rules import Platform

    try:
        return Platform(name)
    except ValueError:
        raise AppError(
            "bad_platform", f"{quoted(name)} is no platform we know; use one of {', '.join(Platform)}."
        ) from None


async def _create_shop(context: AppContext, brand: str | None, new: NewShop) -> dict[str, object]:
    """Create the shop, and its brand where none is given; returns what the command prints."""
    from app.base.actor import cli_actor
    from app.brands import add, find
    from app.platforms.new_shop import create_shop, hook_urls

    zone, locale = new.time_zone or "UTC", new.locale or "en"
    async with context.sessions.begin() as session:
        if brand:
            owner = await find.find_brand(session, brand)
        else:
            owner = await add.add_brand(session, new.slug, name=new.name, time_zone=zone, locale=locale)
        shop, secret = await create_shop(session, context.tokens, owner, new, actor=cli_actor(owner.id))
    hooks = hook_urls(context.settings.public_url, shop.slug, new.platform)
    result: dict[str, object] = {"brand": owner.slug, "shop": shop.slug, "hooks": hooks}
    return result if new.webhook_secret else result | {"webhook_secret": secret}


@console.shop.command("secret")
def exchange_secret(
    slug: Slug,
    webhook_secret: Secret = None,
    webhook_secret_stdin: SecretStdin = False,
) -> None:
    """Give a shop a new webhook secret; the previous one stays valid until the next new one."""
    from app.base.actor import cli_actor
    from app.brands import add, find

    webhook_secret = _webhook_secret(webhook_secret, webhook_secret_stdin)

    async def work(context: AppContext) -> str:
        async with context.sessions.begin() as session:
            brand, shop = await find.require_shop(session, slug)
            return await add.exchange_secret(
                session, context.tokens, shop, actor=cli_actor(brand.id), webhook_secret=webhook_secret
            )

    secret = console.with_context(work)
    console.print_json({"shop": slug} if webhook_secret else {"shop": slug, "webhook_secret": secret})
