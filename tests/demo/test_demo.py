"""The demo as somebody runs it: one command, the real doors, a summary that adds up, and data that
violate no invariant."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import clock
from app.base.context import AppContext
from app.base.db import COMMAND
from app.base.embedded import stop_embedded
from app.base.errors import AppError
from app.base.pools import command_pools
from app.brands.find import find_brand
from app.demo import generated_shop
from app.demo.environment import demo_settings
from app.demo.run import run
from app.demo.scenario import with_code
from app.insight import invariants
from app.insight.nps import nps
from app.insight.overview import overview
from app.insight.periods import last_days
from app.insight.scores import By
from app.insight.timeline import timeline
from app.orders.models import Order
from app.surveys.models import Response, Survey
from app.surveys.rules import SurveyStatus
from app.wiring import open_context

TODAY = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def execute(
    folder: Path, *command: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=540, check=False
    )


def tenfold(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder of its own, away from anybody's settings."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TENFOLD_")}
    return execute(folder, sys.executable, "-c", "from app.cli import main; main()", *words, env=env)


@pytest.mark.slow(seconds=60)
def test_an_installed_wheel_plays_the_whole_story_and_violates_no_invariant(
    installed: Path, tmp_path: Path
) -> None:
    # What an installation here is set to must not be used, least of all its database and its
    # providers; and nothing else is there.
    bare = {"PATH": os.defpath}
    others = {
        "TENFOLD_EMAIL_PROVIDER": "nobody",
        "TENFOLD_DATABASE_URL": "postgresql://nowhere.invalid/none",
        "TENFOLD_ENV": "production",
    }
    (tmp_path / ".env").write_text("TENFOLD_SMS_PROVIDER=nobody")
    demo = ("demo", "--orders", "40", "--port", str(free_port()), "--exit")
    done = execute(tmp_path, installed, *demo, env=bare | others)
    (tmp_path / ".env").unlink()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1, "one line of JSON where no terminal listens"
    summary = json.loads(done.stdout)
    assert summary["orders"] == 40
    for what in (
        "surveys_sent",
        "answered",
        "promoters",
        "codes",
        "visits",
        "redemptions",
        "rewards",
        "reversals",
    ):
        assert summary[what] > 0, what
    assert summary["answered"] <= summary["surveys_sent"] <= summary["orders"]
    assert summary["nps_interval"]["low"] <= summary["nps"] <= summary["nps_interval"]["high"]
    assert summary["first_code_after_seconds"] < 60
    home = tmp_path / ".tenfold-demo"
    looked = execute(tmp_path, installed, "invariants", "--json", env={**bare, "TENFOLD_HOME": home.name})
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert json.loads(looked.stdout)["violations"] == []
    try:
        asyncio.run(check_what_the_dashboard_shows(home, summary))
    finally:
        stop_embedded(home)


@pytest.mark.slow(seconds=60)
@pytest.mark.parametrize("platform", ["woocommerce", "shopify"])
def test_demo_sells_at_a_fake_whose_carts_know_the_codes(tmp_path: Path, platform: str) -> None:
    port = str(free_port())
    done = tenfold(tmp_path, "demo", "--orders", "24", "--platform", platform, "--port", port, "--exit")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert (summary["orders"], summary["schema_violations"], summary["carts_refused"]) == (24, 0, 0)
    assert summary["shop_codes"] > summary["codes"] > 0, "with those of the pool"
    friends, own = summary["redemptions"] + summary["refused"], summary["rewards_spent"]
    is_coupon = platform == "woocommerce"
    assert summary["shop_code_uses"] == friends + own * is_coupon, "credit of an account is no code"
    assert min(friends, own, summary["reversals"], summary["shop_codes_deleted"]) > 0
    credit = {name: Decimal(summary[f"credit_{name}"]) for name in ("granted", "spent", "taken_back", "held")}
    assert min(credit.values()) > 0, credit
    assert Decimal(summary["shop_credit"]) == credit["held"], "the shop has what we say"
    assert credit["held"] <= credit["granted"] - credit["spent"] - credit["taken_back"], credit
    assert summary["shop_rewards"] <= summary["rewards"] * is_coupon
    assert summary.get("webhooks_lost", 1) > 0
    home = tmp_path / ".tenfold-demo"
    try:
        asyncio.run(check_what_is_left(home))
    finally:
        stop_embedded(home)


async def check_what_is_left(home: Path) -> None:
    """No invariant is violated, and what no webhook said was read from the shop at night."""
    settings = demo_settings(8000).model_copy(update={"home": home})
    # A parcel takes 20 hours, and within another day there is a night.
    sent = select(Order.number).where(
        Order.fulfilled_at < clock.now() - timedelta(days=2), Order.delivered_at.is_(None)
    )
    async with open_context(settings, pools=command_pools(settings.database_pool), limits=COMMAND) as context:
        async with context.sessions() as session:
            assert await invariants.check(session, context.tokens) == []
        async with context.sessions() as session:
            assert list(await session.scalars(sent)) == []


async def test_demo_refuses_a_platform_that_it_cannot_play():
    for platform, data in (("bigcommerce", None), ("woocommerce", Path("real"))):
        with pytest.raises(AppError) as refused:
            await run(orders=1, seed=1, port=0, data=data, stay=False, platform=platform)
        assert refused.value.code == "bad_platform"


async def check_what_the_dashboard_shows(home: Path, summary: dict[str, Any]) -> None:
    """The dashboard's figures are the terminal's, its charts have weeks, and people's pages run in
    order."""
    settings = demo_settings(8000).model_copy(update={"home": home})
    async with (
        open_context(settings, pools=command_pools(settings.database_pool), limits=COMMAND) as context,
        context.sessions() as session,
    ):
        waits = select(Survey.id).where(Survey.status == SurveyStatus.sent)
        assert await session.scalar(waits), "the survey page that it shows can be answered"
        brand = await find_brand(session, "demo")
        found = await overview(session, brand, last_days(90, brand.time_zone, now=clock.now()))
        stages = found.funnel.stages
        shown = {
            "orders": stages.orders,
            "surveys_sent": stages.surveyed,
            "answered": stages.answered,
            "promoters": stages.promoters,
            "visits": stages.friend_visits,
            "redemptions": stages.redemptions,
            "approved": stages.approved,
            "nps": round(nps(found.counts) or 0, 4),
        }
        assert shown == {name: summary[name] for name in shown}
        assert (found.rate.answered, found.rate.delivered) == (stages.answered, stages.delivered)
        assert found.activity.redemptions == stages.redemptions
        assert found.activity.offers == stages.offers_delivered
        assert found.by is By.week
        assert len(found.groups) >= 2, "answers of several weeks"
        promoters = await session.scalars(select(Response.customer_id).where(Response.score >= 9))
        for customer_id in promoters:
            await check_order_of_life(session, context, brand.id, customer_id)


async def check_order_of_life(
    session: AsyncSession, context: AppContext, brand_id: int, customer_id: UUID
) -> None:
    entries = await timeline(session, context.tokens, brand_id, customer_id, pii=True)
    names = [entry.template or entry.kind for entry in entries]
    order = [names.index(name) for name in ("order", "survey", "response", "offer") if name in names]
    assert order == sorted(order), [f"{entry.at} {entry.text}" for entry in entries]
    assert len(order) >= 3
    written = [names.index(name) for name in ("customer", "code") if name in names]
    assert written == sorted(written)


@pytest.mark.slow
def test_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = tenfold(tmp_path, "demo", "--orders", "2", "--port", str(port), "--exit")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Port {port} is taken; choose another one with --port.\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_folder_without_data_is_one_sentence(tmp_path: Path) -> None:
    done = tenfold(tmp_path, "demo", "--data", str(tmp_path), "--port", str(free_port()), "--exit")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "orders.csv" in done.stderr


@pytest.mark.parametrize("orders", [1, 2, 7, 60, 300])
def test_script_has_as_many_orders_as_asked_for(orders: int) -> None:
    scenario = generated_shop.make_scenario(orders=orders, seed=1, today=TODAY)
    ids = {delivery.data["id"] for delivery in scenario.deliveries if delivery.topic == "order.paid"}
    assert len(ids) == orders
    assert all(
        earlier.at <= later.at
        for earlier, later in zip(scenario.deliveries, scenario.deliveries[1:], strict=False)
    )
    assert scenario.deliveries[-1].at <= TODAY


def test_same_seed_makes_the_same_shop_and_another_seed_another() -> None:
    one, same, other = (generated_shop.make_scenario(orders=30, seed=seed, today=TODAY) for seed in (4, 4, 5))
    assert (one.deliveries, one.responses) == (same.deliveries, same.responses)
    assert one.deliveries != other.deliveries


def test_script_holds_what_happens_to_real_shops() -> None:
    scenario = generated_shop.make_scenario(orders=120, seed=1, today=TODAY)
    topics = Counter(delivery.topic for delivery in scenario.deliveries)
    deliveries = Counter(delivery.delivery_id for delivery in scenario.deliveries)
    people = [delivery.data["customer"] for delivery in scenario.deliveries if delivery.topic == "order.paid"]
    assert topics["order.refunded"] > 3
    assert topics["order.cancelled"] > 3
    assert max(deliveries.values()) == 2, "some deliveries come twice"
    assert any(person["email"] is None for person in people)
    assert any(person["email_consent"] is False for person in people)
    assert len({person["locale"] for person in people}) > 6
    assert any(delivery.code_choice is not None for delivery in scenario.deliveries)


def test_clock_moves_by_ticks_only() -> None:
    scenario = generated_shop.make_scenario(orders=5, seed=1, today=TODAY)
    tick = scenario.tick(TODAY)
    assert timedelta(0) <= tick - TODAY < scenario.grain
    assert scenario.tick(tick) == tick
    assert scenario.begin < scenario.deliveries[0].at


def test_friends_pay_less_by_the_percentage_of_the_subtotal() -> None:
    friend = with_code(
        {"subtotal": "39.95", "total": "44.85", "discount_total": "0.00"},
        "ANA-7K4QX",
        slug="3abc",
        percent=Decimal(10),
    )
    assert (friend["discount_total"], friend["total"]) == ("3.99", "40.86")
    assert (friend["discount_codes"], friend["referral"]) == (["ANA-7K4QX"], "3abc")
