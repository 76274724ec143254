"""Queue the offers of codes that a shop knows now."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.context import AppContext
from app.brands.find import load_brand, load_programme
from app.brands.models import Shop
from app.customers.consent import load_contact_options
from app.referrals.announce import OfferRecipients, announce_codes
from app.referrals.code_state import in_home_shop
from app.referrals.models import Code, Referrer
from app.referrals.publishing.models import CodePublication
from app.referrals.rules import CodeKind
from app.referrals.withheld import record_withheld


async def announce_live(
    session: AsyncSession,
    context: AppContext,
    brand_id: int,
    shop: Shop,
    code_ids: Sequence[UUID],
    *,
    now: datetime,
) -> None:
    """Queue the offers of those of these codes that are their referrers' present ones.

    Codes of the pool, and those that were disabled or replaced meanwhile, are left out. Who cannot
    be reached is stored with the reason.
    """
    found = await _announceable(session, brand_id, code_ids) if code_ids else []
    if not found:
        return
    brand = await load_brand(session, brand_id)
    customer_ids = {each.customer_id for each in found}
    people = await load_contact_options(session, context.tokens, brand, customer_ids)
    recipients = OfferRecipients(
        referrers={each.referrer.id: each.referrer for each in found},
        people={customer_id: person for customer_id, person in people.items() if not person.erased},
        shops={shop.id: shop},
        surveys={each.customer_id: each.referrer.survey_id for each in found},
        trials={each.customer_id for each in found if each.trial},
    )
    in_force = await load_programme(session, brand_id)
    codes = [each.code for each in found]
    unreached = await announce_codes(session, brand, codes, recipients, in_force, now=now)
    await record_withheld(session, brand_id, unreached, now=now)


class _Announceable(NamedTuple):
    code: Code
    referrer: Referrer
    customer_id: UUID
    trial: bool


async def _announceable(
    session: AsyncSession, brand_id: int, code_ids: Sequence[UUID]
) -> list[_Announceable]:
    """Those of these codes that are their referrers' present ones, in the order of their ids."""
    rows = await session.execute(
        select(Code, Referrer, Referrer.customer_id, CodePublication.trial)
        .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
        .join(CodePublication, in_home_shop())
        .where(
            Code.brand_id == brand_id,
            in_ids(Code.id, list(code_ids)),
            Code.active,
            Code.kind == CodeKind.share,
            Referrer.revoked_at.is_(None),
            Referrer.customer_id.is_not(None),
        )
        .order_by(Code.id)
    )
    return [_Announceable._make(row) for row in rows]
