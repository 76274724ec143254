"""Answers that a machine may have given, and passives' that wait for the team: told apart as they
come in."""

import asyncio
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.admin.rules import Role
from app.base import clock
from app.base.actor import cli_actor
from app.base.errors import AppError
from app.base.ids import public_id
from app.base.web.problems import install_problems
from app.insight.periods import Period
from app.insight.scores import count_bands
from app.insight.waiting import open_responses
from app.surveys.models import Response, Survey
from app.surveys.routes import router
from app.surveys.suspects import decide_suspect
from app.surveys.suspicion_rules import Signs, Suspicion, is_public, seconds_on_page
from app.surveys.work_rules import WorkState, work_state
from tests.support.dashboard import browser_of, dashboard_app, sign_in_as
from tests.support.forms import send_form

PUBLIC = "81.2.69.160"


def test_a_page_says_how_long_it_was_open():
    assert seconds_on_page("1000", 1003.9) == 3
    for text in (None, "", "x", "-5", "1004", "99999999999999", "１０００"):
        assert seconds_on_page(text, 1003.9) is None
    assert seconds_on_page("1000", 1000 + 31 * 24 * 3600) is None
    assert [Signs(seconds).is_fast for seconds in (None, 0, 1, 2)] == [True, True, True, False]


def test_a_suspect_waits_for_nobody_until_a_person_is_behind_it():
    for suspicion in (Suspicion.suspected, Suspicion.left_out):
        assert work_state(None, 2, trial=False, suspicion=suspicion) is None
        assert work_state(WorkState.open, 7, trial=False, suspicion=suspicion) is None
        assert work_state(WorkState.closed, 2, trial=False, suspicion=suspicion) is WorkState.closed
    assert work_state(None, 2, trial=False, suspicion=Suspicion.real) is WorkState.open


def test_private_networks_are_never_compared():
    hosts = (PUBLIC, "2a00:1450::1", "10.0.0.1", "127.0.0.1", "::1", "fd00::1", "", "client")
    assert [is_public(each) for each in hosts] == [True, True, *[False] * 6]


@pytest.fixture
def ask(session, rows):
    """Makes a survey whose message left some seconds ago."""

    async def asked(*, sent=5):
        at = clock.now() - timedelta(seconds=sent)
        order = await rows.order(await rows.customer())
        survey = await rows.survey(order, sent_at=at, queued_at=at)
        await session.commit()
        return survey

    return asked


@pytest.fixture
def send(context, brand):
    """Sends a survey's page to one of two web processes."""
    apps = FastAPI(), FastAPI()
    for app in apps:
        app.state.context = context
        install_problems(app)
        app.include_router(router)

    async def sent(score, survey, *, host=PUBLIC, name="test", process=0, **fields):
        token = context.tokens.link("survey", brand.id, survey.id)
        transport = httpx2.ASGITransport(app=apps[process], client=(host, 1))
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://{name}") as client:
            if fields.pop("reads", False):
                page = (await client.get(f"/s/{token}")).text
                fields["opened"] = page.split('name="opened" value="')[1].split('"')[0]
            done = await client.post(f"/s/{token}", data={"score": str(score), **fields})
        assert done.status_code == 303

    return sent


@pytest.fixture
def answer(ask, send, session):
    """Answers a survey by its page, a new one unless it is given."""

    async def answered(score, *, survey=None, sent=5, **given):
        survey = survey or await ask(sent=sent)
        await send(score, survey, **given)
        return await response_to(session, survey)

    return answered


async def response_to(session, survey):
    found = select(Response).where(Response.survey_id == survey.id)
    return (await session.scalars(found.execution_options(populate_existing=True))).one()


