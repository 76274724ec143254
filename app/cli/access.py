"""Commands about who may do what: API keys and staff."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from app.base.errors import AppError
from app.cli import console

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.admin.rules import Role
    from app.admin.schemas import KeyRow, StaffRow
    from app.base.context import AppContext

Email = Annotated[str, typer.Argument(help="Their e-mail address.")]
OfBrand = Annotated[str, typer.Option(help="Slug of the brand.")]


@console.key.command("add")
def add_key(
    brand: Annotated[str, typer.Option(help="Slug of the brand the key belongs to.")],
    scope: Annotated[list[str], typer.Option(help="read, pii, write, checkout or admin; may be repeated.")],
    label: Annotated[str, typer.Option(help="What the key is for, at most 200 characters.")] = "",
    expires_days: Annotated[
        int | None, typer.Option(help="Days until it expires; without it, it is good until revoked.")
    ] = None,
) -> None:
    """Create an API key and print it; it cannot be printed again."""
    from app.admin import keys
    from app.admin.rules import Scope
    from app.base import clock
    from app.base.actor import cli_actor
    from app.base.text import quoted
    from app.brands import find

    unknown = [word for word in scope if word not in set(Scope)]
    if unknown:
        raise AppError("bad_scope", f"{quoted(unknown[0])} is no scope; use {', '.join(Scope)}.")
    _check_label(label)
    if expires_days is not None and not 1 <= expires_days <= MOST_DAYS:
        raise AppError("bad_expiry", f"A key expires after 1 to {MOST_DAYS} days.")

    async def work(context: AppContext) -> str:
        expires_at = None if expires_days is None else clock.now() + timedelta(days=expires_days)
        async with context.sessions.begin() as session:
            owner = await find.find_brand(session, brand)
            _, key = await keys.create_key(
                session,
                owner.id,
                [Scope(word) for word in scope],
                actor=cli_actor(owner.id),
                label=label,
                expires_at=expires_at,
            )
            return key

    print(console.with_context(work))


MOST_DAYS = 3650
"""The longest that a key may be good for, unless it is good until it is revoked."""


def _check_label(label: str) -> None:
    from app.base.text import is_clean

    if len(label) > 200 or not is_clean(label):
        raise AppError("bad_label", "A label is one line of at most 200 characters.")


@console.key.command("list")
def list_keys(brand: OfBrand) -> None:
    """Print the brand's keys as JSON, newest first, revoked ones too; never a key itself."""
    from sqlalchemy import select

    from app.admin.models import ApiKey
    from app.admin.schemas import KeyRow
    from app.brands import find

    async def work(context: AppContext) -> list[KeyRow]:
        async with context.sessions() as session:
            owner = await find.find_brand(session, brand)
            rows = select(ApiKey).where(ApiKey.brand_id == owner.id).order_by(ApiKey.id.desc())
            return [KeyRow.of(key) for key in await session.scalars(rows)]

    _print_rows(console.with_context(work))


@console.key.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="Its id, such as key_01j…: see tenfold key list.")],
) -> None:
    """Revoke a key: every process refuses it within five seconds."""
    from app.admin import keys
    from app.base import clock
    from app.base.actor import cli_actor
    from app.base.ids import parse_public_id

    async def work(context: AppContext) -> None:
        async with context.sessions.begin() as session:
            row_id = parse_public_id("key", key_id)
            brand_id = await keys.brand_of_key(session, row_id)
            await keys.revoke_key(session, brand_id, row_id, actor=cli_actor(brand_id), now=clock.now())

    console.with_context(work)
    console.print_note("Revoked.")


Shop = Annotated[
    list[str] | None,
    typer.Option(help="Slug of a shop that they may see; may be repeated. Without it every shop."),
]


@console.staff.command("add")
def add_staff(
    email: Email,
    brand: Annotated[str, typer.Option(help="Slug of the brand they work for.")],
    role: Annotated[str, typer.Option(help="viewer, support, marketer or admin.")],
    shop: Shop = None,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read a password to sign in by, of 12 characters or more."),
    ] = False,
) -> None:
    """Add a staff member, or change their access; they sign in by a one-time link or a password."""
    from app.admin import staff
    from app.base.actor import cli_actor
    from app.brands import find

    chosen = _role(role)
    password = console.read_secret("password") if password_stdin else None

    async def work(context: AppContext) -> None:
        async with context.sessions.begin() as session:
            owner = await find.find_brand(session, brand)
            actor = cli_actor(owner.id)
            staff_id = await staff.add_staff(session, owner.id, email, chosen, actor=actor, shops=shop)
            if password is not None:
                await staff.set_password(session, owner.id, staff_id, password, actor=actor)

    console.with_context(work)
    if password is None:
        console.print_note(f"Added. Get a link to sign in with: tenfold staff login-link {email}")
    else:
        console.print_note("Added. They sign in at /admin by this password.")


