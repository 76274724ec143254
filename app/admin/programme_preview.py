"""Terms that are not in force beside those that are: what API and dashboard show of them."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.amounts import check_amounts
from app.brands.find import ProgrammeInForce, load_currencies, load_shops
from app.brands.models import Brand
from app.brands.patch_rules import differences
from app.brands.programme import Programme
from app.referrals.preview_schemas import ProgrammePreview
from app.referrals.samples import sample_offer
from app.referrals.terms_preview import preview_terms


async def preview_programme(
    session: AsyncSession, brand: Brand, present: ProgrammeInForce, after: Programme, *, now: datetime
) -> ProgrammePreview:
    """What a programme would change. Saves nothing.

    Raises `AppError` `bad_amount` for an amount that a currency cannot hold.
    """
    check_amounts(after, await load_currencies(session, brand.id))
    shop = next(iter((await load_shops(session, brand.id)).values()), None)
    return ProgrammePreview.of(
        present.version,
        differences(present.programme, after),
        await preview_terms(session, brand, present.programme, after, now=now),
        None if shop is None else sample_offer(brand, shop, after, now=now),
    )
