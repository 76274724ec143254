"""Runs the fake of Shopify for a trial by hand: `python -m app.demo.fakes.shopify [PORT]`.

Prints one line of JSON with the account and the credentials to connect a shop with. The connecting
processes need `TENFOLD_LOCAL_PLATFORMS=true`.
"""

import asyncio
import contextlib
import json
import sys

from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeShop, new_gid


async def serve(port: int) -> None:
    """Serve one shop with one order until the process is ended."""
    shop = FakeShop()
    shop.orders.append({"email": "ana@example.com", "customer": {"id": new_gid("Customer")}})
    async with FakeShopify(shop, port=port) as fake:
        credentials = {"client_id": fake.app.client_id, "client_secret": fake.app.client_secret}
        line = {"account": fake.account(shop), "credentials": credentials}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
