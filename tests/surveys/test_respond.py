import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import event, func, inspect, select, text, update

from app.base import outbox
from app.base.models import DomainEvent
from app.base.tokens import Subject
from app.base.web.lookup_limit import LookupRateLimit
from app.base.web.problems import install_problems
from app.brands.models import Brand
from app.customers.models import Customer
from app.ingest.erase import erase_rows
from app.referrals.models import Code, Referrer
from app.surveys.models import Response, Survey
from app.surveys.respond import NewResponse, record_response
from app.surveys.routes import router
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import make_delivered_order
from tests.support.factories.programme import set_terms
from tests.support.factories.surveys import advance, messages_of, responses_of, sent_survey, survey_of


@pytest.fixture
async def web(context) -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    app.state.context = context
    install_problems(app)
    app.include_router(router)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        client.app = app
        yield client


@pytest.fixture
async def survey(context, brand, shop) -> Survey:
    return await sent_survey(context, brand, shop)


@pytest.fixture
def link(context, survey) -> str:
    return f"/s/{context.tokens.link('survey', survey.brand_id, survey.id)}"


async def codes_of(context) -> list[Code]:
    async with context.sessions() as session:
        return list(await session.scalars(select(Code)))


async def every_row(context) -> dict[str, list]:
    async with context.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        return {
            name: sorted(
                map(str, (await connection.execute(text(f'SELECT t::text FROM "{name}" t'))).scalars())
            )
            for name in names
        }


async def test_looking_changes_nothing(context, web, link):
    before = await every_row(context)
    for path in (link, f"{link}?score=9", f"{link}?score=99", f"{link}?score=%00", f"{link}/thanks"):
        assert (await web.get(path)).status_code in (200, 303)
        answer = await web.head(path)
        assert answer.status_code in (200, 303)
    assert await every_row(context) == before


async def test_the_page_has_one_question_and_mentions_no_reward(web, link):
    page = await web.get(link)
    assert page.status_code == 200
    assert "How likely are you to recommend Acme Goods to a friend?" in page.text
    assert "Linen shirt" in page.text
    assert "Order 1042 of 3\u00a0March 2026" in page.text
    assert " checked" not in page.text
    for word in ("reward", "discount", "code", "% off", "gift", "credit", "<script", "set-cookie"):
        assert word not in page.text.lower()
    assert "set-cookie" not in page.headers
    assert page.headers["cache-control"] == "no-store"


