"""People are found by what somebody has before them, in the dashboard and by the API."""

from sqlalchemy import select, text

from app.admin.rules import Role
from app.base.audit import AuditAction, AuditEntry
from app.base.ids import public_id
from app.brands.add import add_brand
from app.customers.models import Customer
from app.customers.word_rules import PERSON_WORDS, words_query
from app.insight.search import FoundBy, find_people
from tests.support.dashboard import sign_in_as
from tests.support.factories.rows import Rows


async def test_people_are_found_by_address_number_order_code_and_id(brand, shop, session):
    rows = Rows(session, brand, shop)
    lea = await rows.customer(email="lea@example.com", phone="+491701234567")
    order = await rows.order(lea, number="#1183", external_id="9912")
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    nobody = await rows.order(None, number="#1184")

    async def found(text, **options):
        options = {"pii": True} | options
        return [(each.customer_id, each.by) for each in await find_people(session, brand.id, text, **options)]

    for typed, by in (
        (" Lea@Example.com ", FoundBy.email),
        ("+49 170 1234567", FoundBy.phone),
        ("#1183", FoundBy.order),
        ("1183", FoundBy.order),
        ("9912", FoundBy.order),
        (public_id("ord", order.id), FoundBy.order),
        (public_id("cus", lea.id), FoundBy.id),
    ):
        assert await found(typed) == [(lea.id, by)]
    assert await found(code.display.lower()) == [(happy.customer_id, FoundBy.code)]
    for typed in ("", "l", "1", nobody.number):
        assert await found(typed) == []
    for typed in ("lea@example.com", "+491701234567"):
        assert await found(typed, pii=False) == []
    assert await found("#1183", pii=False) == [(lea.id, FoundBy.order)]
    for typed in ("#1183", "9912", code.display):
        assert await found(typed, shops=[]) == [], "it is of another shop"
        assert await found(typed, shops=[shop.id]) == await found(typed)


async def test_people_are_found_by_the_beginning_of_a_name_an_address_or_an_order(brand, shop, session):
    rows = Rows(session, brand, shop)
    ann = await rows.customer(first_name="Ann", last_name="O'Neill-Ünal", email="ao@example.com")
    anna = await rows.customer(first_name="Anna Maria", last_name="Öz \\' x", email="mia.oz@example.com")
    await rows.order(anna, number="#4711")
    rival = await add_brand(session, "rival", name="Rival")
    await Rows(session, rival, shop).customer(first_name="Anna", email="anna@example.com")
    await session.commit()

    async def found(text, **options):
        options = {"pii": True} | options
        return [(each.customer_id, each.by) for each in await find_people(session, brand.id, text, **options)]

    both = [(ann.id, FoundBy.name), (anna.id, FoundBy.name)]
    assert await found("Ann") == both, "who is called just so comes first"
    assert await found("an") == sorted(both)
    for typed in ("mar", "ANNA ma", "öz", "ma an", "maria \\'", "mia.oz@example.com "):
        assert [each for each, _ in await found(typed)] == [anna.id], typed
    for typed in ("unal", "ne ÜN", "o'neill", "Neill-Ü", "ao@", "ao"):
        assert [each for each, _ in await found(typed)] == ([] if typed == "unal" else [ann.id]), typed
    assert await found("mia.o") == [(anna.id, FoundBy.email)]
    assert await found("47") == await found("#471") == [(anna.id, FoundBy.order)]
    for typed in ("a", "' | '", "ann & !x", "an:*", "%1", "_7", "example.com", ":", "\\"):
        assert await found(typed) == [], typed
    for typed in ("ann", "ao@", "mia.oz"):
        assert await found(typed, pii=False) == []
    assert await found("47", pii=False) == [(anna.id, FoundBy.order)]
    assert await found("ann", visible=Customer.id == anna.id) == [(anna.id, FoundBy.name)]
    assert await found("47", shops=[]) == []
    assert await found("47", shops=[shop.id]) == await found("47")


async def test_words_are_looked_up_in_their_index(brand, session):
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    named = f"SELECT id FROM customers WHERE {PERSON_WORDS} @@ CAST(:words AS tsquery)"
    words = words_query(brand.id, "an ma", whole=False)
    plan = await session.scalars(text(f"EXPLAIN {named}"), {"words": words})
    assert any("ix_customers_words" in line for line in plan)


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
