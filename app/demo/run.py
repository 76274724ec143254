"""The demo from start to end: database and web server, a scenario over real HTTP, the summary."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.admin import keys, links, staff
from app.admin.rules import Role, Scope
from app.base import clock, schema
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.db import WORKER
from app.base.errors import AppError
from app.base.listener import listening
from app.base.log import configure_logs
from app.base.pools import worker_pools
from app.base.secret_key import bind_key
from app.brands.add import add_brand, add_shop, change_programme
from app.brands.models import Brand, Shop
from app.brands.rules import Platform
from app.demo import figures, generated_shop, olist
from app.demo.client import DemoClient
from app.demo.console import Reporter
from app.demo.environment import HOME, demo_settings, exclusive_database, serving
from app.demo.figures import Figures, percentile
from app.demo.look.dress import dress
from app.demo.runner import ScenarioRunner
from app.demo.scenario import Scenario, ShopSetup
from app.demo.shared_clock import SharedClock
from app.demo.simulated_clock import SimulatedClock
from app.demo.storefronts import PLATFORMS, SETTINGS, for_platform, open_storefront
from app.demo.story import describe_life
from app.platforms.shop_settings import new_settings
from app.referrals.models import Code, Referrer
from app.referrals.publishing.models import PUBLISHING_SWEEPS
from app.surveys.models import Survey
from app.surveys.rules import OPEN, SurveyStatus
from app.wiring import Parts, open_parts
from app.worker import sweeps_of, work

SLUG = "demo"
STAFF = "demo@example.com"


async def run(
    *, orders: int, seed: int, port: int, data: Path | None, stay: bool, platform: str = "checkout"
) -> None:
    """Run the demo: a generated shop of `orders` orders, or the real ones in `data`.

    A generated shop may be on a `platform`, a fake of which runs in this process. With `stay` it
    keeps serving afterwards until stopped. Every run starts from an empty database. Raises
    `AppError` where the port is taken, the data cannot be read, the platform cannot be played, or a
    demo is running already.
    """
    began = clock.monotonic()
    today = clock.now()
    sold_on = _platform(platform, data)
    scenario = (
        generated_shop.make_scenario(orders=orders, seed=seed, today=today)
        if data is None
        else olist.make_scenario(data, seed=seed, today=today)
    )
    scenario = for_platform(scenario, sold_on)
    reporter = Reporter()
    with listening("127.0.0.1", port) as listener:
        settings = demo_settings(port, local_platforms=sold_on is not Platform.checkout)
        configure_logs(settings.log_format, level=logging.WARNING)
        async with (
            exclusive_database(settings),
            open_parts(settings, pools=worker_pools(settings.database_pool), limits=WORKER) as parts,
        ):
            reporter.line("PostgreSQL runs", seconds=clock.monotonic() - began, remark=str(HOME / "postgres"))
            await schema.migrate(parts.context.database_url)
            await bind_key(parts.context.engine, parts.context.tokens)
            reporter.line("Schema is at head", seconds=clock.monotonic() - began)
            async with serving(parts, listener):
                reporter.line("Web listens", seconds=clock.monotonic() - began, remark=settings.public_url)
                await _until_stopped(
                    _run_scenario(parts, scenario, reporter, began=began, stay=stay, platform=sold_on)
                )


async def _run_scenario(
    parts: Parts, scenario: Scenario, reporter: Reporter, *, began: float, stay: bool, platform: Platform
) -> None:
    shared = SharedClock(parts.context)
    await shared.start(scenario.begin)
    created = await create_shop(parts.context, scenario.setup, platform)
    client = DemoClient(parts.context.settings.public_url, shop=SLUG, secret=created.secret)
    try:
        if scenario.note:
            reporter.line(scenario.note)
        simulated = SimulatedClock(parts.context, sweeps_of(parts), scenario.begin, shared=shared)
        async with open_storefront(parts.context, created.shop, client) as storefront:
            runner = ScenarioRunner(parts.context, created.brand, scenario, client, simulated, storefront)
            first_code = await _run_phases(parts, created.brand, scenario, runner, simulated, reporter)
            await shared.end()
            summary = await _summary(parts.context, created, client) | storefront.summary()
            summary["seconds"] = round(clock.monotonic() - began, 2)
            summary["first_code_after_seconds"] = None if first_code is None else round(first_code - began, 2)
            summary["note"] = scenario.note
            links = await _links(parts.context, created.brand)
            reporter.summary(summary, links)
            reporter.close(f"Check every invariant of these data: TENFOLD_HOME={HOME} tenfold invariants")
            if stay:
                await _go_on(parts, reporter, links["dashboard"])
    finally:
        await client.close()


async def _go_on(parts: Parts, reporter: Reporter, dashboard: str | None) -> None:
    """Work in real time until stopped; the shop's platform can still be called."""
    reporter.open_browser(dashboard)
    reporter.close("Web and worker go on; stop them with Ctrl-C.")
    stop = asyncio.Event()
    try:
        await work(parts, stop)
    finally:
        stop.set()


