"""Set-up commands: migrate, brands, shops, keys and staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import console

if TYPE_CHECKING:
    from app.base.context import AppContext

Slug = Annotated[str, typer.Argument(help="Letters a-z, digits and dashes.")]


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
    name: Annotated[str, typer.Option(help="As customers know it.")],
    time_zone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    locale: Annotated[str, typer.Option(help="Such as de.")] = "en",
    postal_address: Annotated[str, typer.Option(help="Stands below every message.")] = "",
) -> None:
    """Create a brand with the default programme."""
    from app.brands import add

    async def work(context: AppContext) -> dict[str, object]:
        async with context.sessions.begin() as session:
            brand = await add.add_brand(
                session, slug, name=name, time_zone=time_zone, locale=locale, postal_address=postal_address
            )
            return {"brand": brand.slug, "id": brand.id, "name": brand.name}

    console.print_json(console.with_context(work))


@console.shop.command("add")
def add_shop(  # noqa: PLR0913, PLR0917  # each is an option of the command
    slug: Slug,
    name: Annotated[str, typer.Option(help="As customers know it.")],
    brand: Annotated[
        str | None, typer.Option(help="Slug of its brand; without it the shop gets a brand of its own.")
    ] = None,
    platform: Annotated[str, typer.Option(help="checkout or shopify.")] = "checkout",
    webhook_secret: Annotated[str | None, typer.Option(help="Made where none is given.")] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "EUR",
    time_zone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
    locale: Annotated[str | None, typer.Option(help="Such as de.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Where friends are led, such as https://shop.example.")
    ] = None,
) -> None:
    """Create a shop; prints its webhook addresses, and its secret where one was generated."""
    from app.base.errors import AppError
    from app.brands import add, find
    from app.brands.rules import Platform

    try:
        kind = Platform(platform)
    except ValueError:
        raise AppError(
            "bad_platform", f"{platform!r} is no platform we know; use one of {', '.join(Platform)}."
        ) from None

    async def work(context: AppContext) -> dict[str, object]:
        async with context.sessions.begin() as session:
            owner = (
                await find.find_brand(session, brand)
                if brand
                else await add.add_brand(
                    session, slug, name=name, time_zone=time_zone or "UTC", locale=locale or "en"
                )
            )
            made, secret = await add.add_shop(
                session,
                context.tokens,
                owner,
                slug,
                name=name,
                platform=kind,
                webhook_secret=webhook_secret,
                currency=currency,
                time_zone=time_zone,
                locale=locale,
                url=url,
            )
        base = f"{context.settings.public_url}/hooks/{made.slug}"
        hooks = {
            "checkout": f"{base}/checkout",
            **({} if kind is Platform.checkout else {kind.value: f"{base}/{kind}"}),
        }
        result: dict[str, object] = {"brand": owner.slug, "shop": made.slug, "hooks": hooks}
        return result if webhook_secret else result | {"webhook_secret": secret}

    console.print_json(console.with_context(work))


@console.shop.command("secret")
def exchange_secret(
    slug: Slug,
    webhook_secret: Annotated[str | None, typer.Option(help="Made where none is given.")] = None,
) -> None:
    """Give a shop a new webhook secret; the previous one stays valid until the next exchange."""
    from app.brands import add

    async def work(context: AppContext) -> str:
        async with context.sessions.begin() as session:
            return await add.exchange_secret(session, context.tokens, slug, webhook_secret=webhook_secret)

    made = console.with_context(work)
    console.print_json({"shop": slug} if webhook_secret else {"shop": slug, "webhook_secret": made})


@console.key.command("add")
def add_key(
    brand: Annotated[str, typer.Option(help="Slug of the brand the key belongs to.")],
    scope: Annotated[list[str], typer.Option(help="read, pii, write, checkout or admin; may be repeated.")],
) -> None:
    """Create an API key and print it, once."""
    from app.admin import keys
    from app.admin.rules import Scope
    from app.base.actor import cli_actor
    from app.base.errors import AppError
    from app.brands import find

    unknown = [word for word in scope if word not in set(Scope)]
    if unknown:
        raise AppError("bad_scope", f"{unknown[0]!r} is no scope; use {', '.join(Scope)}.")

    async def work(context: AppContext) -> str:
        async with context.sessions.begin() as session:
            owner = await find.find_brand(session, brand)
            return await keys.add_key(
                session, owner.id, [Scope(word) for word in scope], actor=cli_actor(owner.id)
            )

    print(console.with_context(work))


@console.staff.command("add")
def add_staff(
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    brand: Annotated[str, typer.Option(help="Slug of the brand they work for.")],
    role: Annotated[str, typer.Option(help="viewer, support, marketer or admin.")],
) -> None:
    """Add a person of the marketing team; they sign in by a one-time link."""
    from app.admin import staff
    from app.admin.rules import Role
    from app.base.actor import cli_actor
    from app.base.errors import AppError
    from app.brands import find

    if role not in set(Role):
        raise AppError("bad_role", f"{role!r} is no role; use {', '.join(Role)}.")

    async def work(context: AppContext) -> None:
        async with context.sessions.begin() as session:
            owner = await find.find_brand(session, brand)
            await staff.add_staff(session, owner.id, email, Role(role), actor=cli_actor(owner.id))

    console.with_context(work)
    console.print_note(f"Added. Sign them in with: tenfold staff login-link {email}")


@console.staff.command("login-link")
def login_link(
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    brand: Annotated[str | None, typer.Option(help="Slug of the brand, for who works for several.")] = None,
) -> None:
    """Print a link that signs this person in, once."""
    from app.admin import staff
    from app.base import clock
    from app.brands import find

    async def work(context: AppContext) -> str:
        async with context.sessions.begin() as session:
            chosen = (await find.find_brand(session, brand)).id if brand else None
            return await staff.make_login_link(session, context, email, now=clock.now(), brand_id=chosen)

    print(console.with_context(work))
