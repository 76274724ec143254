"""How many of the providers' reports one web process stores a second.

Ways in of the product's own web process on loopback, over an embedded PostgreSQL in a directory of
its own, called in turn by a client in another process, which posts prepared requests. Every report
is about an attempt of its own and raises its message to `delivered`:

    twilio     the product's endpoint: signed status callbacks, one text each, committed in groups
    alone      the same, with a transaction of its own for each callback
    sendgrid   the product's endpoint: signed posts of 500 events each
    empty      an endpoint that returns 204 at once, without a database: what the server takes

Run: uv run python benchmarks/receipts.py [--reports 6000] [--rounds 3] [--connections 64]
"""

import argparse
import asyncio
import base64
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

import orjson
import uvicorn
import uvloop
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Path as PathParameter
from fastapi import Request
from pages import free_ports
from processor import database_seconds, process_seconds
from raw_client import post_all, request_bytes
from sqlalchemy import text
from starlette.responses import Response
from twilio.request_validator import RequestValidator

from app.base import clock
from app.base.actor import cli_actor
from app.base.config import load_settings
from app.base.context import AppContext
from app.base.db import make_engine, make_sessions
from app.base.embedded import start_embedded, stop_embedded
from app.base.http_protocol import BoundedProtocol
from app.base.ids import new_id
from app.base.log import configure_logs
from app.base.memory import tune_garbage_collector
from app.base.schema import migrate
from app.base.tokens import Tokens
from app.base.web.page_route import make_page_router
from app.brands.add import add_brand, add_shop
from app.brands.models import Shop
from app.main import create_app
from app.messaging.provider_events import ParsedProviderEvent, record_provider_events
from app.messaging.providers.sendgrid.client import ATTEMPT_ARGUMENT
from app.messaging.providers.sendgrid.events import SIGNATURE_HEADER, TIMESTAMP_HEADER
from app.messaging.providers.twilio import events, routes
from app.wiring import Parts

KEY = "a key for benchmarks alone, of no worth to anyone"
AUTH_TOKEN = "a token for benchmarks alone"
TARGET_RATE = 2_000
"""Callbacks a second, with the client and the database on the same two cores."""
TARGET_OF_ALONE = 3.0
A_POST = 500
PATHS = {
    "twilio": "/hooks/twilio/status/",
    "alone": "/bench/status/",
    "sendgrid": "/hooks/sendgrid/events",
    "empty": "/bench/empty/",
}


def open_context(url: str, base: str, public_key: str) -> AppContext:
    settings = load_settings(
        _env_file=None,
        database_url=url,
        secret_key=KEY,
        public_url=base,
        twilio_auth_token=AUTH_TOKEN,
        sendgrid_event_public_key=public_key,
    )
    engine = make_engine(url, pool_size=15)
    return AppContext(settings, engine, make_sessions(engine), Tokens(KEY), url)


def serve(url: str, port: int, public_key: str) -> None:
    """The server process: the product's application, and the endpoints it is measured against."""
    context = open_context(url, f"http://127.0.0.1:{port}", public_key)
    configure_logs(context.settings.log_format, level=40)
    tune_garbage_collector()  # as the web does at its start
    app = create_app(Parts(context, {}))
    beside = make_page_router("bench")

    @beside.post("/bench/status/{attempt}")
    async def alone(attempt: Annotated[str, PathParameter()], request: Request) -> Response:
        form, _ = await routes._signed_form(context, request)  # noqa: SLF001  # the product's own check
        event = events.read_status(context.tokens, attempt, form, now=clock.now())
        assert isinstance(event, ParsedProviderEvent)
        async with context.sessions.begin() as session:
            await record_provider_events(session, context.tokens, [event], now=clock.now())
        return Response(status_code=204)

    @beside.post("/bench/empty/{attempt}")
    async def empty(attempt: Annotated[str, PathParameter()]) -> Response:  # noqa: ARG001  # in the path
        return Response(status_code=204)

    app.router.routes.extend(beside.routes)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http=BoundedProtocol,
        log_level="error",
        access_log=False,
        timeout_keep_alive=120,  # else connections end while the next round is filled
    )


_FILL = text("""
    WITH new AS (
        SELECT id, gen_random_uuid() AS message_id, gen_random_uuid() AS customer_id, address
        FROM unnest(CAST(:ids AS uuid[]), CAST(:addresses AS text[])) AS new (id, address)
    ), people AS (
        INSERT INTO customers (brand_id, id, phone_agreed, country_own)
        SELECT :brand_id, customer_id, false, false FROM new RETURNING 1
    ), sent AS (
        INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority, status,
            address, locale, template_params, due_at, claimed_at, attempts, at_once, unknowns, refusals,
            possible_duplicate, trial)
        SELECT :brand_id, message_id, customer_id, :shop_id, 'survey', message_id, 0, :channel, 'normal', 'accepted',
            address, 'en', '{}', now(), now(), 1, false, 0, 0, false, false
        FROM new RETURNING 1
    )
    INSERT INTO attempts (brand_id, id, message_id, number, provider, status, started_at, finished_at)
    SELECT :brand_id, id, message_id, 1, :provider, 'accepted', now(), now() FROM new
""")


async def fill(context: AppContext, shop: Shop, name: str, count: int) -> list[UUID]:
    """Sent messages with one attempt each; returns the attempts."""
    ids = [new_id() for _ in range(count)]
    is_mail = name == "sendgrid"
    given = {
        "brand_id": shop.brand_id,
        "shop_id": shop.id,
        "ids": ids,
        "addresses": [f"p{each.hex}@example.com" if is_mail else "+4915112345678" for each in ids],
        "channel": "email" if is_mail else "sms",
        "provider": "sendgrid" if is_mail else "twilio",
    }
    async with context.sessions.begin() as session:
        await session.execute(_FILL, given)
        await session.execute(text("ANALYZE"))
    return ids


