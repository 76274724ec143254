"""Diagnostic commands: check the invariants of the data, and the installation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import console

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from app.base.config import Settings
    from app.base.context import AppContext
    from app.insight.invariants import Violation


@console.cli.command()
def invariants(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON instead of sentences.")
    ] = False,
) -> None:
    """Check every invariant of the data, read-only.

    Prints the violating rows and exits with 1 where an invariant is violated.
    """
    import app.models  # noqa: F401  # every table, for the invariant of unknown words
    from app.insight.invariants import INVARIANTS, check

    async def work(context: AppContext) -> list[Violation]:
        async with context.sessions() as session:
            return await check(session, context.tokens)

    violations = console.with_context(work)
    if as_json:
        console.print_json(
            {
                "invariants": len(INVARIANTS),
                "violations": [
                    {
                        "invariant": each.name,
                        "statement": each.statement,
                        "brand": each.brand_id,
                        "rows": each.rows,
                    }
                    for each in violations
                ],
            }
        )
    elif violations:
        for each in violations:
            print(f"VIOLATED (brand {each.brand_id}): {each.statement}: {', '.join(each.rows)}")
    else:
        print(f"All {len(INVARIANTS)} invariants hold.")
    if violations:
        raise SystemExit(1)


@console.cli.command()
def doctor() -> None:
    """Check settings, database, schema, key, journal, providers, queue, disks, shops, callers.

    Prints each problem with its solution, and exits with 1 where there is one.
    """
    from app.base.config import load_settings
    from app.base.embedded import embedded_problems
    from app.cli.checks import disk_problems, variable_problems, web_problems

    settings = load_settings()
    problems = console.with_context(_examine, settings=settings, migrated=False)
    problems += _examine_providers(settings)
    problems += asyncio.run(_examine_mail_server(settings))
    problems += variable_problems(Path(".env"))
    problems += web_problems(settings)
    problems += disk_problems(settings)
    if settings.embedded:
        problems += embedded_problems(settings.home)
    for problem in problems:
        print(f"! {problem}")
    if problems:
        raise SystemExit(1)
    print("Everything is in order.")


LAG_SECONDS = 60
"""Seconds: where work has waited longer, no worker is running."""


async def _examine(context: AppContext) -> list[str]:
    from sqlalchemy import text

    from app.base import clock, due, schema
    from app.base.db import Base
    from app.base.distribute import distribution_problems
    from app.base.errors import AppError
    from app.base.pools import check_connections
    from app.cli.checks import connection_problems
    from app.insight.health import health_problems, load_health
    from app.models import PLACES

    async with context.engine.connect() as connection:
        version = await connection.scalar(text("SHOW server_version_num"))
        problems = await connection_problems(connection)
    if not await schema.is_current(context.engine):
        return [*problems, "The schema is not at head. Run: tenfold migrate"]
    async with context.engine.connect() as connection:
        problems += await distribution_problems(connection, Base.metadata, PLACES)
    if int(version or 0) < 140000:
        problems.append("PostgreSQL is older than 14. Upgrade the server.")
    try:
        await check_connections(context.engine, context.settings.database_pool)
    except AppError as error:
        problems.append(error.detail)
    lag = await due.queue_lag_seconds(context.sessions)
    if lag > LAG_SECONDS:
        problems.append(f"Work has waited for {lag:.0f} s. Start a worker: tenfold worker")
    async with context.sessions() as session:
        problems += await _examine_fence(session, context)
        problems += health_problems(await load_health(session, now=clock.now()))
        problems += await _examine_key(session, context.settings)
    problems += await _examine_senders(context)
    problems += await _examine_rewards(context)
    return problems + await _examine_connections(context)


async def _examine_fence(session: AsyncSession, context: AppContext) -> list[str]:
    """Whether this is a restored copy that does not know what was sent."""
    from app.base.fence import is_behind, load_fence

    fence = await load_fence(session)
    if fence is not None:
        since = f"{fence.since:%Y-%m-%d %H:%M} UTC: {fence.reason}"
        return [f"Nothing is sent since {since}. Stop the workers of other copies, then run: tenfold recover"]
    if await is_behind(session, context.journal):
        return [
            (
                "The database is an older copy than its journal, so a worker will send nothing. Stop the"
                " workers of other copies, then run: tenfold recover"
            )
        ]
    return []


async def _examine_rewards(context: AppContext) -> list[str]:
    """Rewards that connected shops refuse; what rewards are there, and why, is a note."""
    from app.referrals.reward_notes import reward_notes, reward_problems

    async with context.sessions() as session:
        for note in await reward_notes(session):
            console.print_note(note)
        return await reward_problems(session)


async def _examine_senders(context: AppContext) -> list[str]:
    """What the DNS records of the senders' domains lack; what could not be read is a note."""
    from app.messaging.sender_check import check_senders, load_senders

    async with context.sessions() as session:
        domains = await load_senders(session, context.settings)
    reports = await check_senders(context.settings, domains)
    for note in (note for each in reports for note in each.notes):
        console.print_note(note)
    return [problem for each in reports for problem in each.problems]


