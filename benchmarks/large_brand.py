"""A brand of any number of orders over three years, made by a few statements; the same each time.

Of 100 orders 30 are answered, most of them well; customers order one to five times; 200 products,
six countries, two channels, three large shops and a small one; every fiftieth order is a friend's.
The team closes what is older than two weeks. Of what lists are filtered by there is much of some
and little of others. Ids begin with the time of their row.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from large_brand_referrals import REFERRALS
from large_brand_team import TEAM
from made_rows import (
    BRAND,
    COUNTRIES,
    FIRST_NAMES,
    LAST_NAMES,
    ORDERS,
    chance,
    one_line_of,
    one_of,
    row_id,
    spread,
)
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.base import clock
from app.base.context import AppContext
from app.base.tokens import new_slug
from app.brands.find import load_programme
from app.brands.models import Brand, Shop
from app.referrals.figures import note_brand_change, refresh_figures

TABLES = [
    *("customers", "orders", "surveys", "messages", "attempts", "responses", "response_tags"),
    *("referrers", "codes", "code_publications", "visits", "redemptions", "rewards"),
    *("ledger_entries", "credit_accounts", "audit_entries", "suspected_leaks", "deliveries"),
    "withheld_offers",
]
_SHOP = f"(CAST(:shops AS uuid[]))[CASE WHEN {chance(19)} % 2000 = 0 THEN 4 ELSE 1 + n % 3 END]"
_CUSTOMER = "CAST(lpad(to_hex(n), 32, '0') AS uuid)"
_ADDRESS = "CAST(:name AS text) || '.person' || n || '@example.com'"
_COMMENTS = (
    "Fast delivery and the shirt fits well.",
    "The colour is not what I expected, but the material is good.",
    "Delivery took two weeks and nobody answered my mail.",
    "Everything as described, I would order again.",
    "The seam came undone after the first wash.",
    "Schöne Qualität, schnelle Lieferung, gerne wieder!",
    "Too small; the return was easy.",
    "My third order here and still happy.",
    "Packaging was damaged, the content was fine.",
    "Great shop.",
)
_SCORE = f"""CASE WHEN {chance(5)} % 100 < 55 THEN 9 + {chance(6)} % 2
    WHEN {chance(5)} % 100 < 80 THEN 7 + {chance(6)} % 2 ELSE {chance(6)} % 7 END"""
_IS_OLD = "score <= 6 AND answered_at < now() - interval '14 days'"
_ANSWERED = (
    f"""CREATE TEMPORARY TABLE made ON COMMIT DROP AS
        SELECT *, {row_id("at", 0)} AS id, {row_id("asked_at", 1)} AS survey_id,
            {row_id("answered_at", 2)} AS response_id, may_answer AND answered_at < now() AS answered
        FROM (
            SELECT n, at, {_SHOP} AS shop_id, at + interval '12 days' AS asked_at,
                CAST(lpad(to_hex(1 + {chance(1)} % (1 + {ORDERS} / 2)), 32, '0') AS uuid) AS customer_id,
                CASE WHEN {chance(2)} % 10 = 0 THEN 'sms' ELSE 'email' END AS channel,
                at + interval '12 days' + make_interval(mins => ({chance(3)} % 5000)::int) AS answered_at,
                {chance(4)} % 100 < 30 AS may_answer, {_SCORE} AS score, {one_of(COUNTRIES, 7)} AS country
            FROM (SELECT n, {spread(ORDERS)} AS at FROM generate_series(1, {ORDERS}) AS n) AS placed
        ) AS timed""",
    "ANALYZE made",
    f"""INSERT INTO customers (brand_id, id, email, email_key, first_name, last_name, country, phone_agreed,
            country_own)
        SELECT {BRAND}, {_CUSTOMER}, {_ADDRESS}, {_ADDRESS}, {one_of(FIRST_NAMES, 12)},
            {one_of(LAST_NAMES, 13)}, {one_of(COUNTRIES, 14)}, false, true
        FROM generate_series(1, 1 + {ORDERS} / 2) AS n""",
    f"""INSERT INTO orders (brand_id, id, shop_id, external_id, number, customer_id, currency, subtotal, total,
            discount_total, shipping_total, refunded_wholly, discount_codes, tags, items, relayed, test,
            trial, history, ordered_before, country, placed_at, paid_at, version_at, delivered_at, refunded,
            refunded_shipping, status)
        SELECT {BRAND}, id, shop_id, 'o' || n, CAST(n AS text), customer_id, 'EUR', 8000, 8000, 0, 0, false,
            '[]', '[]', json_build_array(json_build_object('sku', 'SKU-' || {chance(8)} % 200, 'title',
                'Linen shirt', 'quantity', 1, 'unit_price', 8000)),
            false, false, false, false, false, country, at, at, at, at,
            CASE {chance(9)} % 20 WHEN 0 THEN 2000 ELSE 0 END, 0, 'paid'
        FROM made""",
    f"""INSERT INTO surveys (brand_id, id, cause_kind, cause_id, order_id, shop_id, customer_id,
            programme_version, status, channel, triggered_at, due_at, queued_at, sent_at, expires_at,
            reminders_sent, trial)
        SELECT {BRAND}, survey_id, 'order', id, id, shop_id, customer_id, CAST(:version AS int),
            CASE WHEN answered THEN 'answered' WHEN asked_at < now() - interval '30 days' THEN 'expired'
                ELSE 'sent' END, channel, at, asked_at, asked_at, asked_at, asked_at + interval '30 days', 0, false
        FROM made WHERE asked_at < now()""",
    f"""INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority,
            status, reason, address, locale, template_params, at_once, due_at, attempts, unknowns, refusals,
            possible_duplicate, sent_at, trial, created_at)
        SELECT {BRAND}, survey_id, customer_id, shop_id, 'survey', survey_id, 0, channel, 'normal',
            CASE WHEN {chance(10)} % 50 = 0 THEN 'bounced' WHEN {chance(10)} % 5000 = 1 THEN 'failed'
                WHEN {chance(10)} % 20000 = 2 THEN 'review' ELSE 'delivered' END,
            CASE WHEN {chance(10)} % 5000 = 1 THEN 'rejected' END, NULL,
            CASE {chance(11)} % 3 WHEN 0 THEN 'de' ELSE 'en' END, '{{}}', false, asked_at, 1, 0, 0, false,
            asked_at, false, asked_at
        FROM made WHERE asked_at < now()""",
    f"""INSERT INTO responses (brand_id, id, survey_id, order_id, customer_id, channel, score, comment,
            testimonial_consent, answered_at, first_answered_at, changes, trial, state, assignee_id, suspicion,
            evidence, created_at)
        SELECT {BRAND}, response_id, survey_id, id, customer_id, channel, score,
            CASE WHEN {chance(15)} % 10 < 4 THEN {one_line_of(_COMMENTS, 16)}
                || CASE WHEN {chance(15)} % 5000 = 1 THEN ' The zipper is broken.' ELSE '' END END,
            score >= 9 AND {chance(15)} % 10 < 2, answered_at, answered_at, 0, false,
            CASE WHEN {_IS_OLD} THEN CASE WHEN {chance(17)} % 3 = 0 THEN 'answered' ELSE 'closed' END END,
            CASE WHEN score <= 6 AND {chance(17)} % 20 = 1 THEN (CAST(:staff AS uuid[]))[1] END,
            CASE WHEN {chance(18)} % 3000 = 0 THEN 'suspected' WHEN {chance(18)} % 9000 = 1 THEN 'left_out' END,
            CASE WHEN {chance(18)} % 3000 = 0 OR {chance(18)} % 9000 = 1
                THEN CAST('{{"after_sent": 4, "on_page": null, "burst": true}}' AS jsonb) END, answered_at
        FROM made WHERE answered""",
)


async def fill_large(
    context: AppContext, brand: Brand, shops: Sequence[Shop], orders: int, staff: Sequence[UUID]
) -> None:
    """Add `orders` orders over the last three years, and all that followed from them.

    `shops` are three large ones, a small one and one without orders; answers are assigned to the
    first of `staff`.
    """
    async with _without_indexes(context), context.sessions.begin() as session:
        in_force = await load_programme(session, brand.id)
        given = {
            "brand": brand.id,
            "orders": orders,
            "shops": [shop.id for shop in shops],
            "staff": list(staff),
            "name": brand.slug,
            "version": in_force.version,
            "terms": in_force.terms_id,
            "slug": new_slug(brand.id)[:-8],
        }
        # Foreign keys hold by construction; checking each row would take most of the time.
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        await session.execute(text("SET LOCAL work_mem = '256MB'"))
        for statement in (*_ANSWERED, *REFERRALS, *TEAM):
            names = text(statement).compile().params
            await session.execute(text(statement), {name: given[name] for name in names})
    async with context.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM ANALYZE"))
    async with context.sessions.begin() as session:
        await note_brand_change(session, brand.id)
    left = 1
    while left:
        async with context.sessions.begin() as session:
            left = await refresh_figures(session, brand.id, now=clock.now())


@asynccontextmanager
async def _without_indexes(context: AppContext) -> AsyncIterator[None]:
    """Without the indexes that are no constraints; they are built after it, two at a time."""
    async with context.engine.begin() as connection:
        found = await connection.execute(_INDEXES, {"tables": TABLES})
        indexes = found.all()
        for name, _ in indexes:
            await connection.execute(text(f"DROP INDEX {name}"))
    yield
    waiting = iter([definition for _, definition in indexes])
    await asyncio.gather(*(_build(context, waiting) for _ in range(2)))


async def _build(context: AppContext, waiting: Iterator[str]) -> None:
    connection: AsyncConnection
    async with context.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("SET maintenance_work_mem = '256MB'"))
        for definition in waiting:
            await alone.exec_driver_sql(definition)


_INDEXES = text("""
    SELECT CAST(CAST(indexrelid AS regclass) AS text), pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = ANY(CAST(CAST(:tables AS text[]) AS regclass[]))
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
""")
