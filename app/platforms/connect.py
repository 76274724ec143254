"""Connect a shop to its platform, and end the connection."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.actor import Actor
from app.base.config import Settings
from app.base.context import AppContext
from app.base.errors import AppError, Fault, OutsideError
from app.base.fence import load_fence
from app.base.tokens import Tokens
from app.brands.add import exchange_secret
from app.brands.models import Shop
from app.platforms.calls import open_platform_session
from app.platforms.check import CALL_SECONDS, connected_shop, load_targets
from app.platforms.connection_types import Connection
from app.platforms.connections import save_connection
from app.platforms.models import ShopConnection
from app.platforms.registry import adapter_of

SWEEP_NAME = "connections"
TRY_SECONDS = 20.0
"""The longest that trying new credentials may take."""


async def try_connection(
    settings: Settings, shop: Shop, account: str, credentials: Mapping[str, str]
) -> Connection:
    """The connection with this account and these credentials, once a call with them worked.

    Nothing is changed at the platform, and no transaction may be open. Raises `AppError`: for an
    account or credentials that cannot be (`bad_account`, `bad_credentials`, `not_connectable`),
    that the platform refuses (`connection_refused`), or where it does not respond
    (`platform_unreachable`).
    """
    adapter = adapter_of(shop.platform)
    connection = adapter.make_connection(account, credentials, local=settings.local_platforms)
    try:
        async with open_platform_session(settings, connections=1, total_seconds=CALL_SECONDS) as http:
            async with asyncio.timeout(TRY_SECONDS):
                await adapter.check(http, connection, connected_shop(settings, shop))
    except OutsideError as error:
        if error.fault in {Fault.outage, Fault.busy}:
            raise _unreachable(error.reason) from None
        raise AppError("connection_refused", error.reason) from None
    except TimeoutError:
        raise _unreachable(f"The platform did not respond within {TRY_SECONDS:.0f} s.") from None
    return connection


def _unreachable(reason: str) -> AppError:
    return AppError(
        "platform_unreachable",
        f"{reason} Nothing was saved; try again later.",
        status=503,
        headers={"Retry-After": "60"},
    )


async def connect_shop(
    session: AsyncSession,
    tokens: Tokens,
    shop: Shop,
    connection: Connection,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Store a connection that was tried, and the secret of its webhooks with it.

    The webhooks are registered by the sweep, at once: so a crash after the commit loses nothing.
    Raises `AppError` (`account_taken`, `bad_secret`).
    """
    await save_connection(session, tokens, shop.brand_id, shop.id, connection, actor=actor, now=now)
    secret = adapter_of(shop.platform).webhook_secret(connection)
    if secret is not None:
        await exchange_secret(session, tokens, shop, actor=actor, webhook_secret=secret)
    await due.wake(session, SWEEP_NAME)


async def request_check(session: AsyncSession, brand_id: int, shop_id: UUID, *, now: datetime) -> None:
    """Have the sweep check the shop's connection at once, and register what is missing.

    Until then `checked_at` is None. Raises `AppError` (`not_connected`).
    """
    asked = await session.execute(
        update(ShopConnection)
        .where(ShopConnection.brand_id == brand_id, ShopConnection.shop_id == shop_id)
        .values(check_due_at=now, checked_at=None)
        .returning(ShopConnection.shop_id)
        .execution_options(synchronize_session=False)
    )
    if asked.first() is None:
        raise AppError("not_connected", "The shop is not connected to its platform.", status=404)
    await due.wake(session, SWEEP_NAME)


async def remove_webhooks(context: AppContext, shop: Shop) -> str | None:
    """Remove the shop's webhooks at its platform; returns why that failed, None where it did not.

    No transaction may be open. Nothing is removed in a fenced copy of the database, nor for a shop
    without a connection.
    """
    async with context.sessions() as session:
        is_fenced = await load_fence(session) is not None
        targets = await load_targets(session, context.settings, context.tokens, shop.brand_id, [shop.id])
    if is_fenced or not targets:
        return None
    (target,) = targets
    try:
        async with open_platform_session(context.settings, connections=1, total_seconds=CALL_SECONDS) as http:
            async with asyncio.timeout(TRY_SECONDS):
                await adapter_of(target.platform).disconnect(http, target.connection, target.shop)
    except OutsideError as error:
        return error.reason
    except TimeoutError:
        return f"The platform did not respond within {TRY_SECONDS:.0f} s."
    return None