async def test_a_zero_byte_in_the_form_is_422_and_changes_nothing(context, web, link):
    before = await every_row(context)
    multipart = {"score": (None, "10"), "comment": (None, "a\0b")}
    for answer in (
        await web.post(link, data={"score": "10", "comment": "a\0b"}),
        await web.post(link, files=multipart),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert await every_row(context) == before


async def test_pages_link_to_the_brands_legal_pages(context, brand, web, link):
    assert "Imprint" not in (await web.get(link)).text
    async with context.sessions.begin() as session:
        urls = {f"{name}_url": f"https://acme.example/{name}" for name in ("privacy", "terms", "imprint")}
        await session.execute(update(Brand).where(Brand.id == brand.id).values(**urls))
    await web.post(link, data={"score": "10"})
    for path in (link, f"{link}/thanks"):
        page = (await web.get(path)).text
        assert all(f'href="{url}"' in page for url in urls.values()), path


async def test_a_score_in_the_link_is_only_chosen_beforehand(web, link):
    assert 'value="9" required checked' in (await web.get(f"{link}?score=9")).text
    for wrong in ("11", "-1", "nine", "9&score=x", ""):
        assert " checked" not in (await web.get(f"{link}?score={wrong}")).text


async def test_a_response_is_recorded_and_thanked_for(context, brand, web, link, survey):
    answer = await web.post(
        link, data={"score": "7", "comment": "  Fine\x07 shirt ", "testimonial_consent": "yes"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, f"{link}/thanks")
    (response,) = await responses_of(context, brand)
    assert (response.score, response.comment, response.testimonial_consent, response.channel) == (
        7,
        "Fine shirt",
        True,
        "email",
    )
    assert (response.survey_id, response.order_id, response.customer_id) == (
        survey.id,
        survey.order_id,
        survey.customer_id,
    )
    after = await survey_of(context, brand, survey.order_id)
    assert (after.status, after.reminder_due_at) == ("answered", None)
    thanks = await web.get(f"{link}/thanks")
    assert "Thank you, Ana" in thanks.text
    assert "Copy link" not in thanks.text
    assert await codes_of(context) == []


@pytest.mark.parametrize(
    "form",
    [{}, {"score": ""}, {"score": "11"}, {"score": "nine"}, {"score": "9.5"}, {"comment": "<b>kept</b>"}],
)
async def test_a_form_without_a_score_names_what_is_missing(context, brand, web, link, form):
    answer = await web.post(link, data=form)
    assert answer.status_code == 422
    assert "Please choose a number" in answer.text
    if "comment" in form:
        assert "&lt;b&gt;kept&lt;/b&gt;" in answer.text
    assert await responses_of(context, brand) == []


async def test_odd_bodies_get_a_clear_error(context, brand, web, link):
    for body, kind in [
        (b"\xff\xfe\x00", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=1" for _ in range(500)), "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"nothing", "multipart/form-data; boundary=x"),
        (b"nothing", "multipart/form-data"),
        (b"", "text/plain"),
    ]:
        answer = await web.post(link, content=body, headers={"content-type": kind})
        assert answer.status_code == 422, (body, kind)
    assert (await web.post(link, content=b"score=9&comment=" + b"x" * 70_000)).status_code == 413
    assert await responses_of(context, brand) == []


async def test_a_multipart_form_is_read_too(context, brand, web, link):
    answer = await web.post(link, files={"score": (None, "8"), "comment": (None, "ok")})
    assert answer.status_code == 303
    assert [(one.score, one.comment) for one in await responses_of(context, brand)] == [(8, "ok")]


async def test_two_concurrent_responses_are_one(context, brand, web, link):
    answers = await asyncio.gather(*(web.post(link, data={"score": "10"}) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {303}
    (response,) = await responses_of(context, brand)
    assert (response.score, response.changes) == (10, 0)
    assert len(await codes_of(context)) == 1


async def test_a_second_response_replaces_the_first_while_changes_are_allowed(context, brand, web, link):
    await web.post(link, data={"score": "6", "comment": "late"})
    page = await web.get(link)
    assert "You answered <b>6</b>" in page.text
    assert 'value="6" required checked' in page.text
    assert "late</textarea>" in page.text
    assert 'value="10" required checked' in (await web.get(f"{link}?score=10")).text
    assert (await web.post(link, data={"score": "10"})).status_code == 303
    (response,) = await responses_of(context, brand)
    assert (response.score, response.comment, response.changes) == (10, None, 1)
    assert len(await codes_of(context)) == 1


async def test_afterwards_the_page_is_closed_and_nothing_changes(context, brand, web, link):
    await web.post(link, data={"score": "6"})
    async with context.sessions.begin() as session:
        await session.execute(
            update(Response).values(first_answered_at=Response.first_answered_at - timedelta(minutes=60))
        )
    before = await every_row(context)
    for page in (await web.post(link, data={"score": "10"}), await web.get(f"{link}?score=10")):
        assert page.status_code == 200
        assert "already recorded" in page.text
        assert "6 out of 10" in page.text
    assert await every_row(context) == before


async def test_terms_may_let_nothing_be_changed(context, brand, web, link):
    await set_terms(context, brand, {"survey": {"change_minutes": 0}})
    await web.post(link, data={"score": "3"})
    assert "already recorded" in (await web.post(link, data={"score": "4"})).text
    assert [one.score for one in await responses_of(context, brand)] == [3]


@pytest.fixture
def consumed(monkeypatch) -> None:
    kinds = frozenset({"response.recorded", "code.issued"})

    async def consume(_session, _brand_id, _events) -> None:
        raise AssertionError

    monkeypatch.setattr(outbox, "CONSUMERS", [outbox.Consumer("any", kinds, consume)])


async def events_of(context) -> dict:
    async with context.sessions() as session:
        rows = await session.execute(select(DomainEvent.kind, DomainEvent.subject_id))
        return {row.kind: row.subject_id for row in rows}


@pytest.mark.usefixtures("consumed")
async def test_a_promoters_response_and_code_become_events_of_its_own_commit(context, brand, survey):
    async with context.sessions() as session:
        await record_response(session, context.tokens, Subject(brand.id, survey.id), NewResponse(10), now=NOW)
        await session.rollback()
    assert await events_of(context) == {}
    for _ in range(2):  # a repetition adds none
        async with context.sessions.begin() as session:
            await record_response(
                session, context.tokens, Subject(brand.id, survey.id), NewResponse(10), now=NOW
            )
    (response,), (code,) = await responses_of(context, brand), await codes_of(context)
    assert await events_of(context) == {"response.recorded": response.id, "code.issued": code.id}


async def test_without_a_consumer_no_event_is_written(context, brand, web, link):
    await web.post(link, data={"score": "10"})
    assert len(await codes_of(context)) == 1
    assert await events_of(context) == {}


async def test_a_promoter_gets_link_and_code_at_once(context, brand, web, link, survey):
    await web.post(link, data={"score": "9"})
    (code,) = await codes_of(context)
    async with context.sessions() as session:
        slug = await session.scalar(select(Referrer.slug))
    thanks = (await web.get(f"{link}/thanks")).text
    assert code.display in thanks
    assert f"{context.settings.public_url}/r/{slug}" in thanks
    for part in (
        "https://wa.me/?text=",
        "mailto:?",
        "sms:?",
        "Copy link",
        f"/p/{context.tokens.link('referrer', brand.id, code.referrer_id)}",
    ):
        assert part in thanks
    assert "offer" in [one.template for one in await messages_of(context, brand)]


async def test_a_promoter_is_promised_no_reward_where_there_is_none(context, brand, web, link):
    await set_terms(context, brand, {"reward": {"kind": "none"}})
    await web.post(link, data={"score": "9"})
    thanks = (await web.get(f"{link}/thanks")).text
    assert "Give a friend 10% off</h2>" in thanks
    assert "EUR" not in thanks


async def test_a_lowered_score_keeps_its_code(context, web, link):
    await web.post(link, data={"score": "9"})
    await web.post(link, data={"score": "2"})
    (code,) = await codes_of(context)
    assert code.active
    assert "Copy link" not in (await web.get(f"{link}/thanks")).text


@pytest.mark.parametrize("terms", [{"offers_enabled": False}, {"offer": {"holdout_percent": 100}}])
async def test_without_an_offer_a_promoter_is_thanked_alone(context, brand, web, link, terms):
    await set_terms(context, brand, terms)
    await web.post(link, data={"score": "10"})
    thanks = await web.get(f"{link}/thanks")
    assert thanks.status_code == 200
    assert "Copy link" not in thanks.text
    assert await codes_of(context) == []


async def test_a_survey_is_answered_before_its_message_is_recorded_as_accepted(context, brand, shop, web):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    await advance(context)
    queued = await survey_of(context, brand, order_id)
    assert (queued.status, queued.sent_at) == ("queued", None)
    answered = await web.post(f"/s/{context.tokens.link('survey', brand.id, queued.id)}", data={"score": "8"})
    assert answered.status_code == 303
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.sent_at) == ("answered", NOW)
    assert [message.status for message in await messages_of(context, brand)] == ["cancelled"]


async def test_a_response_stops_the_reminder(context, brand, web, link, survey):
    await web.post(link, data={"score": "1"})
    await advance(context, NOW + timedelta(days=40))
    assert [(one.template, one.status) for one in await messages_of(context, brand)] == [
        ("survey", "accepted")
    ]
    assert (await survey_of(context, brand, survey.order_id)).status == "answered"


async def test_a_concurrent_response_and_reminder_do_not_deadlock(context, brand, shop):
    from app.surveys.remind import remind_due
    from app.surveys.respond import NewResponse, record_response

    surveys = [await sent_survey(context, brand, shop) for _ in range(6)]

    async def answer(survey) -> None:
        async with context.sessions.begin() as session:
            await record_response(
                session, context.tokens, Subject(brand.id, survey.id), NewResponse(9), now=NOW
            )

    async def remind() -> None:
        async with context.sessions.begin() as session:
            await remind_due(session, context.tokens, brand.id, now=NOW + timedelta(days=4))

    async with asyncio.timeout(30):
        await asyncio.gather(*(answer(survey) for survey in surveys), remind(), remind(), remind())
    assert len(await responses_of(context, brand)) == 6
    planned = [one for one in await messages_of(context, brand) if one.status == "planned"]
    assert {one.template for one in planned} == {"offer"}


async def test_links_that_lead_nowhere_all_get_the_same_page(context, brand, shop, web):
    async def link_of(survey: Survey) -> str:
        return context.tokens.link("survey", brand.id, survey.id)

    expired, erased = [await sent_survey(context, brand, shop) for _ in range(2)]
    planned = await survey_of(
        context,
        brand,
        await make_delivered_order(context, brand, shop, expired.customer_id, delivered_at=NOW),
    )
    async with context.sessions.begin() as session:
        await session.execute(update(Survey).where(Survey.id == expired.id).values(status="expired"))
        await session.execute(update(Customer).where(Customer.id == erased.customer_id).values(erased_at=NOW))
    tokens = [await link_of(survey) for survey in (expired, erased, planned)]
    tokens += [
        "x",
        "x" * 44,
        "%00",
        "é",
        context.tokens.link("referrer", brand.id, expired.id),
        context.tokens.link("survey", 99, expired.id),
    ]
    before = await every_row(context)
    for tail in ("", "/thanks"):
        pages = [await web.get(f"/s/{token}{tail}") for token in tokens]
        assert {page.status_code for page in pages} == {404}
        assert len({page.content for page in pages}) == 1
        assert len({tuple(sorted(page.headers.items())) for page in pages}) == 1
    posts = [await web.post(f"/s/{token}", data={"score": "9"}) for token in tokens]
    assert {(page.status_code, page.content) for page in posts} == {(404, pages[0].content)}
    assert await every_row(context) == before


async def test_guessing_is_limited_and_a_second_response_is_no_guess(web, link):
    web.app.state.lookup_limit = LookupRateLimit(per_address=10)
    for _ in range(12):
        assert (await web.post(link, data={"score": "9"})).status_code == 303
    statuses = [(await web.get(f"/s/{number:044}")).status_code for number in range(12)]
    assert statuses == [404] * 10 + [429] * 2
    limited = await web.get(link)
    assert limited.status_code == 429
    assert limited.headers["retry-after"]


async def test_one_response_per_survey_also_by_unique_key(context, brand, web, link, survey):
    await web.post(link, data={"score": "9"})
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Response)) == 1


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"offer": {"code_style": "named"}},
        {"reward": {"budget": {"amount": "1000.00", "period": "month"}}},
    ],
)
async def test_answering_with_10_takes_at_most_eight_statements(context, brand, web, link, terms):
    await set_terms(context, brand, terms)
    seen: list[str] = []

    def count(*given: object) -> None:
        seen.append(str(given[2]))

    event.listen(context.engine.sync_engine, "before_cursor_execute", count)
    assert (await web.post(link, data={"score": "10"})).status_code == 303
    event.remove(context.engine.sync_engine, "before_cursor_execute", count)
    assert len(await codes_of(context)) == 1
    assert [one.template for one in await messages_of(context, brand)].count("offer") == 1
    assert len(seen) <= 8, "\n".join(seen)


