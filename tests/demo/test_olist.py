"""Orders in the Olist format, replayed through the webhook endpoint, and an expectation from the
files alone."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.base.errors import AppError
from app.brands.programme import Channel
from app.demo.client import DemoClient
from app.demo.environment import serving
from app.demo.figures import count_all, offer_delays
from app.demo.olist import BRASILIA, make_scenario
from app.demo.run import SLUG, create_shop
from app.demo.runner import ScenarioRunner
from app.demo.simulated_clock import SimulatedClock
from app.insight.invariants import check
from app.messaging.providers.outbox.client import Outbox
from app.orders.models import Order
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus, RefusalReason
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from app.wiring import Parts
from app.worker import sweeps_of
from tests.support.constants import NOW
from tests.support.olist_data import NIGHT_ORDER, write_olist
from tests.support.olist_expectation import expect

ORDERS = 20


@pytest.fixture
def write_orders(tmp_path: Path) -> Callable[[int], Path]:
    """Write a folder of generated orders, seven in ten days, in the data set's format."""

    def write(orders: int) -> Path:
        folder = tmp_path / "olist"
        folder.mkdir()
        write_olist(folder, orders=orders, days=orders * 10 // 7)
        return folder

    return write


@pytest.fixture
def olist(write_orders) -> Path:
    """A folder of `ORDERS` orders."""
    return write_orders(ORDERS)


@pytest.mark.slow(seconds=35)
async def test_replayed_orders_match_the_expectation_from_the_files(context, write_orders) -> None:
    orders = 70
    olist = write_orders(orders)
    expected = expect(olist, orders)
    assert min(expected.sent, expected.planned, expected.skipped["cancelled"], expected.detractors) > 0
    assert expected.persons < expected.orders, "some buy twice, so that the recontact rule has work"
    scenario = make_scenario(olist, seed=1, today=NOW, most=orders)
    parts = Parts(context, {channel: Outbox(context) for channel in Channel})
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with serving(parts, listener):
            created = await create_shop(context, scenario.setup)
            client = DemoClient(base, shop=SLUG, secret=created.secret)
            try:
                simulated = SimulatedClock(context, sweeps_of(parts), scenario.begin)
                runner = ScenarioRunner(context, created.brand, scenario, client, simulated)
                async with simulated.worker("urgent", "messages"):
                    friends = sum(
                        [(await runner.run_until(phase.until)).friends for phase in scenario.phases]
                    )
                nps = await client.get_json("/api/v1/nps", key=created.api_key)
            finally:
                await client.close()

    async with context.sessions() as session:
        figures = await count_all(session, created.brand.id)
        delays = await offer_delays(session, created.brand.id)
        reasons = dict(
            (
                await session.execute(
                    select(Survey.reason, func.count())
                    .where(Survey.status == SurveyStatus.skipped)
                    .group_by(Survey.reason)
                )
            ).all()
        )
        asked = set(
            await session.scalars(
                select(Order.external_id)
                .join(Survey, Survey.order_id == Order.id)
                .where(Survey.sent_at.is_not(None))
            )
        )
        redemptions = (await session.scalars(select(Redemption))).all()

    assert (figures.orders, figures.surveys_sent, figures.surveys_planned) == (
        expected.orders,
        expected.sent,
        expected.planned,
    )
    assert reasons == expected.skipped
    assert asked == expected.asked
    assert figures.answered == expected.answered
    assert (nps["promoters"], nps["passives"], nps["detractors"]) == (
        expected.promoters,
        expected.passives,
        expected.detractors,
    )
    assert nps["nps"] == pytest.approx(expected.nps, abs=1e-3)
    assert (nps["interval"]["low"], nps["interval"]["high"]) == pytest.approx(
        (expected.low, expected.high), abs=1e-3
    )

    assert len(redemptions) == friends > 0, "each order with a code has its one redemption"
    refused = [redemption for redemption in redemptions if redemption.status is RedemptionStatus.refused]
    assert {redemption.reason for redemption in refused} <= {
        RefusalReason.existing_customer,
        RefusalReason.own_order,
    }
    assert len(delays) == figures.codes > 0, "every promoter's offer has left"

    async with context.sessions() as session:
        assert await check(session, context.tokens) == []


def test_replay_of_a_folder_without_data_is_refused(tmp_path) -> None:
    with pytest.raises(AppError, match=r"orders\.csv"):
        make_scenario(tmp_path, seed=1, today=NOW)


def test_replayed_times_keep_their_hour_and_end_the_day_before(olist: Path) -> None:
    scenario = make_scenario(olist, seed=1, today=NOW, most=ORDERS)
    again = make_scenario(olist, seed=1, today=NOW, most=ORDERS)
    last = max(
        [delivery.at for delivery in scenario.deliveries]
        + [response.not_before for response in scenario.responses.values()]
    )
    assert scenario.deliveries == again.deliveries
    assert 1 <= (NOW - last).total_seconds() / 86400 < 2
    order = next(delivery for delivery in scenario.deliveries if delivery.data.get("id") == NIGHT_ORDER)
    assert f"{order.at.astimezone(BRASILIA):%H:%M:%S}" == "02:46:17"
