"""Where tables are distributed by brand: each has its place, and statements can run there."""

import pytest

from app.base.db import Base, make_sessions
from app.brands.find import load_programme
from app.models import DISTRIBUTED, LOCAL, REFERENCE
from tests.support.brand_joins import problems

BRAND = "customers.brand_id = $1 AND orders.brand_id = customers.brand_id"


def test_every_table_is_distributed_a_reference_or_local():
    lists = (DISTRIBUTED, REFERENCE, LOCAL)
    assert sorted(name for each in lists for name in each) == sorted(Base.metadata.tables)


@pytest.mark.parametrize("name", sorted(DISTRIBUTED))
def test_a_distributed_table_has_the_brand_in_every_key(name):
    table = Base.metadata.tables[name]
    unique = [tuple(each.columns) for each in table.constraints if each.__visit_name__ == "unique_constraint"]
    unique += [tuple(each.columns) for each in table.indexes if each.unique]
    for key in [tuple(table.primary_key), *unique]:
        assert table.columns["brand_id"] in key


@pytest.mark.parametrize("name", sorted(REFERENCE | LOCAL))
def test_no_key_leads_from_another_table_to_a_distributed_one(name):
    for each in Base.metadata.tables[name].foreign_key_constraints:
        assert each.referred_table.name in REFERENCE


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT 1 FROM customers, orders WHERE {BRAND}",
        "SELECT 1 FROM customers JOIN orders ON orders.brand_id = customers.brand_id",
        "SELECT 1 FROM customers JOIN orders USING (brand_id, customer_id)",
        "SELECT 1 FROM customers LEFT JOIN orders ON orders.brand_id = 7 WHERE customers.brand_id = $1::int",
        "SELECT 1 FROM brands WHERE EXISTS (SELECT FROM orders WHERE orders.brand_id = brands.id)",
        "SELECT brand_id FROM customers UNION SELECT brand_id FROM orders",
        "SELECT 1 FROM orders WHERE brand_id IN (SELECT brand_id FROM customers)",
        "SELECT 1 FROM (SELECT c.brand_id FROM customers AS c) AS d JOIN orders AS o ON o.brand_id = d.brand_id",
        "WITH d AS (SELECT brand_id FROM customers) SELECT 1 FROM d JOIN orders ON orders.brand_id = d.brand_id",
        f"UPDATE orders SET total = 0 FROM customers WHERE {BRAND}",
        f"DELETE FROM orders USING customers WHERE {BRAND}",
        "SELECT 1 FROM orders JOIN unnest($1::int[]) AS u (brand_id) ON u.brand_id = orders.brand_id",
        "SELECT 1 FROM orders WHERE brand_id = $1 FOR UPDATE SKIP LOCKED",
        "INSERT INTO orders (brand_id) SELECT $1 FROM customers WHERE brand_id = $1 ON CONFLICT DO NOTHING",
        "INSERT INTO orders (brand_id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET total = $2",
        "SELECT 1 FROM provider_circuits JOIN installations ON true",
    ],
)
def test_a_statement_that_names_the_brand_is_good(sql):
    assert problems(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM customers, orders WHERE customers.id = orders.customer_id",
        "SELECT 1 FROM customers, orders WHERE orders.brand_id = customers.brand_id OR orders.total = 0",
        "SELECT 1 FROM customers, orders WHERE NOT orders.brand_id = customers.brand_id",
        "SELECT 1 FROM customers, orders WHERE customers.brand_id = $1 AND orders.customer_id = customers.id",
        "SELECT 1 FROM customers JOIN orders USING (customer_id)",
        (
            "SELECT 1 FROM brands WHERE EXISTS (SELECT FROM orders WHERE orders.shop_id = $1) AND EXISTS"
            " (SELECT FROM customers WHERE customers.brand_id = brands.id)"
        ),
        "SELECT 1 FROM orders WHERE id IN (SELECT id FROM customers)",
        "SELECT (SELECT count(*) FROM orders WHERE orders.customer_id = customers.id) FROM customers",
        # Citus does not follow a constant through a subquery.
        (
            "SELECT 1 FROM (SELECT brand_id FROM customers WHERE brand_id = $1) AS d"
            " JOIN orders ON orders.brand_id = d.brand_id"
        ),
        (
            "WITH d AS (SELECT brand_id FROM customers WHERE brand_id = $1)"
            " SELECT 1 FROM d JOIN orders ON orders.brand_id = d.brand_id"
        ),
        "WITH d AS (SELECT id FROM customers) SELECT 1 FROM d JOIN orders ON orders.customer_id = d.id",
        "UPDATE orders SET total = 0 FROM customers WHERE customers.id = orders.customer_id",
        "DELETE FROM orders USING customers WHERE customers.id = orders.customer_id",
        "SELECT 1 FROM orders FOR UPDATE SKIP LOCKED",
        "SELECT 1 FROM orders WHERE id = ANY ($1) FOR NO KEY UPDATE",
        (
            "INSERT INTO orders (brand_id) SELECT $1 FROM unnest($2::int[]) AS u (id)"
            " ON CONFLICT (id) DO UPDATE SET total = $3"
        ),
        "SELECT 1 FROM orders, installations WHERE orders.brand_id = $1",
        "SELECT 1 FROM orders WHERE brand_id = $1 AND EXISTS (SELECT FROM pgqueuer)",
        "SELECT 1 FROM unknown_table",
    ],
)
def test_a_statement_that_would_fail_or_ask_every_machine_is_found(sql):
    assert problems(sql)


async def test_the_statements_of_the_application_are_watched(worker_engine, engine, brand, monkeypatch):
    watch = worker_engine[2]
    monkeypatch.setattr("tests.support.watch.problems", lambda sql: ["wrong"])
    watch._seen.clear()
    async with make_sessions(engine)() as session:
        await load_programme(session, brand.id)
    (found,) = watch.take()
    assert found.startswith("wrong (app/brands/find.py:")
