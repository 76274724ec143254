"""Commands about one person's data: show it whole, or forget it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.base.errors import AppError
from app.cli import frame

if TYPE_CHECKING:
    from app.base.web import Ground

Email = Annotated[str, typer.Argument(help="Their e-mail address.")]
OfBrand = Annotated[str, typer.Option(help="Slug of the brand.")]


@frame.person.command("export")
def export_person(email: Email, brand: OfBrand) -> None:
    """Print all that the brand holds of a person, as JSON."""
    from app.brands import find
    from app.insight import person

    async def work(ground: Ground) -> dict[str, Any] | None:
        async with ground.sessions() as session:
            owner = await find.find_brand(session, brand)
            return await person.export_person(session, ground.tokens, owner, email)

    told = frame.on_ground(work)
    if told is None:
        raise _nobody(brand)
    frame.print_json(told)


@frame.person.command("erase")
def erase_person(email: Email, brand: OfBrand) -> None:
    """Remove a person everywhere; amounts and scores stay without a name, and the address is never written to again."""
    from app.base import clock
    from app.brands import find
    from app.customers.find import find_customers
    from app.ingest.erase import forget_customers

    async def work(ground: Ground) -> int:
        async with ground.sessions.begin() as session:
            owner = await find.find_brand(session, brand)
            ids = await find_customers(session, owner.id, email=email)
            if ids:
                await forget_customers(session, ground.tokens, owner, ids, now=clock.now())
            return len(ids)

    if frame.on_ground(work) == 0:
        raise _nobody(brand)
    frame.tell("Erased.")


def _nobody(brand: str) -> AppError:
    return AppError("unknown_person", f"The brand {brand!r} has no customer with this address.", status=404)
