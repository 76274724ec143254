"""People who were searched for, as the API and the dashboard show them."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.reads import record_reading
from app.admin.rows import CUSTOMERS
from app.base.actor import Actor
from app.base.schemas import ApiModel
from app.customers.schemas import CustomerRow
from app.insight.search import FoundBy, find_people


class SearchHit(ApiModel):
    """A person, and what of them was searched for."""

    customer: CustomerRow
    found_by: FoundBy | str


class SearchHits(ApiModel):
    """The people who were found."""

    data: list[SearchHit]


async def search(session: AsyncSession, caller: Actor, text: str) -> SearchHits:
    """The people whom `find_people` finds for this caller; audited as a list of people is."""
    visible = CUSTOMERS.visible(caller).whereclause if caller.shops is not None else None
    found = await find_people(
        session, caller.brand_id, text, pii=caller.sees_people, shops=caller.shops, visible=visible
    )
    if not found:
        return SearchHits(data=[])
    query = CUSTOMERS.visible(caller).where(CUSTOMERS.key.in_([each.customer_id for each in found]))
    rows = {row.id: CUSTOMERS.shape(row, pii=caller.sees_people) for row in await session.execute(query)}
    if rows:
        await record_reading(session, caller, CUSTOMERS.people, len(rows))
    return SearchHits(
        data=[
            SearchHit(customer=rows[each.customer_id], found_by=each.by)
            for each in found
            if each.customer_id in rows
        ]
    )
