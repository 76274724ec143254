"""The outbox's pages, and what an empty one says."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import func, select

from app.admin import sign_in_pages
from app.admin.dashboard import outbox, person
from app.admin.links import make_login_link
from app.admin.rules import Role
from app.admin.staff import add_staff
from app.base import clock
from app.base.actor import cli_actor
from app.base.audit import AuditAction, AuditEntry
from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.ids import public_id
from app.base.web.middleware import RequestMiddleware
from app.base.web.problems import install_problems
from app.brands.add import add_brand, add_shop
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.providers.outbox.client import Outbox
from app.messaging.send_sweeps import sweep
from app.surveys.rules import SkipReason, SurveyStatus
from app.surveys.templates import SurveyParams
from tests.support.browser import Site, app_of, check_page, needs_chromium, serve
from tests.support.constants import NOW
from tests.support.factories.messages import queue
from tests.support.factories.rows import Rows


@pytest.fixture
async def client(context: AppContext) -> AsyncIterator[AsyncClient]:
    """A browser on this machine."""
    app = FastAPI()
    app.state.context = context
    app.add_middleware(RequestMiddleware)
    install_problems(app)
    app.include_router(sign_in_pages.router)
    app.include_router(outbox.router)
    app.include_router(person.router)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        yield client


async def send_all(context: AppContext) -> None:
    provider = Outbox(context)
    await sweep_once(sweep(context, {Channel.email: provider, Channel.sms: provider}), NOW)


async def sign_in(context: AppContext, brand: Brand, client: AsyncClient) -> None:
    async with context.sessions.begin() as session:
        await add_staff(session, brand.id, "mia@example.com", Role.admin, actor=cli_actor(brand.id))
        url = await make_login_link(session, context, "mia@example.com", now=clock.now(), brand_id=brand.id)
    await client.post(url.removeprefix(context.settings.public_url))


async def test_the_outbox_lists_the_newest_first_and_shows_each(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop
) -> None:
    empty = await client.get("/outbox")
    assert "Nothing was written yet" in empty.text
    await queue(context, brand, shop, 3)
    await send_all(context)
    listed = await client.get("/outbox")
    assert listed.text.count("One question about your order from Acme") == 3
    only = await client.get("/outbox", params={"to": "person1@example.com"})
    assert "person1@example.com" in only.text
    assert "person2@example.com" not in only.text
    path = only.text.split('href="/outbox/')[1].split('"')[0]
    shown = await client.get(f"/outbox/{path}")
    assert "List-Unsubscribe-Post" in shown.text
    # The time at which the sweep worked, which is not the database's own.
    assert all(f"{NOW:%Y-%m-%d %H:%M:%S} UTC" in page.text for page in (only, shown))
    assert "sandbox=" in shown.text
    assert "frame-src 'self'" in shown.headers["content-security-policy"]
    mail = await client.get(f"/outbox/{path}/html")
    assert "sandbox" in mail.headers["content-security-policy"]
    assert "script-src" not in mail.headers["content-security-policy"]
    assert "/s/" in mail.text
    await sign_in(context, brand, client)
    await client.get("/outbox")
    read = select(func.count()).where(AuditEntry.action == AuditAction.people_listed)
    async with context.sessions() as session:
        assert await session.scalar(read) == 1, "staff read many people's addresses there"


async def test_a_hostile_name_stays_text_in_the_outbox(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(
        context,
        brand,
        shop,
        template_params=SurveyParams("<script>alert(1)</script>", None, "1", "2026-03-03"),
    )
    await send_all(context)
    listed = await client.get("/outbox")
    path = listed.text.split('<th scope="row"><a href="/outbox/')[1].split('"')[0]
    for page in (f"/outbox/{path}", f"/outbox/{path}/html"):
        assert "<script" not in (await client.get(page)).text


@pytest.mark.parametrize(
    "path",
    ["/outbox/x", "/outbox/att_00000000000000000000000000", "/outbox/att_x/html", "/outbox?before=nonsense"],
)
async def test_what_is_not_there_is_a_404(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_older_ones_follow_page_by_page(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 103)
    await send_all(context)
    first = await client.get("/outbox")
    older = first.text.split("before=")[1].split('"')[0]
    second = await client.get("/outbox", params={"before": older})
    assert first.text.count("<tr") == 101
    assert second.text.count("<tr") == 4
    assert "Older ones" not in second.text


async def test_an_empty_outbox_says_which_surveys_are_not_sent_and_why(client, session, rows):
    lea = await rows.customer(first_name="Lea", last_name="Roth")
    await rows.survey(await rows.order(lea, number="#501"), SurveyStatus.skipped)
    nobody = await rows.order(None, number="#502")
    await rows.survey(nobody, SurveyStatus.skipped, reason=SkipReason.no_address)
    test = await rows.order(lea, number="#503", test=True)
    await rows.survey(test, SurveyStatus.skipped, reason=SkipReason.excluded)
    await session.commit()
    text = (await client.get("/outbox")).text
    assert "Nothing was written yet" in text
    assert "The survey about order #501 is not sent: they did not agree to be surveyed." in text
    assert "The survey about order #502 is not sent: the shop gave no address that could be used." in text
    assert "The survey about order #503 is not sent: the shop marked it as a test order." in text
    assert "Lea Roth" in text
    assert text.index("#503") < text.index("#502") < text.index("#501")
    assert "/admin/customers/" not in text


async def test_an_empty_outbox_says_what_is_planned(client, session, rows):
    lea = await rows.customer()
    await rows.survey(await rows.order(lea), SurveyStatus.planned, due_at=None)
    await session.commit()
    assert "It waits until the shop reports" in (await client.get("/outbox")).text
    await rows.survey(await rows.order(lea), SurveyStatus.planned, due_at=NOW)
    await session.commit()
    text = (await client.get("/outbox")).text
    assert "2 surveys are planned. The next is due on 10 Mar 2026, 12:00 UTC." in text


async def test_an_outbox_that_is_empty_for_one_person_is_about_that_person(client, session, rows):
    for email in ("lea@example.com", "max@example.com"):
        person = await rows.customer(email=email)
        await rows.survey(await rows.order(person, number=f"of {email}"), SurveyStatus.skipped)
    await session.commit()
    text = (await client.get("/outbox", params={"to": " lea@example.com"})).text
    assert "order of lea@example.com" in text
    assert "order of max@example.com" not in text


async def test_staff_open_the_people_of_their_own_brand_from_an_empty_outbox(
    client, context, session, rows, brand
):
    lea = await rows.customer()
    await rows.survey(await rows.order(lea), SurveyStatus.skipped)
    rival = await add_brand(session, "rival", name="Rival")
    shop, _ = await add_shop(session, context.tokens, rival, "rival", name="Rival", actor=cli_actor(rival.id))
    others = Rows(session, rival, shop)
    eve = await others.customer()
    await others.survey(await others.order(eve), SurveyStatus.skipped)
    await session.commit()
    await sign_in(context, brand, client)
    text = (await client.get("/outbox")).text
    path = f"/admin/customers/{public_id('cus', lea.id)}"
    assert f'href="{path}"' in text
    assert public_id("cus", eve.id) not in text
    assert (await client.get(path)).status_code == 200


@pytest.mark.browser
@needs_chromium
async def test_the_empty_outbox_is_accessible_and_fits_every_width(context, session, rows, browser, views):
    lea = await rows.customer(first_name="Maximiliane", last_name="von Hohenstein-Sigmaringen")
    for reason in SkipReason:
        await rows.survey(await rows.order(lea), SurveyStatus.skipped, reason=reason)
    await rows.survey(await rows.order(lea), SurveyStatus.planned, due_at=NOW)
    await session.commit()
    site: Site
    async with serve(app_of(context, outbox.router), browser, "/outbox") as site:
        await check_page(site, "outbox_empty", "/outbox", views)
