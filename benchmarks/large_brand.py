"""A brand of any number of orders over three years, made by a few statements; the same each time.

Of 100 orders 30 are answered; customers order one to five times; 200 products, six countries, two
channels, three shops; every fiftieth order is a friend's. Ids begin with the time of their row.
"""

from collections.abc import Sequence

from sqlalchemy import text

from app.base.context import AppContext
from app.base.tokens import new_slug
from app.brands.find import load_programme
from app.brands.models import Brand, Shop

_YEARS = 3


def _chance(salt: int) -> str:
    """A number that looks random and is the same each time, for row `n`."""
    return f"(hashint8extended(n, {salt}) & 2147483647)"


def _id(at: str, kind: int) -> str:
    """The id of row `n` of a kind: it begins with its time, as ours do."""
    milliseconds = f"lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0')"
    return f"CAST({milliseconds} || '{kind}' || lpad(to_hex(n), 19, '0') AS uuid)"


_BRAND, _ORDERS = "CAST(:brand AS int)", "CAST(:orders AS int)"
_SHOP = "(CAST(:shops AS uuid[]))[1 + n % cardinality(CAST(:shops AS uuid[]))]"
_CUSTOMER = "CAST(lpad(to_hex(n), 32, '0') AS uuid)"
_ADDRESS = "CAST(:name AS text) || '.person' || n || '@example.com'"
_CODE = "'C' || translate(lpad(CAST(n AS text), 9, '0'), '01', 'XZ')"
_SLUG = "CAST(:slug AS text) || translate(lpad(CAST(n AS text), 8, '0'), '01', 'xz')"
# Foreign keys hold by construction; checking each row would take most of the time.
_FILL = (
    "SET LOCAL session_replication_role = replica",
    f"""CREATE TEMPORARY TABLE made ON COMMIT DROP AS
        SELECT n, at, {_id("at", 0)} AS id, {_SHOP} AS shop_id, customer_id, channel,
            at + interval '12 days' AS asked_at, {_id("(at + interval '12 days')", 1)} AS survey_id,
            at + interval '12 days' + make_interval(mins => ({_chance(3)} % 5000)::int) AS answered_at,
            {_chance(4)} % 100 < 30 AS answered, {_chance(5)} % 11 AS score
        FROM (
            SELECT n, now() - make_interval(days => 365 * {_YEARS})
                    + make_interval(secs => 86400.0 * 365 * {_YEARS} * n / {_ORDERS}) AS at,
                CAST(lpad(to_hex(1 + {_chance(1)} % (1 + {_ORDERS} / 2)), 32, '0') AS uuid) AS customer_id,
                CASE WHEN {_chance(2)} % 10 = 0 THEN 'sms' ELSE 'email' END AS channel
            FROM generate_series(1, {_ORDERS}) AS n
        ) AS placed""",
    "UPDATE made SET answered = false WHERE answered_at >= now()",
    f"""INSERT INTO customers (brand_id, id, email, email_key, first_name, country, phone_agreed, country_own)
        SELECT {_BRAND}, {_CUSTOMER}, {_ADDRESS}, {_ADDRESS}, 'Ana', 'FR', false, true
        FROM generate_series(1, 1 + {_ORDERS} / 2) AS n""",
    f"""INSERT INTO orders (brand_id, id, shop_id, external_id, number, customer_id, currency, subtotal, total,
            discount_total, shipping_total, refunded_wholly, discount_codes, tags, items, relayed, test,
            trial, history, ordered_before, country, placed_at, paid_at, version_at, delivered_at, refunded,
            refunded_shipping, status)
        SELECT {_BRAND}, id, shop_id, 'o' || n, CAST(n AS text), customer_id, 'EUR', 8000, 8000, 0, 0, false,
            '[]', '[]', json_build_array(json_build_object('sku', 'SKU-' || {_chance(6)} % 200, 'title',
                'Linen shirt', 'quantity', 1, 'unit_price', 8000)),
            false, false, false, false, false, (ARRAY['DE', 'FR', 'IT', 'ES', 'US', 'AT'])[1 + {_chance(7)} % 6],
            at, at, at, at, CASE {_chance(8)} % 20 WHEN 0 THEN 2000 ELSE 0 END, 0, 'paid'
        FROM made""",
    f"""INSERT INTO surveys (brand_id, id, cause_kind, cause_id, order_id, shop_id, customer_id,
            programme_version, status, channel, triggered_at, due_at, queued_at, sent_at, expires_at,
            reminders_sent, trial)
        SELECT {_BRAND}, survey_id, 'order', id, id, shop_id, customer_id, CAST(:version AS int),
            CASE WHEN answered THEN 'answered' ELSE 'expired' END, channel, at, asked_at, asked_at, asked_at,
            asked_at + interval '30 days', 0, false
        FROM made WHERE asked_at < now()""",
    f"""INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority,
            status, address, locale, template_params, at_once, due_at, attempts, unknowns, refusals,
            possible_duplicate, sent_at, trial, created_at)
        SELECT {_BRAND}, survey_id, customer_id, shop_id, 'survey', survey_id, 0, channel, 'normal',
            CASE {_chance(9)} % 50 WHEN 0 THEN 'bounced' ELSE 'delivered' END, NULL,
            CASE {_chance(10)} % 3 WHEN 0 THEN 'de' ELSE 'en' END, '{{}}', false, asked_at, 1, 0, 0, false,
            asked_at, false, asked_at
        FROM made WHERE asked_at < now()""",
    f"""INSERT INTO responses (brand_id, id, survey_id, order_id, customer_id, channel, score,
            testimonial_consent, answered_at, first_answered_at, changes, trial, created_at)
        SELECT {_BRAND}, {_id("answered_at", 2)}, survey_id, id, customer_id, channel, score, false, answered_at,
            answered_at, 0, false, answered_at
        FROM made WHERE answered""",
    f"""CREATE TEMPORARY TABLE promoters ON COMMIT DROP AS
        SELECT row_number() OVER (ORDER BY n) AS place, n, customer_id, survey_id, shop_id, answered_at,
            {_id("answered_at", 2)} AS id
        FROM (SELECT DISTINCT ON (customer_id) * FROM made WHERE answered AND score >= 9
            ORDER BY customer_id, answered_at) AS first""",
    f"""INSERT INTO referrers (brand_id, id, customer_id, slug, shop_id, survey_id)
        SELECT {_BRAND}, id, customer_id, {_SLUG}, shop_id, survey_id FROM promoters""",
    f"""INSERT INTO codes (brand_id, id, referrer_id, kind, code, display, terms_id, discount_kind,
            discount_value, currency, max_uses, uses, active, starts_at, expires_at)
        SELECT {_BRAND}, id, id, 'share', {_CODE}, {_CODE}, CAST(:terms AS uuid), 'percent', 10, 'EUR', 100, 0,
            true, answered_at, now() + interval '180 days' FROM promoters""",
    f"""INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority,
            status, address, locale, template_params, at_once, due_at, attempts, unknowns, refusals,
            possible_duplicate, sent_at, trial, created_at)
        SELECT {_BRAND}, id, customer_id, shop_id, 'offer', id, 0, 'email', 'urgent', 'delivered', NULL, 'en',
            '{{}}', false, answered_at, 1, 0, 0, false, answered_at, false, answered_at FROM promoters""",
    f"""INSERT INTO attempts (brand_id, id, message_id, number, provider, status, started_at, finished_at,
            created_at)
        SELECT {_BRAND}, id, id, 1, 'outbox', 'accepted', answered_at, answered_at,
            answered_at + interval '1 second' FROM promoters""",
    f"""INSERT INTO visits (brand_id, id, referrer_id, visitor, at)
        SELECT {_BRAND}, {_id("answered_at + make_interval(hours => day)", 3)}, id,
            decode(lpad(to_hex(n * 4 + day), 32, '0'), 'hex'), answered_at + make_interval(hours => day)
        FROM promoters CROSS JOIN generate_series(1, 2) AS day WHERE n % 2 = 0""",
    """CREATE TEMPORARY TABLE friends ON COMMIT DROP AS
        SELECT made.n, made.id, made.at, made.customer_id, promoters.id AS referrer_id
        FROM made JOIN promoters ON promoters.place = 1 + hashint8extended(made.n, 11) & 2147483647
            % (SELECT count(*) FROM promoters) WHERE made.n % 50 = 0""",
    f"""INSERT INTO redemptions (brand_id, id, order_id, code_id, referrer_id, friend_id, friend_email_key,
            one_per_friend, status, reason, amount_off, currency, terms_id, holds_use, hold_until, approved_at)
        SELECT {_BRAND}, id, id, referrer_id, referrer_id, customer_id, 'friend' || n, true,
            CASE n % 500 WHEN 0 THEN 'refused' ELSE 'approved' END,
            CASE n % 500 WHEN 0 THEN 'minimum_not_met' END, 800, 'EUR', CAST(:terms AS uuid), n % 500 <> 0, at,
            CASE n % 500 WHEN 0 THEN NULL ELSE at + interval '14 days' END
        FROM friends""",
    *(
        f"""INSERT INTO ledger_entries (brand_id, id, transaction_id, transaction_key, account, amount, currency,
            cause_kind, cause_id, referrer_id, occurred_at, posted_on)
        SELECT {_BRAND}, gen_random_uuid(), id, '{account}:' || n, '{account}', {amount}, 'EUR', 'redemption',
            id, referrer_id, {at}, ({at})::date
        FROM friends WHERE n % 500 <> 0"""
        for account, amount, at in (
            ("discount_cost", 800, "at"),
            ("friends", -800, "at"),
            ("reward_cost", 1000, "at + interval '14 days'"),
            ("referrers", -1000, "at + interval '14 days'"),
        )
    ),
)


async def fill_large(context: AppContext, brand: Brand, shops: Sequence[Shop], orders: int) -> None:
    """Add `orders` orders over the last three years, and all that followed from them."""
    async with context.sessions.begin() as session:
        in_force = await load_programme(session, brand.id)
        given = {
            "brand": brand.id,
            "orders": orders,
            "shops": [shop.id for shop in shops],
            "name": brand.slug,
            "version": in_force.version,
            "terms": in_force.terms_id,
            "slug": new_slug(brand.id)[:-8],
        }
        for statement in _FILL:
            names = text(statement).compile().params
            await session.execute(text(statement), {name: given[name] for name in names})
    async with context.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM ANALYZE"))