def callbacks(context: AppContext, path: str, shop: Shop, attempts: Sequence[UUID]) -> list[bytes]:
    """Signed status callbacks, one of each attempt."""
    validator, posts = RequestValidator(AUTH_TOKEN), []
    for attempt in attempts:
        form = {
            "MessageSid": f"SM{attempt.hex}",
            "MessageStatus": "delivered",
            "To": "+4915112345678",
            "From": "+4915100000000",
            "AccountSid": "AC" + "0" * 32,
            "ApiVersion": "2010-04-01",
        }
        target = path + context.tokens.link("attempt", shop.brand_id, attempt)
        signature = validator.compute_signature(context.settings.public_url + target, form)
        headers = {
            events.SIGNATURE_HEADER: signature,
            "content-type": "application/x-www-form-urlencoded",
        }
        posts.append(request_bytes(target, headers, urlencode(form).encode()))
    return posts


def event_posts(
    context: AppContext, shop: Shop, attempts: Sequence[UUID], key: ec.EllipticCurvePrivateKey
) -> list[bytes]:
    """Signed posts of 500 events of SendGrid, one event of each attempt."""
    posts = []
    for start in range(0, len(attempts), A_POST):
        found = [
            {
                "email": f"p{attempt.hex}@example.com",
                "timestamp": int(time.time()),
                "event": "delivered",
                "sg_event_id": attempt.hex,
                "sg_message_id": "14c5d75ce93.dfd.64b469",
                ATTEMPT_ARGUMENT: context.tokens.link("attempt", shop.brand_id, attempt),
            }
            for attempt in attempts[start : start + A_POST]
        ]
        body, stamp = orjson.dumps(found), str(int(time.time()))
        signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
        headers = {
            SIGNATURE_HEADER: signature,
            TIMESTAMP_HEADER: stamp,
            "content-type": "application/json",
        }
        posts.append(request_bytes(PATHS["sendgrid"], headers, body))
    return posts


@dataclass(frozen=True)
class Measured:
    """One round: reports a second, and processor µs a report of server, database and client."""

    rate: float
    server: float
    database: float
    client: float


async def measure(
    context: AppContext,
    home: Path,
    server: int,
    key: ec.EllipticCurvePrivateKey,
    options: argparse.Namespace,
) -> bool:
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "bench", name="Bench")
        shop, _ = await add_shop(
            session, context.tokens, brand, "bench", name="Bench", actor=cli_actor(brand.id)
        )
    found: dict[str, list[Measured]] = {name: [] for name in PATHS}
    port = int(context.settings.public_url.rpartition(":")[2])
    await reachable(port)
    for warm in (True, *(False for _ in range(options.rounds))):
        for name, path in PATHS.items():
            count = A_POST if warm else options.reports // (10 if name == "alone" else 1)
            attempts = await fill(context, shop, name, count)
            if name == "sendgrid":
                posts = event_posts(context, shop, attempts, key)
            else:
                posts = callbacks(context, path, shop, attempts)
            before = process_seconds(server), database_seconds(home)
            seconds, ours = await post_all(port, posts, options.connections)
            used = process_seconds(server) - before[0], database_seconds(home) - before[1], ours
            if name != "empty":
                await check_delivered(context, attempts)
            if not warm:
                found[name].append(Measured(count / seconds, *(each / count * 1e6 for each in used)))
    return report(found)


async def reachable(port: int) -> None:
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise RuntimeError("the server did not start")


async def check_delivered(context: AppContext, attempts: Sequence[UUID]) -> None:
    """Raises unless every report is stored and its message is `delivered`."""
    async with context.sessions() as session:
        done = await session.scalar(
            text("""
                SELECT count(*) FROM attempts
                JOIN messages ON messages.brand_id = attempts.brand_id AND messages.id = attempts.message_id
                JOIN provider_events ON provider_events.brand_id = attempts.brand_id AND attempt_id = attempts.id
                WHERE attempts.id = ANY(CAST(:ids AS uuid[])) AND messages.status = 'delivered'
            """),
            {"ids": list(attempts)},
        )
    if done != len(attempts):
        raise RuntimeError(f"{done} of {len(attempts)} reports are stored")


def report(found: dict[str, list[Measured]]) -> bool:
    rates = {name: statistics.median(one.rate for one in rounds) for name, rounds in found.items()}
    for name, rounds in found.items():
        server, database, client = (
            statistics.median(costs)
            for costs in zip(*((one.server, one.database, one.client) for one in rounds), strict=True)
        )
        print(
            f"{name:>9}: {rates[name]:>8,.0f} reports/s   ({', '.join(f'{one.rate:,.0f}' for one in rounds)})   "
            f"processor µs a report: server {server:,.0f}, database {database:,.0f}, client {client:,.0f}"
        )
    of_alone = rates["twilio"] / rates["alone"]
    print(f"callbacks in groups / one commit each = {of_alone:.1f} (target {TARGET_OF_ALONE})")
    print(f"callbacks: {rates['twilio']:,.0f}/s (target {TARGET_RATE:,} on two idle cores)")
    return of_alone >= TARGET_OF_ALONE and rates["twilio"] >= TARGET_RATE


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = base64.b64encode(
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ).decode()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        url = start_embedded(home)
        port, _ = free_ports()
        asyncio.run(migrate(url))
        server = multiprocessing.get_context("spawn").Process(
            target=serve, args=(url, port, public_key), daemon=True
        )
        server.start()
        try:
            context = open_context(url, f"http://127.0.0.1:{port}", public_key)
            met = uvloop.run(measure(context, home, server.pid or 0, key, options))
        finally:
            server.terminate()
            server.join()
            stop_embedded(home)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
