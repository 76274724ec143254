"""The screen of scores, and the numbers behind it by the API."""

from datetime import timedelta

import pytest
from httpx2 import ASGITransport, AsyncClient

from app.admin.alarm_models import Alarm
from app.admin.keys import add_key
from app.admin.rules import Role, Scope
from app.admin.staff import add_staff
from app.admin.views.scores import GROUPINGS, change_sentence, lift_text
from app.base import clock
from app.base.actor import cli_actor
from app.brands.add import add_shop
from app.insight.alarm_rules import AlarmKind
from app.insight.lift import Lift
from app.insight.nps import Counts
from app.insight.scores import By
from app.insight.shares import Share
from tests.support.apps import api_app, whole_app
from tests.support.browser import needs_chromium, serve
from tests.support.dashboard import browser_of, check_screen, dashboard_app, sign_in_as, signed_in_page
from tests.support.factories.rows import Rows


def test_every_grouping_of_the_api_is_on_the_screen_but_the_week_which_the_line_has():
    assert set(GROUPINGS) == set(By) - {By.week}


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (
            Counts(50, 30, 20),
            Counts(58, 27, 15),
            "+13 points compared with the time before: chance alone can explain it.",
        ),
        (
            Counts(50, 30, 20),
            Counts(90, 5, 5),
            "+55 points compared with the time before: more than chance explains.",
        ),
        (
            Counts(90, 5, 5),
            Counts(50, 30, 20),
            "−55 points compared with the time before: more than chance explains.",
        ),
        (
            Counts(20, 9, 0),
            Counts(50, 30, 20),
            "Too few answers to compare with the time before: 100 now, 29 then.",
        ),
        (Counts(), Counts(50, 30, 20), ""),
        (None, Counts(50, 30, 20), ""),
    ],
)
def test_a_change_of_the_score_is_put_in_plain_words(before, now, text):
    assert change_sentence(before, now) == text


@pytest.mark.parametrize(
    ("offered", "held_out", "title", "detail"),
    [
        (Share(1, 9), Share(0, 0), "Nobody was held out.", ""),
        (Share(9, 90), Share(1, 29), "Too few to say (29 of 30)", ""),
        (
            Share(56, 70),
            Share(48, 80),
            "+20.0 points, which chance does not",
            "between +5.2 and +33.4 points",
        ),
        (
            Share(20, 100),
            Share(18, 100),
            "+2.0 points, which chance alone can",
            "between −8.9 and +12.9 points",
        ),
    ],
)
def test_what_an_offer_changes_is_put_in_plain_words(offered, held_out, title, detail):
    found = lift_text(Lift(offered, held_out, 0))
    assert found.title.startswith(title)
    assert found.detail.startswith(detail)


async def add_empty_shop(context, brand):
    async with context.sessions.begin() as session:
        await add_shop(session, context.tokens, brand, "other", name="Other", actor=cli_actor(brand.id))


async def test_the_screen_shows_scores_by_group_and_somebody_limited_sees_their_shops(
    context, session, brand, shop
):
    rows, now = Rows(session, brand, shop), clock.now()
    for score, country in ((2, "AT"), (10, "DE"), (9, "DE")):
        order = {"country": country, "placed_at": now}
        happy = await rows.answer(score, answered_at=now, order=order)
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code, placed_at=now)
    key = await add_key(session, brand.id, {Scope.read}, actor=cli_actor(brand.id))
    await session.commit()
    async with browser_of(whole_app(context)) as client:
        await sign_in_as(client, context, brand, Role.viewer)
        text = (await client.get("/admin/scores?by=country&days=7")).text
        assert "NPS, from 3 answers" in text
        assert "too few to say (3 of 30)" in text
        assert "<bdi>Germany</bdi>" in text
        assert text.index("<bdi>Germany</bdi>") < text.index("<bdi>Austria</bdi>")
        assert "Nobody was held out." in text
        assert "€72" in text
        assert 'href="/admin/scores?by=shop&amp;days=7"' in text
        await add_empty_shop(context, brand)
        assert "No answers in this period" in (await client.get("/admin/scores?days=7&shop=other")).text
        assert "<bdi>e-mail</bdi>" in (await client.get("/admin/scores?by=channel")).text
        assert (await client.get("/admin/scores?by=zodiac")).headers["location"] == "/admin/scores"
        assert "No answers in this period" in (await client.get("/admin/scores?to=2020-01-01")).text
        async with context.sessions.begin() as other:
            await add_staff(
                other,
                brand.id,
                "viewer@example.com",
                Role.viewer,
                actor=cli_actor(brand.id),
                shops=[shop.slug],
            )
        limited = (await client.get("/admin/scores")).text
        assert "3 answers" in limited
        assert "€72" not in limited
    headers = {"Authorization": f"Bearer {key}"}
    transport = ASGITransport(app=api_app(context))
    async with AsyncClient(transport=transport, base_url="http://test/api/v1", headers=headers) as client:
        holdout = (await client.get("/numbers/holdout")).json()
        assert (holdout["offered"]["people"], holdout["lift"], holdout["is_enough"]) == (1, None, False)
        (band,) = (await client.get("/numbers/bands")).json()["bands"]
        assert (band["band"], band["orders"], band["revenue"]) == ("promoter", 1, "72.00")
        assert (await client.get("/numbers/bands", params={"shop": "other"})).json()["bands"] == []
        assert (await client.get("/numbers/holdout", params={"shop": "none"})).status_code == 404
        times = (await client.get("/numbers/offer-times", params={"shop": shop.slug})).json()
        assert (times["offers"], times["p50_seconds"] is not None) == (1, True)


@pytest.mark.slow
@pytest.mark.browser
@needs_chromium
async def test_scores_and_alarms_are_accessible_and_fit_every_width(context, session, brand, shop, browser):
    rows, now = Rows(session, brand, shop), clock.now()
    for number in range(24):
        at = now - timedelta(days=number)
        order = {"country": ("DE", "AT")[number % 2], "placed_at": at - timedelta(days=3)}
        happy = await rows.answer((10, 9, 8, 3)[number % 4], answered_at=at, order=order)
    await rows.redemption(await rows.code(happy.customer_id, happy.survey_id), placed_at=now)
    raised = {"count": 2, "since": now, "raised_at": now, "name": "Acme", "detail": "the token was revoked"}
    session.add(Alarm(brand_id=brand.id, kind=AlarmKind.connection_broken, subject="acme", **raised))
    over = {**raised, "name": "48", "solved_at": now}
    session.add(Alarm(brand_id=brand.id, kind=AlarmKind.no_surveys, subject="", **over))
    await session.commit()
    views = [(320, "light"), (390, "light"), (1440, "dark")]
    async with (
        serve(dashboard_app(context), browser) as site,
        signed_in_page(site, context, brand) as page,
    ):
        for name, path in {
            "scores": "/admin/scores?by=country",
            "alarms": "/admin/settings/alarms?show=all",
            "account": "/admin/account",
        }.items():
            await check_screen(page, site.url + path, name, views)
