"""What operators watch is read from the rows themselves, and each problem names its solution."""

from datetime import timedelta

from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text, update

from app.base import clock
from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.errors import Fault, Outcome, OutsideError
from app.brands.models import Brand, Shop
from app.ingest.models import Delivery
from app.insight.health import health_problems, load_health
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from tests.support.apps import whole_app
from tests.support.constants import NOW
from tests.support.factories.messages import queue
from tests.support.fakes.scripted import Scripted, both


async def problems(context: AppContext) -> list[str]:
    async with context.sessions() as session:
        return health_problems(await load_health(session, now=clock.now()))


async def test_an_idle_installation_has_no_problem(context: AppContext, brand: Brand, shop: Shop) -> None:
    assert await problems(context) == []


async def test_each_problem_is_a_sentence_with_its_solution_and_a_metric(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 3)
    rejected = OutsideError(Outcome.refused, "SendGrid 401: the API key was not accepted", fault=Fault.access)
    await sweep_once(both(context, Scripted([lambda batch: [rejected] * len(batch.recipients)])), NOW)
    (circuit,) = await problems(context)
    assert circuit.startswith("Nothing is sent by scripted since 2026-03-10 12:00 UTC (SendGrid 401")
    async with context.sessions.begin() as session:
        await session.execute(text("DELETE FROM provider_circuits"))
        await session.execute(
            update(Message).values(due_at=clock.now() - timedelta(hours=2), status=MessageStatus.planned)
        )
    (stuck,) = await problems(context)
    assert stuck.startswith("3 messages are due or being sent for more than an hour.")
    async with context.sessions.begin() as session:
        await session.execute(update(Message).values(status=MessageStatus.review))
    (review,) = await problems(context)
    assert review.startswith("3 messages may have been sent or not.")


async def test_a_waiting_delivery_is_timed_by_its_own_row(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as session:
        given = {"brand_id": brand.id, "shop_id": shop.id, "source": "checkout", "topic": "order.paid"}
        at = clock.now() - timedelta(minutes=5)
        session.add(Delivery(**given, external_id="one", body=b"{}", received_at=NOW, created_at=at))
    (waiting,) = await problems(context)
    assert waiting.startswith("1 deliveries wait, the oldest for 30")


async def test_metrics_show_open_circuits_and_close_them(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    rejected = OutsideError(Outcome.refused, "no", fault=Fault.access)
    each = both(context, Scripted([lambda batch: [rejected] * len(batch.recipients)]))
    transport = ASGITransport(app=whole_app(context))
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        await sweep_once(each, NOW)
        assert 'tenfold_circuit_open{provider="scripted"} 1.0' in (await client.get("/metrics")).text
        await sweep_once(each, NOW + timedelta(minutes=1))
        assert "tenfold_circuit_open{" not in (await client.get("/metrics")).text
