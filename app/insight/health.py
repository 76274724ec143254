"""What operators watch: waiting deliveries, messages that make no progress, providers that fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import metrics
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.messaging.account_rules import is_own_circuit
from app.messaging.circuit_rules import Circuit
from app.messaging.circuits import load_circuits
from app.messaging.models import Message
from app.messaging.rules import MessageStatus

DELIVERY_SECONDS = 60
"""A delivery that waits longer is a problem: a worker processes it within a second."""
STUCK_AFTER = timedelta(hours=1)
"""A message that is due or being sent for longer makes no progress."""


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the work; counts are of all brands."""

    deliveries_waiting: int
    oldest_delivery_seconds: float
    """How long the oldest delivery has waited to be processed; 0 where none waits."""
    messages_due: int
    messages_stuck: int
    """Due, or being sent, for longer than `STUCK_AFTER`."""
    messages_in_review: int
    """A person must decide whether they are sent again."""
    circuits: Sequence[Circuit]
    """The open ones."""


async def load_health(session: AsyncSession, *, now: datetime) -> Health:
    """Read the state of the work at `now`."""
    waiting = await session.execute(
        select(
            func.count(), func.extract("epoch", func.clock_timestamp() - func.min(Delivery.created_at))
        ).where(Delivery.status == DeliveryStatus.new)
    )
    deliveries, oldest = waiting.one()
    due = await session.execute(
        select(func.count(), func.count().filter(Message.due_at <= now - STUCK_AFTER)).where(
            Message.status == MessageStatus.planned, Message.due_at <= now
        )
    )
    messages_due, late = due.one()
    sending = await session.scalar(
        select(func.count()).where(
            Message.status == MessageStatus.sending, Message.claimed_at <= now - STUCK_AFTER
        )
    )
    review = await session.scalar(select(func.count()).where(Message.status == MessageStatus.review))
    circuits = (await load_circuits(session)).values()
    return Health(
        deliveries_waiting=deliveries,
        oldest_delivery_seconds=max(float(oldest or 0), 0.0),
        messages_due=messages_due,
        messages_stuck=late + (sending or 0),
        messages_in_review=review or 0,
        circuits=[circuit for circuit in circuits if circuit.is_open],
    )


def publish_health(health: Health) -> None:
    """Set the metrics of the state of the work."""
    metrics.DELIVERIES_WAITING.set(health.deliveries_waiting)
    metrics.OLDEST_DELIVERY.set(health.oldest_delivery_seconds)
    metrics.MESSAGES_WAITING.set(health.messages_due)
    metrics.MESSAGES_STUCK.set(health.messages_stuck)
    metrics.MESSAGES_IN_REVIEW.set(health.messages_in_review)
    metrics.CIRCUIT_OPEN.clear()
    for circuit in health.circuits:
        metrics.CIRCUIT_OPEN.labels(circuit.provider).set(1)


def _circuit_problem(circuit: Circuit) -> str:
    since = f"since {circuit.opened_at:%Y-%m-%d %H:%M} UTC ({circuit.reason})"
    if is_own_circuit(circuit.provider):
        name, brand_id = circuit.provider.split("/")
        return (
            f"Nothing is sent by the own {name} account of the brand with the number {brand_id} {since}. Give"
            f" its credentials anew (PUT /api/v1/brand/providers) or remove it: it is tested by itself."
        )
    return (
        f"Nothing is sent by {circuit.provider} {since}. Correct its settings and restart the workers, or"
        " wait until it works again: it is tested by itself."
    )


def health_problems(health: Health) -> list[str]:
    """A sentence for each problem, with its solution."""
    problems = [_circuit_problem(circuit) for circuit in health.circuits]
    if health.oldest_delivery_seconds > DELIVERY_SECONDS:
        problems.append(
            f"{health.deliveries_waiting} deliveries wait, the oldest for"
            f" {health.oldest_delivery_seconds:.0f} s. Start a worker (tenfold worker) or read its log."
        )
    if health.messages_stuck and not health.circuits:
        problems.append(
            f"{health.messages_stuck} messages are due or being sent for more than an hour."
            " Start a worker (tenfold worker) or read its log."
        )
    if health.messages_in_review:
        problems.append(
            f"{health.messages_in_review} messages may have been sent or not. Decide about them:"
            " GET /api/v1/messages?status=review, then resend or dismiss each."
        )
    return problems
