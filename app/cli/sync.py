"""`tenfold sync`: what webhooks missed, read from a shop's platform."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app.base.errors import AppError
from app.cli import console

if TYPE_CHECKING:
    from app.base.context import AppContext
    from app.ingest.sync import SyncProgress


@console.cli.command("sync")
def sync(
    shop: Annotated[str, typer.Option(help="The shop's slug.")],
    since: Annotated[
        str | None,
        typer.Option(
            help="Read orders that were changed since then: 2026-03-01, or a time with its zone. Two days"
            " where it is left out."
        ),
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Orders that are not known are from before the start: customers count as known, nobody gets a"
            " message.",
        ),
    ] = False,
) -> None:
    """Read a connected shop's orders, refunds and shipments from its platform.

    What is known already changes nothing. One that broke off goes on where it was.
    """
    done = console.with_context(lambda context: _sync(context, shop, since, history=history))
    if sys.stdout.isatty():
        print(f"\r{_line(done[0])}")
        return
    progress, before = done
    counts = progress.counts
    console.print_json(
        {
            "shop": shop,
            "orders": counts.orders,
            "new": counts.new,
            "known": counts.known,
            "failed": counts.failed,
            "resumed_after": before,
        }
    )


async def _sync(
    context: AppContext, slug: str, since: str | None, *, history: bool
) -> tuple[SyncProgress, int]:
    from app.base import clock
    from app.base.errors import OutsideError
    from app.base.fence import load_fence
    from app.brands import find
    from app.brands.rules import zone_or
    from app.ingest.sync import sync_now
    from app.ingest.sync_rows import claim_now
    from app.platforms.registry import adapter_of

    async with context.sessions.begin() as session:
        _, shop = await find.require_shop(session, slug)
        if not adapter_of(shop.platform).lists_orders:
            raise AppError(
                "cannot_sync",
                f"Orders of a {shop.platform} shop cannot be read from it; import a file: tenfold import orders",
            )
        if await load_fence(session) is not None:
            raise AppError("fenced", "This database is fenced; run tenfold recover first.")
        zone = zone_or(shop.time_zone, "UTC")
        at = None if since is None else console.read_moment(since, "2026-03-01", zone)
        claimed, before = await claim_now(session, shop, since=at, history=history, now=clock.now())
    try:
        progress = _show if sys.stdout.isatty() else None
        return await sync_now(context, claimed, now=clock.now, progress=progress), before
    except OutsideError as error:
        raise AppError(
            "platform_failed", f"{error.reason} Run the same command again; it goes on from there."
        ) from None


def _line(progress: SyncProgress) -> str:
    counts, reached = progress.counts, progress.reached
    until = f", changed until {reached:%Y-%m-%d %H:%M}" if reached else ""
    return f"{counts.orders:,} orders: {counts.new:,} new, {counts.known:,} known, {counts.failed:,} failed{until}"


def _show(progress: SyncProgress) -> None:
    print(f"\r{_line(progress)}", end="", flush=True)
