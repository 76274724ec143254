"""Runs the fake of WooCommerce for a trial by hand: `python -m app.demo.fakes.woocommerce [PORT]`.

Prints one line of JSON with the account and the credentials to connect a shop with. The connecting
processes need `TENFOLD_LOCAL_PLATFORMS=true`.
"""

import asyncio
import contextlib
import json
import sys

from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeShop


async def serve(port: int) -> None:
    """Serve one shop until the process is ended."""
    shop = FakeShop()
    async with FakeWooCommerce(shop, port=port) as fake:
        key = shop.keys[0]
        credentials = {"consumer_key": key.consumer_key, "consumer_secret": key.consumer_secret}
        line = {"account": fake.account(shop), "credentials": credentials}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
