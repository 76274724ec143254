"""Identify the people of a batch: find or create their customers, all at once."""

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.customers.index import load_index
from app.customers.match import ComparablePerson, comparable
from app.customers.person import Person
from app.customers.record_consents import record_consents
from app.customers.rules import stated_consents
from app.customers.write import write_customers

_ROUNDS = 8
"""How often a batch is repeated after another one created one of its customers first."""


async def identify(
    session: AsyncSession,
    brand: Brand,
    shop: Shop,
    people: Sequence[Person],
    *,
    now: datetime,
    read: Sequence[ComparablePerson | None] = (),
) -> list[UUID | None]:
    """The customer of each person, in order: found or created, with their new details and consents.

    None for a person without a usable e-mail address, a valid phone number or an id of the shop.
    Any number of batches may run at once: two that name a new person create one customer. `match`
    has the rules by which people are recognised. `read` has what `comparable` made of each, if the
    caller has done that.
    """
    persons = [made or comparable(person, now=now) for person, made in zip_longest(people, read)]
    for _ in range(_ROUNDS):
        index = await load_index(session, brand.id, shop.id, persons)
        customers = [index.resolve(person, new_id) for person in persons]
        if await write_customers(session, brand.id, shop.id, index, customers):
            ids = [customer.id if customer else None for customer in customers]
            stated = stated_consents(list(zip(ids, people, strict=True)), now=now)
            await record_consents(session, brand.id, stated)
            return ids
    raise RuntimeError("the same customers were created elsewhere again and again")
