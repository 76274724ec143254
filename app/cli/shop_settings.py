"""The settings that a shop has of its platform."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from app.base.errors import AppError
from app.base.text import quoted
from app.cli import console

if TYPE_CHECKING:
    from app.base.context import AppContext


def read_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Settings by name, from `NAME=VALUE`. Raises `AppError` for one that is not of that form."""
    found = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not (separator and name.strip() and value.strip()):
            raise AppError("bad_setting", f"{quoted(pair)} is no setting; write it as NAME=VALUE.")
        found[name.strip()] = value.strip()
    return found


@console.shop.command("settings")
def change_settings(
    slug: Annotated[str, typer.Argument(help="The shop.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE (docs/platforms.md); may be repeated.")
    ] = None,
    unset: Annotated[list[str] | None, typer.Option(help="NAME; may be repeated.")] = None,
) -> None:
    """Print a shop's settings of its platform, after changing them."""
    from app.base.actor import cli_actor
    from app.brands import change, find
    from app.platforms.shop_settings import merge_settings

    changes: dict[str, str | None] = {**dict.fromkeys(unset or ()), **read_pairs(set_ or ())}

    async def work(context: AppContext) -> dict[str, object]:
        async with context.sessions.begin() as session:
            owner, shop = await find.require_shop(session, slug)
            settings = await merge_settings(session, owner.id, shop.slug, changes)
            fields: change.ShopFields = {"platform_settings": settings}
            await change.change_shop(session, owner.id, shop.slug, fields, actor=cli_actor(owner.id))
            return {"shop": shop.slug, "platform": shop.platform, "settings": settings}

    console.print_json(console.with_context(work))