async def test_the_surveys_page_takes_one_statement(context, web, link):
    await web.get(link)
    seen: list[str] = []
    event.listen(context.engine.sync_engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    assert (await web.get(link)).status_code == 200
    assert len(seen) == 1


@pytest.mark.parametrize("table", ["surveys", "customers"])
async def test_a_response_waits_for_a_concurrent_change_and_then_counts(
    context, brand, web, link, survey, table
):
    async with context.sessions.begin() as session:
        row = survey.id if table == "surveys" else survey.customer_id
        change = "reminders_sent = 1" if table == "surveys" else "last_name = 'Ray'"
        await session.execute(text(f"UPDATE {table} SET {change} WHERE id = :id"), {"id": row})
        answering = asyncio.create_task(web.post(link, data={"score": "10"}))
        await asyncio.wait([answering], timeout=0.3)
    assert (await answering).status_code == 303
    after = await survey_of(context, brand, survey.order_id)
    assert (after.status, after.sent_at) == ("answered", survey.sent_at)
    assert after.reminders_sent == (1 if table == "surveys" else 0)
    assert len(await responses_of(context, brand)) == len(await codes_of(context)) == 1


async def test_a_survey_that_expires_while_it_is_answered_takes_no_response(
    context, brand, web, link, survey
):
    async with context.sessions.begin() as session:
        await session.execute(update(Survey).where(Survey.id == survey.id).values(status="expired"))
        answering = asyncio.create_task(web.post(link, data={"score": "10"}))
        await asyncio.wait([answering], timeout=0.3)
    assert (await answering).status_code == 404
    assert await responses_of(context, brand) == await codes_of(context) == []


async def test_a_person_who_is_erased_while_they_answer_gets_no_code(context, brand, shop, web, link, survey):
    async with context.sessions.begin() as session:
        await erase_rows(session, context.tokens, brand, [survey.customer_id], now=NOW)
        answering = asyncio.create_task(web.post(link, data={"score": "10", "comment": "mine"}))
        await asyncio.wait([answering], timeout=0.3)
    assert (await answering).status_code == 404
    assert await responses_of(context, brand) == await codes_of(context) == []


async def test_answers_to_two_surveys_of_one_person_at_once_issue_one_code(context, brand, shop, web, survey):
    order_id = await make_delivered_order(context, brand, shop, survey.customer_id)
    await set_terms(context, brand, {"survey": {"recontact_days": 0}})
    async with context.sessions.begin() as session:
        await session.execute(
            update(Survey)
            .where(Survey.order_id == order_id)
            .values(status="sent", channel="email", reason=None)
        )
    other = await survey_of(context, brand, order_id)
    links = [f"/s/{context.tokens.link('survey', brand.id, each.id)}" for each in (survey, other)]
    answers = await asyncio.gather(*(web.post(each, data={"score": "10"}) for each in links))
    assert {each.status_code for each in answers} == {303}
    assert len(await responses_of(context, brand)) == 2
    assert len(await codes_of(context)) == 1
    assert [one.template for one in await messages_of(context, brand)].count("offer") == 1


async def test_a_change_of_switches_holds_for_the_next_response(context, brand, shop, web):
    surveys = [await sent_survey(context, brand, shop) for _ in range(3)]
    for each, enabled in zip(surveys, (True, False, True), strict=True):
        await set_terms(context, brand, {"offers_enabled": enabled})
        await web.post(f"/s/{context.tokens.link('survey', brand.id, each.id)}", data={"score": "10"})
    owners = {code.referrer_id for code in await codes_of(context)}
    async with context.sessions() as session:
        customers = await session.scalars(select(Referrer.customer_id).where(Referrer.id.in_(owners)))
        assert set(customers) == {surveys[0].customer_id, surveys[2].customer_id}
