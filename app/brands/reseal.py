"""Seal the shops' webhook secrets anew with the present secret key."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Shop


async def reseal_shops(session: AsyncSession, tokens: Tokens, brand_id: int) -> int:
    """Seal the secrets that are under a former key; returns how many shops had one. Idempotent.

    Raises `ValueError` where one is under a key that is not known.
    """
    query = select(Shop).where(Shop.brand_id == brand_id).order_by(Shop.id).with_for_update()
    changed = 0
    for shop in await session.scalars(query):
        if not all(tokens.is_present(sealed) for sealed in shop.sealed_secrets):
            shop.sealed_secrets = [tokens.seal(tokens.open(sealed)) for sealed in shop.sealed_secrets]
            changed += 1
    await session.flush()
    return changed