async def test_a_burst_is_found_whichever_processes_took_it(ask, send, session, rows):
    """None sees the others before it commits, so they are taken one after the other."""
    surveys = [await ask(sent=600) for _ in range(4)]
    sent = (send(3, survey, process=number % 2) for number, survey in enumerate(surveys[:3]))
    await asyncio.gather(*sent, send(3, surveys[3], host="81.2.69.161"))
    *burst, other = [await response_to(session, survey) for survey in surveys]
    assert [each.suspicion for each in burst] == [Suspicion.suspected] * 3, "the first one too"
    assert all(each.evidence["burst"] and each.evidence["on_page"] is None for each in burst)
    assert other.suspicion is None
    assert len({each.network for each in burst} - {other.network}) == 1
    assert (await open_responses(session, rows.brand.id)).count == 1


async def test_what_nobody_can_have_read_is_suspected_right_after_the_mail_or_in_a_burst(
    answer, context, session, rows
):
    long_ago = str(int(clock.now().timestamp()) - 30)
    scanned = await answer(2)
    assert scanned.suspicion is Suspicion.suspected
    assert {**scanned.evidence, "after_sent": 0} == {"after_sent": 0, "on_page": None, "burst": False}
    assert 5 <= scanned.evidence["after_sent"] < 60
    at_once = await answer(3, reads=True, host="127.0.0.1")
    assert (at_once.suspicion, at_once.evidence["on_page"] in (0, 1)) == (Suspicion.suspected, True)
    read = await answer(1, opened=long_ago)
    assert (read.suspicion, read.evidence) == (None, None)
    assert (await answer(4, sent=600, host="127.0.0.1")).suspicion is None
    own = await answer(8, host="127.0.0.1", name="127.0.0.1:8000")
    assert (own.suspicion, own.evidence) == (None, None), "this machine itself scans no mails"
    second = await answer(4, sent=600)
    assert (second.suspicion, second.evidence["burst"]) == (Suspicion.suspected, True)
    assert (await open_responses(session, rows.brand.id)).count == 2

    everything = Period()
    assert (await count_bands(session, rows.brand, everything)).detractors == 5
    actor = cli_actor(rows.brand.id)
    async with context.sessions.begin() as writing:
        for each, decision in ((scanned, Suspicion.left_out), (second, Suspicion.real)):
            assert await decide_suspect(writing, each.id, decision, actor=actor, now=clock.now())
        assert not await decide_suspect(writing, second.id, Suspicion.real, actor=actor, now=clock.now())
        with pytest.raises(AppError, match="Nothing speaks"):
            await decide_suspect(writing, read.id, Suspicion.left_out, actor=actor, now=clock.now())
    assert (await count_bands(session, rows.brand, everything)).detractors == 4
    assert (await open_responses(session, rows.brand.id)).count == 3
    survey = (await session.scalars(select(Survey).where(Survey.id == at_once.survey_id))).one()
    changed = await answer(6, survey=survey, opened=long_ago)
    assert (changed.suspicion, changed.evidence) == (None, None), "who changes it has read it"

    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, rows.brand, Role.support)
        page = "/admin/answers?state=suspects"
        listed = (await client.get(page)).text
        assert listed.count("<li data-item>") == 1
        assert "Left out of the figures" in listed
        assert "Nobody had opened the page before." in listed
        act = f"/admin/answers/{public_id('rsp', scanned.id)}/suspicion"
        assert (await send_form(client, page, act, {"decision": "real"})).status_code == 303
        assert "Answers come here that a mail scanner may have given" in (await client.get(page)).text


async def test_passives_with_a_comment_wait_where_the_brand_wants_it(answer, context, session, rows):
    opened = {"opened": str(int(clock.now().timestamp()) - 30)}
    assert (await answer(7, comment="Fine", **opened)).state is None
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, rows.brand, Role.marketer)
        saved = await send_form(client, "/admin/answers", "/admin/answers/passives", {"opens_passives": "on"})
        assert saved.status_code == 303
        assert "checked" in (await client.get("/admin/answers")).text
    states = [
        (await answer(score, comment=comment, **opened)).state
        for score, comment in ((7, "Fine"), (8, ""), (9, "Great"), (6, "Bad"))
    ]
    assert states == [WorkState.open, None, None, None]
    assert (await open_responses(session, rows.brand.id)).count == 2
