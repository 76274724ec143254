"""Commands after a change of the secret key or a restored backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.base.errors import AppError
from app.cli import console

if TYPE_CHECKING:
    from app.base.context import AppContext


@console.cli.command("key-rotate")
def rotate_key() -> None:
    """Seal everything anew with the present secret key; prints until when old keys are needed."""

    async def work(context: AppContext) -> dict[str, object]:
        try:
            return await _rotate(context)
        except ValueError as error:
            raise AppError(
                "foreign_key", f"Nothing more was sealed: {error}; add it to TENFOLD_SECRET_KEYS_OLD."
            ) from None

    console.print_json(console.with_context(work))


async def _rotate(context: AppContext) -> dict[str, object]:
    from sqlalchemy import select

    from app.admin.alarm_settings import reseal_webhook
    from app.admin.second_factor import reseal_totp
    from app.base import clock
    from app.base.secret_key import finish_rotation, load_key_state
    from app.brands.models import Brand
    from app.brands.reseal import reseal_shops
    from app.insight.old_links import last_old_link
    from app.messaging.accounts import reseal_accounts
    from app.platforms.connections import reseal_connections

    shops = connections = accounts = authenticators = webhooks = 0
    async with context.sessions() as session:
        brands = (await session.scalars(select(Brand.id).order_by(Brand.id))).all()
    for brand_id in brands:
        async with context.sessions.begin() as session:
            shops += await reseal_shops(session, context.tokens, brand_id)
            connections += await reseal_connections(session, context.tokens, brand_id)
            accounts += await reseal_accounts(session, context.tokens, brand_id)
            authenticators += await reseal_totp(session, context.tokens, brand_id)
            webhooks += await reseal_webhook(session, context.tokens, brand_id)
    async with context.sessions.begin() as session:
        await finish_rotation(session, context.tokens)
        state = await load_key_state(session)
        if state is None or state.rotated_at is None:
            raise AppError("no_key", "The database is bound to no key; run: tenfold migrate", status=500)
        until = await last_old_link(session, state.rotated_at, now=clock.now())
    replaced = state.replaced > 0
    return {
        "shops": shops,
        "connections": connections,
        "provider_accounts": accounts,
        "authenticators": authenticators,
        "alarm_webhooks": webhooks,
        "old_links_until": until if replaced else None,
    }


@console.cli.command()
def recover(
    journal: Annotated[
        list[Path] | None,
        typer.Option(
            help="A journal directory; repeat it for those of other machines. Without it this machine's."
        ),
    ] = None,
) -> None:
    """Bring a restored database up to its journal, and let it send again."""

    async def work(context: AppContext) -> dict[str, object]:
        from dataclasses import asdict

        from app.base import clock
        from app.ingest.recover import recover as run

        directories = journal or [context.settings.journal_path]
        for directory in directories:
            if journal and not directory.is_dir():
                raise AppError("no_journal", f"There is no journal directory {directory}.")
        done = await run(context, directories, now=clock.now())
        return asdict(done) | {"decide": done.decisions()}

    console.print_json(console.with_context(work))
