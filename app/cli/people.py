"""Commands about one person's data: show it, or erase it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.base.errors import AppError
from app.base.text import quoted
from app.cli import console

if TYPE_CHECKING:
    from app.base.context import AppContext
    from app.insight.schemas import PersonExport

Email = Annotated[str, typer.Argument(help="Their e-mail address.")]
OfBrand = Annotated[str, typer.Option(help="Slug of the brand.")]


@console.person.command("export")
def export_person(email: Email, brand: OfBrand) -> None:
    """Print all that the brand stores about a person, as JSON."""
    from app.brands import find
    from app.insight import person

    async def work(context: AppContext) -> PersonExport | None:
        async with context.sessions() as session:
            owner = await find.find_brand(session, brand)
            return await person.export_person(session, context.tokens, owner, email)

    exported = console.with_context(work)
    if exported is None:
        raise _nobody(brand)
    console.print_json(exported.model_dump(mode="json", exclude_unset=True))


@console.person.command("erase")
def erase_person(email: Email, brand: OfBrand) -> None:
    """Erase a person's data everywhere.

    Amounts and scores are kept without a name, and the address never gets a message again.
    """
    from app.base import clock
    from app.base.actor import cli_actor
    from app.brands import find
    from app.customers.find import find_customers
    from app.ingest.erase import PersonToErase, erase_people

    async def work(context: AppContext) -> int:
        async with context.sessions.begin() as session:
            owner = await find.find_brand(session, brand)
            ids = await find_customers(session, owner.id, email=email)
            if ids:
                await erase_people(
                    session,
                    context.tokens,
                    owner,
                    await find.load_shops(session, owner.id),
                    [PersonToErase(frozenset(ids))],
                    actor=cli_actor(owner.id),
                    now=clock.now(),
                )
            return len(ids)

    if console.with_context(work) == 0:
        raise _nobody(brand)
    console.print_note("Erased.")


def _nobody(brand: str) -> AppError:
    return AppError(
        "unknown_person", f"The brand {quoted(brand)} has no customer with this address.", status=404
    )
