"""Erase one person on somebody's word: a command's or an API caller's."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.context import AppContext
from app.brands.find import load_brand, load_shops
from app.brands.models import Shop
from app.customers.contact import email_identity, phone_e164
from app.customers.erased import ErasedPerson, Identities
from app.customers.find import find_person
from app.ingest.bodies import load_unlinked
from app.ingest.erase import PersonToErase, erase_people
from app.ingest.named import find_named


async def erase_named(
    session: AsyncSession,
    context: AppContext,
    *,
    actor: Actor,
    now: datetime,
    email: str | None = None,
    phone: str | None = None,
    reference: str | None = None,
    shop: str | None = None,
) -> set[UUID] | None:
    """Erase the person whom `find_person` finds by these; returns their customers.

    Somebody who is no customer but is named in a raw delivery is erased there, and suppressed; the
    set is empty then. None, and nothing changed, where the brand holds nothing of them. The sweep
    `erasures` does what the step leaves.
    """
    brand = await load_brand(session, actor.brand_id)
    shops = await load_shops(session, brand.id)
    found = await find_person(session, brand.id, email=email, phone=phone, reference=reference, shop=shop)
    identity, number = email_identity(email), phone_e164(phone, [])
    identities = Identities(frozenset({identity} if identity else ()), frozenset({number} if number else ()))
    if not found and not await _is_named(session, context, brand.id, shops, identities):
        return None
    person = PersonToErase(frozenset(found), identities)
    await erase_people(session, context.tokens, brand, shops, [person], actor=actor, now=now)
    return found


async def _is_named(
    session: AsyncSession,
    context: AppContext,
    brand_id: int,
    shops: Mapping[UUID, Shop],
    identities: Identities,
) -> bool:
    """Whether a delivery that is linked to nobody names this person; waiting ones count too."""
    listed = {key: ErasedPerson(None, 2**63 - 1) for key in identities.keys(context.tokens)}
    after: UUID | None = None
    while listed:
        chunk = await load_unlinked(session, brand_id, before=2**63 - 1, after=after, waiting=True)
        if not chunk:
            return False
        after = chunk[-1].id
        if await find_named(session, context.tokens, brand_id, shops, chunk, listed=listed):
            return True
    return False