async def _run_phases(
    parts: Parts,
    brand: Brand,
    scenario: Scenario,
    runner: ScenarioRunner,
    simulated: SimulatedClock,
    reporter: Reporter,
) -> float | None:
    """Run all phases; returns when the first code was seen, on the monotonic clock."""
    before, described = Figures(), ""
    async with simulated.worker("urgent", "messages", *PUBLISHING_SWEEPS.values()):
        for phase in scenario.phases:
            phase_began = clock.monotonic()
            result = await runner.run_until(phase.until)
            async with parts.context.sessions() as session:
                after = await figures.count_all(session, brand.id)
                life = await describe_life(session, brand.id)
            reporter.phase(phase.title, after.since(before), result, seconds=clock.monotonic() - phase_began)
            if life is not None and life != described:
                reporter.life(life)
            before, described = after, life or described
    await simulated.settle()
    return runner.first_code_at


@dataclass(frozen=True)
class DemoShop:
    """The demo's brand as created, with its webhook secret and an API key for reading."""

    brand: Brand
    shop: Shop
    secret: str
    api_key: str


def _platform(name: str, data: Path | None) -> Platform:
    """The platform of this name. Raises `AppError` for one that the demo cannot play."""
    found = next((each for each in PLATFORMS if each.value == name), None)
    if found is None or (data is not None and found is not Platform.checkout):
        names = " or ".join(each.value for each in PLATFORMS)
        raise AppError("bad_platform", f"The demo plays {names}, and real orders on checkout alone.")
    return found


async def create_shop(
    context: AppContext, setup: ShopSetup, platform: Platform = Platform.checkout
) -> DemoShop:
    """Create brand, shop, programme, its look, one staff member and an API key for reading."""
    async with context.sessions.begin() as session:
        brand = await add_brand(
            session,
            SLUG,
            name=setup.name,
            time_zone=setup.time_zone,
            locale=setup.locale,
            postal_address=setup.postal_address,
        )
        actor = cli_actor(brand.id)
        shop, secret = await add_shop(
            session,
            context.tokens,
            brand,
            SLUG,
            name=setup.name,
            actor=actor,
            currency=setup.currency,
            url=setup.url,
            platform=platform,
            time_zone=setup.time_zone,
            platform_settings=new_settings(platform, SETTINGS.get(platform, {})),
        )
        await change_programme(session, brand.id, setup.programme, actor=actor)
        if setup.has_look:
            await dress(session, brand.id, actor=actor)
        await staff.add_staff(session, brand.id, STAFF, Role.admin, actor=actor)
        return DemoShop(brand, shop, secret, await keys.add_key(session, brand.id, [Scope.read], actor=actor))


async def _summary(context: AppContext, created: DemoShop, client: DemoClient) -> dict[str, Any]:
    async with context.sessions() as session:
        counts = await figures.count_all(session, created.brand.id)
        delays = await figures.offer_delays(session, created.brand.id)
        credit = await figures.credit_amounts(session, created.brand, created.shop.currency)
    nps = await client.get_json("/api/v1/nps", key=created.api_key)
    shown = {name: getattr(counts, name) for name in Figures.__dataclass_fields__}
    delays_by_name = {"p50": percentile(delays, 0.5), "p99": percentile(delays, 0.99)}
    return {
        **shown,
        **credit,
        "nps": nps["nps"],
        "nps_interval": nps["interval"],
        "answer_to_offer_ms": {
            name: None if wait is None else round(wait * 1000, 1) for name, wait in delays_by_name.items()
        },
    }


async def _links(context: AppContext, brand: Brand) -> dict[str, str | None]:
    """The links to open: a one-time sign-in link for the dashboard, and customers' own pages."""
    base, tokens = context.settings.public_url, context.tokens
    async with context.sessions.begin() as session:
        # A survey without a response if there is one, else any.
        survey = await session.scalar(
            select(Survey.id)
            .where(Survey.brand_id == brand.id, Survey.status.in_([*OPEN, SurveyStatus.answered]))
            .order_by(Survey.status == SurveyStatus.answered, Survey.sent_at.desc())
        )
        referrer = (
            await session.execute(
                select(Referrer.id, Referrer.slug)
                .join(Code, (Code.brand_id == Referrer.brand_id) & (Code.referrer_id == Referrer.id))
                .where(Referrer.brand_id == brand.id)
                .order_by(Code.uses.desc())
            )
        ).first()
        login = await links.make_login_link(session, context, STAFF, now=clock.now())
    return {
        "dashboard": login,
        "outbox": f"{base}/outbox",
        "survey_page": None if survey is None else f"{base}/s/{tokens.link('survey', brand.id, survey)}",
        "referrers_page": None
        if referrer is None
        else f"{base}/p/{tokens.link('referrer', brand.id, referrer.id)}",
        "friends_page": None if referrer is None else f"{base}/r/{referrer.slug}",
    }


async def _until_stopped(steps: Coroutine[Any, Any, None]) -> None:
    """Run to the end, or until SIGINT or SIGTERM, which is not a failure."""
    task = asyncio.create_task(steps)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
