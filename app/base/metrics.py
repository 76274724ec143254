"""The metrics at `/metrics` for Prometheus: requests by route, and how far the work lags behind."""

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
REQUESTS = Counter("tenfold_requests", "Requests served.", ["method", "route", "status"], registry=REGISTRY)
SECONDS = Histogram(
    "tenfold_request_seconds",
    "Time to serve a request.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
QUEUE_LAG = Gauge(
    "tenfold_queue_lag_seconds", "How long the oldest wake-up has waited for a worker.", registry=REGISTRY
)
DELIVERIES_WAITING = Gauge(
    "tenfold_events_waiting", "Deliveries of shops that are accepted and not processed.", registry=REGISTRY
)
OLDEST_DELIVERY = Gauge(
    "tenfold_oldest_delivery_seconds", "How long the oldest delivery has waited.", registry=REGISTRY
)
MESSAGES_WAITING = Gauge("tenfold_messages_waiting", "Messages that are due and not sent.", registry=REGISTRY)
MESSAGES_STUCK = Gauge(
    "tenfold_messages_stuck", "Messages that are due or being sent for over an hour.", registry=REGISTRY
)
MESSAGES_IN_REVIEW = Gauge(
    "tenfold_messages_in_review", "Messages that a person must decide about.", registry=REGISTRY
)
ONE_PEER = Gauge(
    "tenfold_callers_share_one_peer",
    "1 while all callers of customers' pages have one private address, as behind an untrusted proxy.",
    registry=REGISTRY,
)
FENCED = Gauge(
    "tenfold_sending_off",
    "1 while a restored database sends nothing until it is recovered.",
    registry=REGISTRY,
)
CIRCUIT_OPEN = Gauge(
    "tenfold_circuit_open", "1 for a provider that nothing is sent by.", ["provider"], registry=REGISTRY
)


@lru_cache(maxsize=4096)
def _of_route(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """The two of one route; finding them by their labels takes longer than counting."""
    return REQUESTS.labels(method, route, status), SECONDS.labels(route)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that has ended."""
    requests, durations = _of_route(method, route, status)
    requests.inc()
    durations.observe(seconds)


def rendered() -> bytes:
    """The current metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
