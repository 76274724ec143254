"""Terms that are not in force beside those that are: what API and dashboard show of them."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.amounts import check_amounts
from app.brands.find import ProgrammeInForce
from app.brands.models import Brand
from app.brands.patch_rules import differences
from app.brands.programme import Programme
from app.brands.setup import load_setup
from app.referrals.preview_schemas import ProgrammePreview
from app.referrals.samples import sample_offer
from app.referrals.terms_preview import preview_terms


async def preview_programme(
    session: AsyncSession, brand: Brand, present: ProgrammeInForce, after: Programme, *, now: datetime
) -> ProgrammePreview:
    """What a programme would change. Saves nothing.

    Raises `AppError` `bad_amount` for an amount that a currency cannot hold.
    """
    shops = list((await load_setup(session, brand.id)).shops.values())
    currencies = {shop.currency for shop in shops}
    check_amounts(after, currencies)
    return ProgrammePreview.of(
        present.version,
        differences(present.programme, after),
        await preview_terms(session, brand, currencies, present.programme, after, now=now),
        sample_offer(brand, shops[0], after, now=now) if shops else None,
    )
