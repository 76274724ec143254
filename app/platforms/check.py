"""Check the shops' connections, and register again what the platforms have dropped.

A check calls the platform outside of any transaction. It may break off at any point, since every
step may be repeated: the row stays due.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import aiohttp
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.config import Settings
from app.base.context import AppContext
from app.base.errors import AppError, Fault, OutsideError
from app.base.fence import load_fence
from app.base.log import logger
from app.base.tokens import Tokens
from app.brands.models import Shop
from app.brands.rules import zone_or
from app.customers.consent import countries_without_consent
from app.platforms.calls import open_platform_session
from app.platforms.connection_types import ConnectedShop, Connection, ConnectionReport
from app.platforms.connections import load_connections
from app.platforms.default_reward import settle_default_reward
from app.platforms.models import ShopConnection
from app.platforms.registry import adapter_of
from app.platforms.rules import RETRY, next_check

log = logger(__name__)

CALL_SECONDS = 10.0
"""The longest that one call of a platform may take."""
CHECK_SECONDS = 60.0
"""The longest that the check of one shop may take."""
LEASE = timedelta(minutes=5)
"""A check that a process began and never finished is made again after this."""


@dataclass(frozen=True, slots=True)
class CheckTarget:
    """One connection to check, as it was when it was read."""

    brand_id: int
    shop_id: UUID
    platform: str
    shop: ConnectedShop
    connection: Connection
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The report of a check; one that could not be made has the reason as its problem."""

    target: CheckTarget
    report: ConnectionReport
    is_late: bool = False
    """Whether to check again within the hour, as the platform did not respond."""


def connected_shop(
    settings: Settings, shop: Shop, webhook_secret: str = "", lacks_consent_in: frozenset[str] = frozenset()
) -> ConnectedShop:
    """Our side of a shop's connection; without the secret where it is only read."""
    return ConnectedShop(
        shop.slug,
        shop.url,
        shop.currency,
        shop.time_zone,
        f"{settings.public_url}/hooks/{shop.slug}/{shop.platform}",
        webhook_secret,
        shop.platform_settings,
        lacks_consent_in,
    )


async def load_targets(
    session: AsyncSession, settings: Settings, tokens: Tokens, brand_id: int, shop_ids: Sequence[UUID]
) -> list[CheckTarget]:
    """The connections of these shops; a shop without one is left out."""
    connections = await load_connections(session, tokens, brand_id, shop_ids)
    lacks_consent_in = await countries_without_consent(session, brand_id)
    rows = await session.execute(
        select(Shop, ShopConnection.updated_at)
        .join(
            ShopConnection, (ShopConnection.brand_id == Shop.brand_id) & (ShopConnection.shop_id == Shop.id)
        )
        .where(Shop.brand_id == brand_id, in_ids(Shop.id, list(shop_ids)))
        .order_by(Shop.id)
    )
    return [
        CheckTarget(
            brand_id,
            shop.id,
            shop.platform,
            connected_shop(settings, shop, tokens.open(shop.sealed_secrets[0]), lacks_consent_in),
            connections[shop.id],
            updated_at,
        )
        for shop, updated_at in rows
        if shop.id in connections
    ]


async def run_check(http: aiohttp.ClientSession, target: CheckTarget, *, register: bool) -> CheckResult:
    """Check one connection; with `register` what is missing is registered. It never raises."""
    adapter = adapter_of(target.platform)
    work = adapter.connect if register else adapter.check
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return CheckResult(target, await work(http, target.connection, target.shop))
    except OutsideError as error:
        is_late = error.fault in {Fault.outage, Fault.busy}
        return CheckResult(target, ConnectionReport((error.reason,)), is_late)
    except TimeoutError:
        reason = f"The platform did not finish the check within {CHECK_SECONDS:.0f} s."
        return CheckResult(target, ConnectionReport((reason,)), is_late=True)
    except Exception as error:  # noqa: BLE001  # one shop's failure must not affect the others' checks
        kind = type(error).__name__
        # Not the exception itself: its text may hold credentials.
        log.error("a check of a connection broke", shop=target.shop.slug, error=kind)  # noqa: TRY400
        return CheckResult(target, ConnectionReport((f"The check broke ({kind}).",)), is_late=True)


async def run_checks(
    settings: Settings, targets: Sequence[CheckTarget], *, register: bool
) -> list[CheckResult]:
    """Check these connections side by side."""
    async with open_platform_session(
        settings, connections=max(len(targets), 1), total_seconds=CALL_SECONDS
    ) as http:
        return list(await asyncio.gather(*(run_check(http, each, register=register) for each in targets)))


async def write_results(session: AsyncSession, results: Sequence[CheckResult], *, now: datetime) -> None:
    """Store what was found, and when each connection is checked next.

    A connection that was replaced meanwhile keeps what it has, and one whose platform did not
    respond the webhooks and notes of the check before.
    """
    for each in results:
        target, report = each.target, each.report
        night = next_check(target.shop_id, zone_or(target.shop.time_zone, "UTC"), after=now)
        await session.execute(
            update(ShopConnection)
            .where(
                ShopConnection.brand_id == target.brand_id,
                ShopConnection.shop_id == target.shop_id,
                ShopConnection.updated_at == target.updated_at,
            )
            .values(
                checked_at=now,
                check_due_at=min(now + RETRY, night) if each.is_late else night,
                problems=list(report.problems),
                **({} if each.is_late else _found(report)),
            )
        )
    for brand_id in sorted({each.target.brand_id for each in results}):
        await settle_default_reward(session, brand_id)


def _found(report: ConnectionReport) -> dict[str, object]:
    """What a check says that the platform responded to."""
    found: dict[str, object] = {"notes": [*report.notes], "webhooks": [*report.webhooks]}
    return found if report.holds_credit is None else found | {"holds_credit": report.holds_credit}


async def check_shop(context: AppContext, brand_id: int, shop_id: UUID, *, now: datetime) -> ConnectionReport:
    """Check one shop's connection now, register what is missing, and store what was found.

    In a fenced copy of the database nothing is registered. Raises `AppError` (`not_connected`).
    """
    async with context.sessions() as session:
        register = await load_fence(session) is None
        targets = await load_targets(session, context.settings, context.tokens, brand_id, [shop_id])
    if not targets:
        raise AppError(
            "not_connected",
            "The shop is not connected, so its cart knows no codes; connect it with: tenfold shop connect SHOP",
            status=404,
        )
    results = await run_checks(context.settings, targets, register=register)
    async with context.sessions.begin() as session:
        await write_results(session, results, now=now)
    return results[0].report


async def check_all(context: AppContext) -> list[CheckResult]:
    """Check every connection of every brand, a few side by side, and change nothing."""
    async with context.sessions() as session:
        rows = await session.execute(
            select(ShopConnection.brand_id, ShopConnection.shop_id).order_by(ShopConnection.brand_id)
        )
        shops: dict[int, list[UUID]] = {}
        for brand_id, shop_id in rows:
            shops.setdefault(brand_id, []).append(shop_id)
        targets = [
            target
            for brand_id, ids in shops.items()
            for target in await load_targets(session, context.settings, context.tokens, brand_id, ids)
        ]
    results: list[CheckResult] = []
    for start in range(0, len(targets), AT_ONCE):
        part = targets[start : start + AT_ONCE]
        results += await run_checks(context.settings, part, register=False)
    return results


AT_ONCE = 10
"""Shops that are checked side by side."""
