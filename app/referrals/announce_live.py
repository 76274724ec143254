"""Queue the offers of codes that a shop knows now."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.context import AppContext
from app.brands.find import load_brand, load_programme
from app.brands.models import Shop
from app.customers.consent import load_contact_options
from app.referrals.announce import announce_codes
from app.referrals.models import Code, Referrer
from app.referrals.publication_models import CodePublication
from app.referrals.rules import CodeKind, WithheldReason
from app.referrals.share import in_home_shop
from app.referrals.withheld import Withheld, record_withheld


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
    if not code_ids:
        return
    rows = await session.execute(
        select(Code, Referrer, CodePublication.trial)
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
    found = rows.all()
    if not found:
        return
    brand = await load_brand(session, brand_id)
    referrers = {row.Referrer.id: row.Referrer for row in found}
    customers = {each.customer_id: each for each in referrers.values()}
    people = await load_contact_options(session, context.tokens, brand, customers)
    unreached = await announce_codes(
        session,
        brand,
        {customer_id: person for customer_id, person in people.items() if not person.erased},
        referrers,
        [row.Code for row in found],
        {shop.id: shop},
        await load_programme(session, brand_id),
        trials={row.Referrer.customer_id for row in found if row.trial},
        now=now,
    )
    withheld = [
        Withheld(customer_id, customers[customer_id].survey_id, WithheldReason(reason), channel)
        for customer_id, channel, reason in unreached
    ]
    await record_withheld(session, brand_id, withheld, now=now)
