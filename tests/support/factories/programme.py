"""The terms in force."""

from typing import Any

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.add import change_programme
from app.brands.models import Brand
from app.brands.programme import Programme


async def set_terms(context: AppContext, brand: Brand, terms: dict[str, Any]) -> None:
    """Put terms in force; what is left out takes its default."""
    async with context.sessions.begin() as session:
        await change_programme(session, brand.id, Programme.model_validate(terms), actor=cli_actor(brand.id))
