"""How many friends' orders one connection redeems per second: batches against single statements.

The product's batches against eight statements per order, both over an embedded PostgreSQL in a
directory of its own, in this process, on equal orders, one after the other in one run. The eight
statements are what a straightforward implementation has: read the order, the code, the friend's
earlier orders and uses, then take the use, write the redemption and its two ledger lines, commit.
Prints orders per second and the ratio.

Run: uv run python benchmarks/redemption.py [--orders 6000] [--batch 500]
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from app.base import clock
from app.base.actor import cli_actor
from app.base.config import load_settings
from app.base.context import AppContext
from app.base.db import make_engine, make_sessions
from app.base.embedded import start_embedded, stop_embedded
from app.base.ids import new_id
from app.base.schema import migrate
from app.base.tokens import Tokens
from app.brands.add import add_brand, add_shop, change_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Programme
from app.customers.models import Customer
from app.orders.models import Order
from app.referrals.issue import issue_offers
from app.referrals.models import Code, Redemption
from app.referrals.new_codes import NewReferrer
from app.referrals.redeem import redeem_orders

KEY = "a key for benchmarks alone, of no worth to anyone"
REFERRERS = 50


async def prepare(context: AppContext) -> tuple[Brand, Shop, list[str]]:
    """Create a brand whose codes have enough uses for the whole run."""
    now = clock.now()
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "bench", name="Bench")
        shop, _ = await add_shop(
            session, context.tokens, brand, "bench", name="Bench", actor=cli_actor(brand.id)
        )
        await change_programme(
            session,
            brand.id,
            Programme.model_validate({"offer": {"max_uses_per_code": 1_000_000}}),
            actor=cli_actor(brand.id),
        )
        people = await add_customers(session, brand, REFERRERS)
        await issue_offers(
            session, context.tokens, brand, [NewReferrer(person, shop.id) for person in people], now=now
        )
        codes = await session.scalars(select(Code.code).where(Code.brand_id == brand.id))
        return brand, shop, list(codes)


async def add_customers(session, brand: Brand, count: int) -> list[UUID]:
    ids = [new_id() for _ in range(count)]
    rows = [
        {
            "brand_id": brand.id,
            "id": one,
            "email": f"{one.hex}@example.com",
            "email_key": f"{one.hex}@example.com",
        }
        for one in ids
    ]
    await session.execute(insert(Customer), rows)
    return ids


async def add_orders(
    context: AppContext, brand: Brand, shop: Shop, codes: list[str], count: int
) -> list[UUID]:
    """New friends' orders, each with a code."""
    now = clock.now()
    async with context.sessions.begin() as session:
        people = await add_customers(session, brand, count)
        rows = [
            {
                "brand_id": brand.id,
                "id": new_id(),
                "shop_id": shop.id,
                "external_id": person.hex,
                "number": "1",
                "customer_id": person,
                "currency": "EUR",
                "subtotal": 8000,
                "total": 7200,
                "discount_total": 800,
                "discount_codes": [codes[place % len(codes)]],
                "tags": [],
                "items": [],
                "test": False,
                "placed_at": now,
                "paid_at": now,
            }
            for place, person in enumerate(people)
        ]
        await session.execute(insert(Order), rows)
    async with context.sessions.begin() as session:
        await session.execute(text("ANALYZE"))
    return [row["id"] for row in rows]


async def in_batches(context: AppContext, brand: Brand, order_ids: list[UUID], size: int) -> None:
    for start in range(0, len(order_ids), size):
        async with context.sessions.begin() as session:
            await redeem_orders(
                session, context.tokens, brand, order_ids[start : start + size], now=clock.now()
            )


