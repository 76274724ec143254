"""Commands about one person's data: show it, or erase it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.base.errors import AppError
from app.base.text import quoted
from app.cli import console

if TYPE_CHECKING:
    from uuid import UUID

    from app.base.context import AppContext
    from app.insight.schemas import PersonExport

OfBrand = Annotated[str, typer.Option(help="Slug of the brand.")]
Email = Annotated[str | None, typer.Argument(help="Their e-mail address.")]
Phone = Annotated[str | None, typer.Option(help="Their phone number, with the country's prefix.")]
Id = Annotated[str | None, typer.Option("--id", help="Their id: cus_…, or a shop's own.")]
OfShop = Annotated[str | None, typer.Option(help="Slug of the shop, where several know the id.")]


@console.person.command("export")
def export_person(
    brand: OfBrand, email: Email = None, phone: Phone = None, id_: Id = None, shop: OfShop = None
) -> None:
    """Print all that the brand stores about a person, as JSON."""
    from app.brands import find
    from app.customers.find import find_person
    from app.insight.person import export_people

    async def work(context: AppContext) -> PersonExport | None:
        async with context.sessions() as session:
            owner = await find.find_brand(session, brand)
            ids = await find_person(session, owner.id, email=email, phone=phone, reference=id_, shop=shop)
            return await export_people(session, context, owner, ids) if ids else None

    exported = console.with_context(work)
    if exported is None:
        raise _nobody(brand)
    console.print_json(exported.model_dump(mode="json", exclude_unset=True))


@console.person.command("erase")
def erase_person(
    brand: OfBrand, email: Email = None, phone: Phone = None, id_: Id = None, shop: OfShop = None
) -> None:
    """Erase a person's data everywhere.

    Amounts and scores are kept without a name, and the address never gets a message again.
    """
    from app.base import clock
    from app.base.actor import cli_actor
    from app.base.retry import retry_conflicts
    from app.brands import find
    from app.ingest.erase_named import erase_named
    from app.ingest.erase_sweep import finish_due

    async def work(context: AppContext) -> set[UUID] | None:
        now = clock.now()
        async with context.sessions() as session:
            brand_id = (await find.find_brand(session, brand)).id

        async def erase() -> set[UUID] | None:
            async with context.sessions.begin() as session:
                return await erase_named(
                    session,
                    context,
                    actor=cli_actor(brand_id),
                    now=now,
                    email=email,
                    phone=phone,
                    reference=id_,
                    shop=shop,
                )

        found = await retry_conflicts(erase, name="erase")
        if found is not None:
            # Raw deliveries are emptied now, whether or not a worker runs.
            await finish_due(context, brand_id, now=now)
        return found

    if console.with_context(work) is None:
        raise _nobody(brand)
    console.print_note("Erased.")


def _nobody(brand: str) -> AppError:
    return AppError("unknown_person", f"The brand {quoted(brand)} has nothing of this person.", status=404)
