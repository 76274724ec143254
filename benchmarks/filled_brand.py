"""Fills a brand with orders, surveys, answers, referrers and friends' orders, by a few statements.

Row `n` of every table has the id `UUID(int=n)`; the rows of one order have its number.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import text

from app.base import clock
from app.base.context import AppContext
from app.base.tokens import new_slug
from app.brands.find import load_programme
from app.brands.models import Brand, Shop
from app.referrals.figures import note_brand_change, refresh_figures

_NUMBERS = "generate_series(1, CAST(:orders AS int)) AS n"
_ID = "CAST(lpad(to_hex(n), 32, '0') AS uuid)"
_REFERS = "n % 10 = 1 AND n % 3 <> 0"
_FRIENDS = f"{_NUMBERS} CROSS JOIN generate_series(1, 5) AS place"
_FRIEND = "CAST(lpad(to_hex(n + place), 32, '0') AS uuid)"
_SLUG = "CAST(:slug AS text) || translate(lpad(CAST(n AS text), 8, '0'), '01', 'xz')"
_CODE = "'C' || translate(lpad(CAST(n AS text), 9, '0'), '01', 'XZ')"
_ADDRESS = "CAST(:name AS text) || '.person' || n || '@example.com'"
_AT = "now() - make_interval(secs => CAST(:orders AS int) - n)"
# Foreign keys hold by construction; checking each row would take most of the time.
_FILL = (
    "SET LOCAL session_replication_role = replica",
    f"""INSERT INTO customers (brand_id, id, email, email_key, first_name, country, phone_agreed, country_own)
        SELECT :brand, {_ID}, {_ADDRESS}, {_ADDRESS}, 'Ana', 'FR',
               false, true
        FROM {_NUMBERS}""",
    f"""INSERT INTO orders (brand_id, id, shop_id, external_id, number, customer_id, currency, subtotal, total,
               discount_total, shipping_total, refunded_wholly, discount_codes, tags, items, relayed, test,
               trial, history, ordered_before, placed_at, paid_at, version_at, delivered_at, refunded,
               refunded_shipping, status)
        SELECT :brand, {_ID}, :shop, 'o' || n, CAST(n AS text), {_ID}, 'EUR', 8000, 8000, 0, 0, false, '[]',
               '[]', '[{{"sku": "A", "title": "Linen shirt", "quantity": 1, "unit_price": 8000}}]', false,
               false, false, false, false, {_AT}, {_AT}, {_AT}, {_AT}, 0, 0, 'paid'
        FROM {_NUMBERS}""",
    f"""INSERT INTO surveys (brand_id, id, cause_kind, cause_id, order_id, shop_id, customer_id,
               programme_version, status, channel, triggered_at, due_at, queued_at, sent_at, expires_at,
               reminders_sent, trial)
        SELECT :brand, {_ID}, 'order', {_ID}, {_ID}, :shop, {_ID}, :version,
               CASE n % 3 WHEN 0 THEN 'sent' ELSE 'answered' END, 'email', {_AT}, {_AT}, {_AT}, {_AT},
               now() + interval '30 days', 0, false
        FROM {_NUMBERS}""",
    f"""INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority,
               status, address, locale, template_params, at_once, due_at, attempts, unknowns, refusals,
               possible_duplicate, sent_at, trial)
        SELECT :brand, {_ID}, {_ID}, :shop, 'survey', {_ID}, 0, 'email', 'normal', 'accepted',
               {_ADDRESS}, 'en', '{{}}', false, {_AT}, 1, 0, 0, false, {_AT}, false
        FROM {_NUMBERS}""",
    f"""INSERT INTO responses (brand_id, id, survey_id, order_id, customer_id, channel, score,
               testimonial_consent, answered_at, first_answered_at, changes, trial)
        SELECT :brand, {_ID}, {_ID}, {_ID}, {_ID}, 'email', n % 11, false, {_AT}, {_AT}, 0, false
        FROM {_NUMBERS} WHERE n % 3 <> 0""",
    f"""INSERT INTO referrers (brand_id, id, customer_id, slug, shop_id, survey_id)
        SELECT :brand, {_ID}, {_ID}, {_SLUG}, :shop, {_ID} FROM {_NUMBERS} WHERE {_REFERS}""",
    f"""INSERT INTO codes (brand_id, id, referrer_id, kind, code, display, terms_id, discount_kind,
               discount_value, currency, max_uses, uses, active, starts_at, expires_at)
        SELECT :brand, {_ID}, {_ID}, 'share', {_CODE}, {_CODE}, :terms, 'percent', 10, 'EUR', 10, 5, true,
               {_AT}, now() + interval '180 days'
        FROM {_NUMBERS} WHERE {_REFERS}""",
    f"""INSERT INTO code_publications (brand_id, code_id, shop_id, issued_id, code, terms_id, expires_at, state,
               urgent, attempt, trial, live_at)
        SELECT :brand, {_ID}, :shop, {_ID}, {_CODE}, :terms, now() + interval '180 days', 'live', true, 0, false,
               {_AT}
        FROM {_NUMBERS} WHERE {_REFERS}""",
    f"""INSERT INTO redemptions (brand_id, id, order_id, shop_id, code_id, referrer_id, friend_id, friend_email_key,
               one_per_friend, status, amount_off, currency, terms_id, holds_use, hold_until, approved_at)
        SELECT :brand, {_FRIEND}, {_FRIEND}, :shop, {_ID}, {_ID}, {_FRIEND}, 'person' || n + place || '@example.com',
               true, 'approved', 800, 'EUR', :terms, true, {_AT}, {_AT}
        FROM {_FRIENDS} WHERE {_REFERS} AND n + place <= :orders""",
    f"""INSERT INTO rewards (brand_id, id, redemption_id, referrer_id, kind, amount, net_amount, used_amount,
               lapsed_amount, currency, status, frozen, granted_at, expires_at)
        SELECT :brand, {_FRIEND}, {_FRIEND}, {_ID}, 'credit', 1000, 1000, 0, 0, 'EUR', 'granted', false, {_AT},
               now() + interval '1 year'
        FROM {_FRIENDS} WHERE {_REFERS} AND n + place <= :orders""",
    f"""INSERT INTO visits (brand_id, id, referrer_id, visitor, at)
        SELECT :brand, CAST(lpad(to_hex(n * 16 + place), 32, '0') AS uuid), {_ID},
               decode(lpad(to_hex(place), 32, '0'), 'hex'), {_AT}
        FROM {_FRIENDS} WHERE {_REFERS}""",
)


# The numbers after those of `fill`: another customer each, whose order was delivered four days ago.
_LATER = "generate_series(CAST(:first AS int) + 1, CAST(:first AS int) + CAST(:orders AS int)) AS n"
_LATER_ADDRESS = "CAST(:name AS text) || '.person' || n || '@example.com'"
_AT = "now() - interval '4 days'"
_LATER_AT = "now() - interval '4 days'"
_ADD_PLANNED = (
    *(statement.replace(_NUMBERS, _LATER).replace(_AT, _LATER_AT) for statement in _FILL[:3]),
    f"""INSERT INTO surveys (brand_id, id, cause_kind, cause_id, order_id, shop_id, customer_id,
               programme_version, status, channel, triggered_at, due_at, reminders_sent, trial)
        SELECT :brand, {_ID}, 'order', {_ID}, {_ID}, :shop, {_ID}, :version, 'planned', 'email', {_LATER_AT},
               now() + interval '1 day', 0, false
        FROM {_LATER}""",
)


async def add_planned_surveys(context: AppContext, brand: Brand, shop: Shop, first: int, count: int) -> None:
    """Add `count` orders to a brand with `first` ones, whose surveys are due tomorrow."""
    await _execute(context, _ADD_PLANNED, brand, shop, {"first": first, "orders": count})


async def fill(context: AppContext, brand: Brand, shop: Shop, orders: int) -> None:
    """Add `orders` orders with their surveys; every third is open, the others are answered.

    Every fifteenth customer is a referrer with five friends' orders, which their figures have.
    """
    await _execute(context, _FILL, brand, shop, {"orders": orders})
    async with context.sessions.begin() as session:
        await note_brand_change(session, brand.id)
    left = 1
    while left:
        async with context.sessions.begin() as session:
            left = await refresh_figures(session, brand.id, now=clock.now())


async def _execute(
    context: AppContext, statements: Sequence[str], brand: Brand, shop: Shop, numbers: Mapping[str, int]
) -> None:
    async with context.sessions.begin() as session:
        in_force = await load_programme(session, brand.id)
        given = {
            "brand": brand.id,
            "shop": shop.id,
            "name": brand.slug,
            "version": in_force.version,
            "terms": in_force.terms_id,
            "slug": new_slug(brand.id)[:-8],
            **numbers,
        }
        for statement in statements:
            names = text(statement).compile().params
            await session.execute(text(statement), {name: given[name] for name in names})
    async with context.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM ANALYZE"))


def open_surveys(orders: int) -> list[UUID]:
    """The surveys that wait for an answer."""
    return [UUID(int=number) for number in range(3, orders + 1, 3)]


def referrers(orders: int) -> list[int]:
    """The numbers of referrers, each with five friends' orders."""
    return [number for number in range(1, orders - 4, 10) if number % 3]


def slug_of(brand_id: int, number: int) -> str:
    """The slug of a referrer's share link."""
    return new_slug(brand_id)[:-8] + f"{number:08}".translate({ord("0"): "x", ord("1"): "z"})