_LEDGER = text("""
    INSERT INTO ledger_entries (brand_id, id, transaction_id, transaction_key, account, amount, currency, cause_kind,
                                cause_id, referrer_id, occurred_at, posted_on)
    VALUES (:b, :first, :t, :key, 'discount_cost', 800, 'EUR', 'redemption', :r, :referrer, :now, :today),
           (:b, :second, :t, :key, 'friends', -800, 'EUR', 'redemption', :r, :referrer, :now, :today)
""")
_REDEMPTION = text("""
    INSERT INTO redemptions (brand_id, id, order_id, code_id, referrer_id, friend_id, friend_email_key, one_per_friend, status,
                             amount_off, currency, terms_id, holds_use, hold_until)
    VALUES (:b, :r, :o, :code, :referrer, :friend, :email, true, 'pending', 800, 'EUR', :terms, true, :now)
""")
_REWARD = text("""
    INSERT INTO rewards (brand_id, id, redemption_id, referrer_id, kind, amount, net_amount, used_amount,
                         lapsed_amount, frozen, currency, status)
    VALUES (:b, :w, :r, :referrer, 'credit', 1000, 1000, 0, 0, false, 'EUR', 'pending')
""")
_EARLIER = text(
    "SELECT count(*) FROM orders o JOIN customers c ON c.brand_id = o.brand_id AND c.id = o.customer_id "
    "WHERE o.brand_id = :b AND c.email_key = :email AND o.id <> :o AND o.placed_at <= :placed"
)


async def by_statements(context: AppContext, brand: Brand, order_ids: list[UUID]) -> None:
    for order_id in order_ids:
        async with context.sessions.begin() as session:
            await one_by_statements(session, brand, order_id)


async def one_by_statements(session, brand: Brand, order_id: UUID) -> None:
    given = {"b": brand.id, "o": order_id, "r": new_id(), "now": clock.now(), "today": clock.now().date()}
    order = (
        await session.execute(
            text(
                "SELECT o.discount_codes ->> 0 AS code, o.customer_id, o.placed_at, c.email_key FROM orders o "
                "JOIN customers c ON c.brand_id = o.brand_id AND c.id = o.customer_id WHERE o.brand_id = :b AND o.id = :o"
            ),
            given,
        )
    ).one()
    code = (
        await session.execute(
            text("SELECT id, referrer_id, terms_id FROM codes WHERE brand_id = :b AND code = :c"),
            given | {"c": order.code},
        )
    ).one()
    friend = {
        "email": order.email_key,
        "placed": order.placed_at,
        "friend": order.customer_id,
        "code": code.id,
        "referrer": code.referrer_id,
        "terms": code.terms_id,
        "w": new_id(),
    }
    given |= friend
    await session.execute(_EARLIER, given)
    await session.execute(
        text("SELECT 1 FROM redemptions WHERE brand_id = :b AND friend_email_key = :email AND holds_use"),
        given,
    )
    await session.execute(
        text("UPDATE codes SET uses = uses + 1 WHERE brand_id = :b AND id = :code AND uses < max_uses"), given
    )
    await session.execute(_REDEMPTION, given)
    await session.execute(_REWARD, given)
    await session.execute(
        _LEDGER,
        given | {"first": new_id(), "second": new_id(), "t": new_id(), "key": f"discount:{given['r']}"},
    )


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def measure(url: str, orders: int, batch: int) -> dict[str, float]:
    engine = make_engine(url, pool_size=2)
    settings = load_settings(_env_file=None, database_url=url, secret_key=KEY)
    context = AppContext(settings, engine, make_sessions(engine), Tokens(KEY), url)
    brand, shop, codes = await prepare(context)
    warm = await add_orders(context, brand, shop, codes, 2 * batch)
    await in_batches(context, brand, warm[:batch], batch)
    await by_statements(context, brand, warm[batch:])
    rates: dict[str, list[float]] = {"in_batches": [], "by_seven_statements": []}
    # In alternating order, so that neither has the emptier tables or the quieter machine.
    for _ in range(3):
        share = orders // 6
        ours, plain = [await add_orders(context, brand, shop, codes, share) for _ in range(2)]
        rates["in_batches"].append(
            share / await timed(lambda ours=ours: in_batches(context, brand, ours, batch))
        )
        rates["by_seven_statements"].append(
            share / await timed(lambda plain=plain: by_statements(context, brand, plain))
        )
    async with context.sessions() as session:
        won = await session.scalar(
            select(func.count()).select_from(Redemption).where(Redemption.status == "pending")
        )
    await engine.dispose()
    assert won == 2 * batch + 6 * (orders // 6), won
    best = {name: round(max(each)) for name, each in rates.items()}
    return {"orders_a_second": best, "ratio": round(best["in_batches"] / best["by_seven_statements"], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        url = start_embedded(Path(folder))
        try:
            asyncio.run(migrate(url))
            print(json.dumps(asyncio.run(measure(url, arguments.orders, arguments.batch)), indent=2))
        finally:
            stop_embedded(Path(folder))


if __name__ == "__main__":
    main()