def _role(word: str) -> Role:
    from app.admin.rules import Role
    from app.base.text import quoted

    if word not in set(Role):
        raise AppError("bad_role", f"{quoted(word)} is no role; use {', '.join(Role)}.")
    return Role(word)


@console.staff.command("invite")
def invite_staff(
    email: Email,
    brand: Annotated[str, typer.Option(help="Slug of the brand they will work for.")],
    role: Annotated[str, typer.Option(help="viewer, support, marketer or admin.")],
    shop: Shop = None,
) -> None:
    """Mail a person an invitation with a link, good for seven days; again: another one."""
    from app.admin import staff_mail
    from app.base import clock
    from app.base.actor import cli_actor
    from app.brands import find

    chosen = _role(role)

    async def work(context: AppContext) -> None:
        async with context.sessions.begin() as session:
            owner = await find.find_brand(session, brand)
            actor = cli_actor(owner.id)
            await staff_mail.invite(
                session, owner.id, email, chosen, shops=shop, actor=actor, now=clock.now()
            )

    console.with_context(work)
    console.print_note("Invited. The mail leaves with the next run of the worker.")


@console.staff.command("list")
def list_staff(brand: OfBrand) -> None:
    """Print the brand's staff as JSON, newest first."""
    from app.admin.rows import STAFF
    from app.admin.schemas import StaffRow
    from app.brands import find

    async def work(context: AppContext) -> list[StaffRow]:
        async with context.sessions() as session:
            owner = await find.find_brand(session, brand)
            rows = await session.execute(STAFF.rows(owner.id).order_by(STAFF.key.desc()))
            return [StaffRow.from_row(row, pii=True) for row in rows]

    _print_rows(console.with_context(work))


def _print_rows(rows: Iterable[KeyRow | StaffRow]) -> None:
    console.print_json({"data": [row.model_dump(mode="json") for row in rows]})


@console.staff.command("remove")
def remove_staff(
    email: Email,
    brand: OfBrand,
    keep_keys: Annotated[
        bool, typer.Option("--keep-keys", help="API keys that they made stay good.")
    ] = False,
) -> None:
    """Remove a staff member; their sessions, links and the API keys that they made end at once."""
    from app.admin import staff
    from app.base.actor import cli_actor
    from app.brands import find

    async def work(context: AppContext) -> int:
        async with context.sessions.begin() as session:
            owner = await find.find_brand(session, brand)
            person = await staff.find_staff(session, email, brand_id=owner.id)
            removed = await staff.remove_staff(
                session, owner.id, person.id, actor=cli_actor(owner.id), keep_keys=keep_keys
            )
            return removed.keys_ended

    ended = console.with_context(work)
    console.print_note(f"Removed. API keys that ended with them: {ended}." if ended else "Removed.")


@console.staff.command("remove-authenticator")
def remove_authenticator(email: Email, brand: OfBrand) -> None:
    """Ask a person for no codes any more, as when their phone and recovery codes are lost."""
    from app.admin import second_factor, staff
    from app.base.actor import cli_actor
    from app.brands import find

    async def work(context: AppContext) -> None:
        async with context.sessions.begin() as session:
            owner = await find.find_brand(session, brand)
            person = await staff.find_staff(session, email, brand_id=owner.id)
            await second_factor.remove_totp(session, person, actor=cli_actor(owner.id))

    console.with_context(work)
    console.print_note("Removed. An administrator sets up another one when they sign in.")


@console.staff.command("login-link")
def login_link(
    email: Email,
    brand: Annotated[
        str | None, typer.Option(help="Slug of the brand, for a person of several brands.")
    ] = None,
) -> None:
    """Print a link that signs this person in once."""
    from app.admin import links
    from app.base import clock
    from app.brands import find

    async def work(context: AppContext) -> str:
        async with context.sessions.begin() as session:
            chosen = (await find.find_brand(session, brand)).id if brand else None
            return await links.make_login_link(session, context, email, now=clock.now(), brand_id=chosen)

    print(console.with_context(work))
