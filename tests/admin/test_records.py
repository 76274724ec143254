"""Lists read records, which say the same as the rows that SQLAlchemy would read."""

import pytest
from sqlalchemy import bindparam, inspect, select
from sqlalchemy.orm import aliased

from app.admin import rows as lists
from app.admin.resources import Resource
from app.base.actor import cli_actor
from app.base.audit import AuditAction, record_action
from app.base.db import Base
from app.base.records import Records, read_first, read_rows, record_type
from app.brands.models import Shop
from app.customers.models import Customer
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.referrals.rules import RedemptionStatus
from tests.support.factories.rows import Rows

RESOURCES = {name: each for name, each in vars(lists).items() if isinstance(each, Resource)}
WITHOUT_ROWS = {"DELIVERIES", "DATA_REQUESTS", "KEYS", "STAFF", "ALARMS", "TESTIMONIALS"}
"""Lists of which the story below has nothing."""


@pytest.fixture
async def told(session, brand, shop):
    rows = Rows(session, brand, shop)
    answer = await rows.answer(9, comment="Good")
    code = await rows.code(answer.customer_id, answer.survey_id)
    await rows.visit(code)
    await rows.redemption(code)
    await rows.redemption(code, RedemptionStatus.refused)
    await record_action(
        session,
        cli_actor(brand.id),
        AuditAction.shop_added,
        ("shp", shop.id),
        {"name": (None, {"a": [1, "é"]})},
    )
    return rows


def _plain(value):
    """A value of a row, an entity by the values of its columns."""
    if isinstance(value, Base):
        return {each.key: getattr(value, each.key) for each in inspect(type(value)).column_attrs}
    return value._asdict() if hasattr(value, "_asdict") else value


async def test_every_list_has_the_rows_that_the_object_mapper_reads(session, brand, told):
    for name in RESOURCES.keys() - WITHOUT_ROWS:
        resource = RESOURCES[name]
        query = resource.rows(brand.id).order_by(resource.key)
        fresh = query.execution_options(populate_existing=True)
        expected = [dict(row._mapping) for row in await session.execute(fresh)]
        found = [row._asdict() for row in await read_rows(session, query)]
        assert [{key: _plain(value) for key, value in row.items()} for row in found] == [
            {key: _plain(value) for key, value in row.items()} for row in expected
        ], name
        assert found, name


async def test_a_record_has_what_its_entity_computes_and_belongs_to_no_session(session, brand, shop, told):
    query = (
        select(Shop, Customer)
        .outerjoin(Customer, (Customer.brand_id == Shop.brand_id) & (Customer.email == "nobody"))
        .where(Shop.id == shop.id)
    )
    row = await read_first(session, query)
    assert (row.Shop.slug, row.Shop.platform, row.Customer) == (shop.slug, shop.platform, None)
    assert not isinstance(row.Shop, Shop)
    assert type(row.Shop) is record_type(Shop)
    assert await read_first(session, query.where(Shop.slug == "another")) is None


async def test_values_in_a_list_and_changes_that_are_not_written_yet_are_read(session, brand, shop):
    rows = Rows(session, brand, shop)
    bought = await rows.order(await rows.customer(), number="7")
    bought.number = "8"
    query = select(Order.number.label("number"), Order.status).where(Order.brand_id == brand.id)
    for wanted in (["8"], ["7", "8"], ["1", "2", "8"]):
        assert [row.number for row in await read_rows(session, query.where(Order.number.in_(wanted)))] == [
            "8"
        ]
    (row,) = await read_rows(session, query)
    assert isinstance(row.status, OrderStatus)


async def test_a_statement_that_stays_the_same_has_its_records_too(session, brand, shop):
    await Rows(session, brand, shop).customer(email="ana@example.com")
    query = select(Customer, Shop.slug.label("shop")).join(Shop, Shop.brand_id == Customer.brand_id)
    same = Records(
        query.where(Customer.brand_id == bindparam("of_brand"), Customer.email == bindparam("email"))
    )
    (row,) = await same.all(session, of_brand=brand.id, email="ana@example.com")
    assert row == await read_first(session, query.where(Customer.brand_id == brand.id))
    assert await same.first(session, of_brand=brand.id, email="nobody") is None


async def test_an_alias_of_an_entity_is_refused(session):
    with pytest.raises(TypeError, match="alias"):
        await read_rows(session, select(aliased(Shop)))
