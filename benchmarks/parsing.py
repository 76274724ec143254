"""What one delivery costs the processor: to check its signature, and to parse its body.

One process, no database: the adapters of Shopify and of WooCommerce over the orders in
`tests/samples/`, or over a body in a file that a shop sent. Every delivery is another order, as it
is in life. Prints microseconds of processor time, the median of several rounds.

Run: uv run python benchmarks/parsing.py [--deliveries 2000] [--rounds 7] [--shopify FILE]
         [--woocommerce FILE]
"""

import argparse
import base64
import hmac
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
from starlette.datastructures import Headers

from app.platforms.delivery_types import RawDelivery, VerifiedDelivery
from app.platforms.registry import PLATFORMS

TARGET_US = 150.0
"""Of verifying and parsing together."""
SAMPLES = Path(__file__).parents[1] / "tests" / "samples"
SECRET = "a secret for benchmarks alone"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Kind:
    """The deliveries of one platform: the sample, its topic, and the headers."""

    platform: str
    sample: str
    topic: str
    topic_header: str
    signature_header: str

    def deliveries(self, file: Path | None, count: int) -> list[tuple[Headers, bytes]]:
        """Signed deliveries of so many orders, as platforms write them: without white space."""
        order = orjson.loads((file or SAMPLES / self.sample).read_bytes())
        bodies = (orjson.dumps(order | {"id": 10**9 + number}) for number in range(count))
        return [(Headers(self.headers(raw)), raw) for raw in bodies]

    def headers(self, raw: bytes) -> dict[str, str]:
        """The headers of a delivery with this body."""
        signature = base64.b64encode(hmac.digest(SECRET.encode(), raw, "sha256")).decode()
        return {self.topic_header: self.topic, self.signature_header: signature}


KINDS = (
    Kind(
        "shopify",
        "shopify/order_paid.json",
        "orders/paid",
        "X-Shopify-Topic",
        "X-Shopify-Hmac-Sha256",
    ),
    Kind(
        "woocommerce",
        "woocommerce/order.json",
        "order.updated",
        "X-WC-Webhook-Topic",
        "X-WC-Webhook-Signature",
    ),
)


def microseconds(rounds: int, work: Sequence[Callable[[], object]]) -> float:
    """The median of what one of these calls takes of the processor; the first round is dropped."""
    found = []
    for _ in range(rounds + 1):
        began = time.process_time()
        for each in work:
            each()
        found.append((time.process_time() - began) / len(work) * 1e6)
    return statistics.median(found[1:])


def measure(kind: Kind, file: Path | None, count: int, rounds: int) -> bool:
    """Print the costs of a platform's deliveries; whether they meet the target."""
    adapter, given = PLATFORMS[kind.platform], kind.deliveries(file, count)

    def verify(headers: Mapping[str, str], raw: bytes) -> None:
        if not isinstance(adapter.verify(headers, raw, (SECRET,), now=NOW), VerifiedDelivery):
            raise SystemExit(f"a delivery of {kind.platform} was refused")

    def parse(raw: bytes) -> None:
        if not adapter.parse(RawDelivery(kind.topic, raw, NOW)):
            raise SystemExit(f"a delivery of {kind.platform} has no event")

    verifying = microseconds(rounds, [lambda each=each: verify(*each) for each in given])
    parsing = microseconds(rounds, [lambda each=each: parse(each[1]) for each in given])
    met = verifying + parsing <= TARGET_US
    print(
        f"{kind.platform:12} {len(given[0][1]):,} bytes: verify {verifying:5.1f} µs, parse {parsing:5.1f} µs, "
        f"together {verifying + parsing:5.1f} µs (wanted {TARGET_US:.0f} at most){'' if met else '   MISSED'}"
    )
    return met


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    for kind in KINDS:
        parser.add_argument(f"--{kind.platform}", type=Path, metavar="FILE")
    options = parser.parse_args()
    met = [
        measure(kind, getattr(options, kind.platform), options.deliveries, options.rounds) for kind in KINDS
    ]
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
