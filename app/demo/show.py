"""The demo from start to end: a database and a web server of its own, a script played through the real doors, and the summary."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.admin import keys, staff
from app.admin.rules import Role, Scope
from app.base import clock, schema
from app.base.log import configure_logs
from app.base.web.context import AppContext
from app.brands.add import add_brand, add_shop, change_programme
from app.brands.models import Brand
from app.demo import figures, replay, shop
from app.demo.client import Outside
from app.demo.console import Teller
from app.demo.environment import HOME, demo_settings, listening, only_demo, serving
from app.demo.figures import Figures, percentile
from app.demo.play import Player
from app.demo.script import Script, Stage
from app.demo.travel import Travel
from app.referrals.models import Code, Referrer
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from app.wiring import Parts, open_parts
from app.worker import sweeps_of, work

SLUG = "demo"
STAFF = "demo@example.com"


async def run(*, orders: int, seed: int, port: int, data: Path | None, stay: bool) -> None:
    """Play the demo: a generated shop of `orders` orders, or the real ones in `data`; then, with `stay`, keep serving until stopped.

    Every run starts from an empty database. A port that is taken, data that cannot be read and a demo that runs already are an
    `AppError`.
    """
    began = clock.monotonic()
    today = clock.now()
    script = (
        shop.make_script(orders=orders, seed=seed, today=today)
        if data is None
        else replay.make_script(data, seed=seed, today=today)
    )
    teller = Teller()
    with listening(port) as listener:
        settings = demo_settings(port)
        configure_logs(settings.log_format, level=logging.WARNING)
        async with only_demo(settings), open_parts(settings, pool_size=15) as parts:
            teller.line("PostgreSQL runs", seconds=clock.monotonic() - began, remark=str(HOME / "postgres"))
            await schema.migrate(parts.context.database_url)
            teller.line("Schema is at head", seconds=clock.monotonic() - began)
            async with serving(parts, listener):
                teller.line("Web listens", seconds=clock.monotonic() - began, remark=settings.public_url)
                await _until_stopped(_show(parts, script, teller, began=began, stay=stay))


async def _show(parts: Parts, script: Script, teller: Teller, *, began: float, stay: bool) -> None:
    stage = await set_stage(parts.context, script.stage)
    outside = Outside(parts.context.settings.public_url, shop=SLUG, secret=stage.secret)
    try:
        if script.note:
            teller.line(script.note)
        first_code = await _play(parts, stage.brand, script, outside, teller)
        told = await _summary(parts.context, stage, outside)
        told["seconds"] = round(clock.monotonic() - began, 2)
        told["first_code_after_seconds"] = None if first_code is None else round(first_code - began, 2)
        told["note"] = script.note
        teller.summary(told, await _links(parts.context, stage.brand))
        teller.close(f"Every promise of these data can be checked: TENFOLD_HOME={HOME} tenfold invariants")
    finally:
        await outside.close()
    if stay:
        teller.close("Web and worker go on; stop them with Ctrl-C.")
        stop = asyncio.Event()
        try:
            await work(parts, stop)
        finally:
            stop.set()


async def _play(parts: Parts, brand: Brand, script: Script, outside: Outside, teller: Teller) -> float | None:
    """Play all acts; answers when the first code was seen, on the monotonic clock."""
    travel = Travel(parts.context, sweeps_of(parts), script.begin)
    player = Player(parts.context, brand, script, outside, travel)
    before = Figures()
    async with travel.worker("messages"):
        for act in script.acts:
            act_began = clock.monotonic()
            span = await player.play_until(act.until)
            async with parts.context.sessions() as session:
                after = await figures.count_all(session, brand.id)
            teller.act(act.title, after.less(before), span, seconds=clock.monotonic() - act_began)
            before = after
    await travel.settle()
    return player.first_code_at


@dataclass(frozen=True)
class Set:
    """The stage as it stands in the database."""

    brand: Brand
    secret: str
    api_key: str


async def set_stage(context: AppContext, stage: Stage) -> Set:
    """Make brand, shop, terms, one person of the team and a key that may read."""
    async with context.sessions.begin() as session:
        brand = await add_brand(
            session,
            SLUG,
            name=stage.name,
            time_zone=stage.time_zone,
            locale=stage.locale,
            postal_address=stage.postal_address,
        )
        _, secret = await add_shop(
            session, context.tokens, brand, SLUG, name=stage.name, currency=stage.currency, url=stage.url
        )
        await change_programme(session, brand.id, stage.programme, author="demo")
        await staff.add_staff(session, brand.id, STAFF, Role.admin)
        return Set(brand, secret, await keys.add_key(session, brand.id, [Scope.read]))


async def _summary(context: AppContext, stage: Set, outside: Outside) -> dict[str, Any]:
    async with context.sessions() as session:
        counts = await figures.count_all(session, stage.brand.id)
        delays = await figures.offer_delays(session, stage.brand.id)
    nps = await outside.ask("/api/v1/nps", key=stage.api_key)
    shown = {name: getattr(counts, name) for name in Figures.__dataclass_fields__}
    waits = {"p50": percentile(delays, 0.5), "p99": percentile(delays, 0.99)}
    return {
        **shown,
        "nps": nps["nps"],
        "nps_interval": nps["interval"],
        "answer_to_offer_ms": {
            name: None if wait is None else round(wait * 1000, 1) for name, wait in waits.items()
        },
    }


async def _links(context: AppContext, brand: Brand) -> dict[str, str | None]:
    """Where to look: what needs a key is opened by a one-time link, the rest by the link that a customer has."""
    base, tokens = context.settings.public_url, context.tokens
    async with context.sessions.begin() as session:
        # One that still waits for its answer, if there is one; an answered one can be looked at too.
        survey = await session.scalar(
            select(Survey.id)
            .where(Survey.brand_id == brand.id, Survey.status.in_([SurveyStatus.sent, SurveyStatus.answered]))
            .order_by(Survey.status == SurveyStatus.answered, Survey.sent_at.desc())
        )
        referrer = (
            await session.execute(
                select(Referrer.customer_id, Referrer.slug)
                .join(Code, (Code.brand_id == Referrer.brand_id) & (Code.customer_id == Referrer.customer_id))
                .where(Referrer.brand_id == brand.id)
                .order_by(Code.uses.desc())
            )
        ).first()
        login = await staff.make_login_link(session, context, STAFF, now=clock.now())
    return {
        "dashboard": login,
        "outbox": f"{base}/outbox",
        "survey_page": None if survey is None else f"{base}/s/{tokens.link('survey', brand.id, survey)}",
        "referrers_page": None
        if referrer is None
        else f"{base}/p/{tokens.link('referrer', brand.id, referrer.customer_id)}",
        "friends_page": None if referrer is None else f"{base}/r/{referrer.slug}",
    }


async def _until_stopped(story: Coroutine[Any, Any, None]) -> None:
    """Run to the end, or until SIGINT or SIGTERM, which is no failure."""
    telling = asyncio.create_task(story)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, telling.cancel)
    with suppress(asyncio.CancelledError):
        await telling