async def _examine_connections(context: AppContext) -> list[str]:
    """What each shop's platform says now; nothing is changed there."""
    from app.ingest.sync_rows import find_sync_problems
    from app.platforms.check import check_all
    from app.referrals.publishing.findings import NOT_CONNECTED, find_code_problems, find_unconnected

    results = await check_all(context)
    problems = [f"Shop {each.target.shop.slug}: {text}" for each in results for text in each.report.problems]
    async with context.sessions() as session:
        for each in results:
            target = each.target
            found = await find_code_problems(session, target.brand_id, [target.shop_id])
            problems += [f"Shop {target.shop.slug}: {text}" for text in found.get(target.shop_id, ())]
        for slug, text in await find_sync_problems(session):
            problems.append(f"Shop {slug}: its orders could not be read: {text}")
        for slug in await find_unconnected(session):
            console.print_note(f"Shop {slug}: {NOT_CONNECTED.format(slug=slug)}")
    return problems


async def _examine_key(session: AsyncSession, settings: Settings) -> list[str]:
    """Whether everything is sealed under the present key, and until when former keys are needed."""
    from app.base import clock
    from app.base.secret_key import load_key_state
    from app.insight.old_links import last_old_link

    state = await load_key_state(session)
    if state is None:
        return []
    if state.rotated_at is None:
        return ["Secrets may be sealed under a former key. Run: tenfold key-rotate"]
    until = await last_old_link(session, state.rotated_at, now=clock.now()) if state.replaced else None
    if settings.old_secret_keys and until is None:
        return ["No link under a former key is left. Remove TENFOLD_SECRET_KEYS_OLD."]
    if until is not None:
        console.print_note(f"Keep the former key in TENFOLD_SECRET_KEYS_OLD until {until:%Y-%m-%d}.")
    return []


def _examine_providers(settings: Settings) -> list[str]:
    from app.base.config import EmailProvider, SmsProvider

    problems = []
    if settings.email_provider is EmailProvider.outbox and settings.sms_provider is SmsProvider.outbox:
        console.print_note("Nothing leaves this machine: e-mail and texts stay in the outbox.")
    if settings.email_provider is EmailProvider.sendgrid and not settings.sendgrid_event_public_key:
        problems.append(
            "SendGrid's events are accepted without a signature. Set TENFOLD_SENDGRID_EVENT_PUBLIC_KEY."
        )
    if settings.email_provider is not EmailProvider.outbox and settings.public_url.startswith("http://127."):
        problems.append(
            "Links in messages point to this machine. Set TENFOLD_PUBLIC_URL to your public https address."
        )
    elif settings.email_provider is not EmailProvider.outbox and settings.public_url.startswith("http://"):
        problems.append(
            "Mailboxes offer one-click unsubscription by https alone (RFC 8058). Set TENFOLD_PUBLIC_URL to your"
            " public https address."
        )
    return problems


async def _examine_mail_server(settings: Settings) -> list[str]:
    """Whether the mail server lets us in."""
    from app.base.config import EmailProvider
    from app.base.domain_names import split_sender
    from app.wiring import smtp_of

    if settings.email_provider is not EmailProvider.smtp:
        return []
    server = smtp_of(settings)
    try:
        error = await server.check((split_sender(settings.email_from or "") or ("", ""))[1])
    finally:
        await server.close()
    return [] if error is None else [f"No mail can be sent: {error.reason}. Check TENFOLD_SMTP_URL."]
