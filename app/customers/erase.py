"""Erase customers: only an id stays, for the amounts."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.tokens import Tokens
from app.base.touched import touch
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.models import ConsentFact, Customer, CustomerReference, FormerReference
from app.customers.rules import SuppressionReason

_PERSONAL = ("email", "email_key", "phone", "first_name", "last_name", "locale", "time_zone", "country")
_TIMES = tuple(f"{name}_at" for name in _PERSONAL[2:])


async def erase_customer(
    session: AsyncSession, tokens: Tokens, brand_id: int, customer_ids: Collection[UUID], *, now: datetime
) -> None:
    """Delete these customers' details, the shops' ids of them and their consents. Idempotent.

    The empty row stays, so that orders and the ledger still add up. The addresses are suppressed as
    `erased`, by their keyed hash: a late order creates a new customer who is never written to.
    """
    ids = sorted(set(customer_ids))
    if not ids:
        return
    found = await session.execute(
        select(Customer.email, Customer.phone)
        .where(Customer.brand_id == brand_id, in_ids(Customer.id, ids))
        .order_by(Customer.id)
        .with_for_update(key_share=True)
    )
    people = found.all()
    await session.execute(
        update(Customer)
        .values(dict.fromkeys(_PERSONAL + _TIMES) | {"erased_at": func.coalesce(Customer.erased_at, now)})
        .where(Customer.brand_id == brand_id, in_ids(Customer.id, ids))
        .execution_options(synchronize_session=False)
    )
    await touch(session, brand_id, "customers", ids)
    for table in (CustomerReference, FormerReference, ConsentFact):
        await session.execute(
            delete(table)
            .where(table.brand_id == brand_id, in_ids(table.customer_id, ids))
            .execution_options(synchronize_session=False)
        )
    emails = [person.email for person in people if person.email]
    phones = [person.phone for person in people if person.phone]
    await suppress(session, tokens, brand_id, Channel.email, emails, SuppressionReason.erased, now=now)
    await suppress(session, tokens, brand_id, Channel.sms, phones, SuppressionReason.erased, now=now)
