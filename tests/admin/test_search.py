"""People are found by what somebody has before them, in the dashboard and by the API."""

import pytest
from sqlalchemy import select

from app.admin.rules import Role
from app.base.audit import AuditAction, AuditEntry
from app.base.ids import public_id
from app.brands.add import add_brand
from app.insight.search import FoundBy, find_people
from tests.support.dashboard import browser_of, dashboard_app, sign_in_as
from tests.support.factories.rows import Rows


@pytest.fixture
async def client(context):
    async with browser_of(dashboard_app(context)) as client:
        yield client


async def test_people_are_found_by_address_number_order_code_and_id(brand, shop, session):
    rows = Rows(session, brand, shop)
    lea = await rows.customer(email="lea@example.com", phone="+491701234567")
    order = await rows.order(lea, number="#1183", external_id="9912")
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    nobody = await rows.order(None, number="#1184")

    async def found(text, *, pii=True):
        return [(each.customer_id, each.by) for each in await find_people(session, brand.id, text, pii=pii)]

    for text, by in (
        (" Lea@Example.com ", FoundBy.email),
        ("+49 170 1234567", FoundBy.phone),
        ("#1183", FoundBy.order),
        ("1183", FoundBy.order),
        ("9912", FoundBy.order),
        (public_id("ord", order.id), FoundBy.order),
        (public_id("cus", lea.id), FoundBy.id),
    ):
        assert await found(text) == [(lea.id, by)]
    assert await found(code.display.lower()) == [(happy.customer_id, FoundBy.code)]
    for text in ("", "lea", "118", nobody.number):
        assert await found(text) == []
    for text in ("lea@example.com", "+491701234567"):
        assert await found(text, pii=False) == []
    assert await found("#1183", pii=False) == [(lea.id, FoundBy.order)]


async def test_the_only_person_is_opened_and_other_brands_are_not_found(
    context, brand, shop, session, client
):
    rows = Rows(session, brand, shop)
    lea, max_ = await rows.customer(first_name="Lea"), await rows.customer(first_name="Max")
    await rows.order(lea, number="#7")
    for each in (lea, max_):
        await rows.order(each, number="#8")
    rival = await add_brand(session, "rival", name="Rival")
    await session.commit()
    await sign_in_as(client, context, brand)
    opened = await client.get("/admin/search?q=%237")
    assert opened.headers["location"] == f"/admin/customers/{public_id('cus', lea.id)}"
    listed = (await client.get("/admin/search?q=8")).text
    assert "Lea Ito1" in listed
    assert "Max Ito2" in listed
    assert "Nobody was found" in (await client.get("/admin/search?q=<b>")).text
    read = select(AuditEntry.subject_kind).where(AuditEntry.action == AuditAction.people_listed)
    assert (await session.scalars(read)).all() == ["customers", "customers"], "what was found, and no more"
    await rows.answer(9)
    await session.commit()
    assert "Latest answers" in (await client.get("/admin?days=all")).text
    assert (await session.scalars(read.order_by(AuditEntry.id.desc()))).first() == "responses"
    assert 'name="q" placeholder="Search"' in (await client.get("/admin")).text
    await sign_in_as(client, context, rival, Role.viewer)
    assert "Nobody was found" in (await client.get("/admin/search?q=%237")).text
