"""The third flow: an answer is recorded, and a promoter has a code at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.base import clock
from tests.support.constants import NOW
from tests.support.story import Story, an_order, link_to, open_story, survey_link

ANA = "ana@example.com"
DUE = NOW + timedelta(hours=72)


@pytest.fixture
async def story(context, brand, shop) -> AsyncIterator[Story]:
    async with open_story(context, brand) as story:
        yield story


async def survey_link_of(story: Story, number: int = 1, **more) -> str:
    """A customer got a survey. Returns the link in their mail."""
    order = an_order(number, NOW - timedelta(days=4), **more)
    await story.deliver("order.paid", order)
    await story.deliver("order.delivered", {"order_id": order["id"], "at": NOW.isoformat()})
    await story.at(DUE)
    return survey_link((await story.mails(order["customer"]["email"]))[-1])


async def test_opening_a_link_with_a_score_records_nothing(story) -> None:
    link = await survey_link_of(story)
    for opened in (await story.client.get(f"{link}?score=9"), await story.client.head(f"{link}?score=9")):
        assert opened.status_code == 200
    page = (await story.client.get(f"{link}?score=9")).text
    assert 'value="9"' in page
    assert "checked" in page
    assert await story.api("/responses") == []


async def test_promoter_sees_the_code_on_the_page_and_in_the_mail(story) -> None:
    link = await survey_link_of(story)
    response = await story.client.post(link, data={"score": "10", "comment": "Lovely."})
    assert response.status_code == 303
    thanks = await story.client.get(response.headers["location"])
    (code,) = await story.api("/codes")
    assert (code["status"], code["uses"]) == ("active", 0)
    assert code["code"] in thanks.text
    await story.at(DUE)
    offer = (await story.mails(ANA))[-1]
    assert code["code"] in offer.text
    assert link_to("r", offer) in thanks.text
    (response,) = await story.api("/responses")
    assert (response["score"], response["band"], response["comment"]) == (10, "promoter", "Lovely.")
    assert (await story.client.get(link_to("p", offer))).status_code == 200


async def test_code_is_good_for_a_friend_at_the_checkout(story) -> None:
    await story.client.post(await survey_link_of(story), data={"score": "9"})
    (code,) = await story.api("/codes")
    body = {
        "code": code["code"].lower(),
        "customer": {"email": "ben@example.com"},
        "order": {"subtotal": "50.00", "currency": "EUR"},
    }
    decision = (await story.post_api("/codes/validate", body)).json()
    assert (decision["valid"], decision["reason"], decision["amount_off"]) == (True, None, "5.00")
    own = (await story.post_api("/codes/validate", body | {"customer": {"email": ANA}})).json()
    assert own["valid"] is False


@pytest.mark.parametrize("score", [0, 6, 7, 8])
async def test_who_would_not_recommend_gets_thanks_and_no_offer(story, score) -> None:
    response = await story.client.post(await survey_link_of(story), data={"score": str(score)})
    assert (await story.client.get(response.headers["location"])).status_code == 200
    await story.at(DUE)
    assert await story.api("/codes") == []
    assert len(await story.mails(ANA)) == 1, "the survey alone"


async def test_form_sent_many_times_at_once_is_one_response_and_one_code(story) -> None:
    link = await survey_link_of(story)
    responses = await asyncio.gather(*[story.client.post(link, data={"score": "9"}) for _ in range(8)])
    assert {response.status_code for response in responses} == {303}
    await story.at(DUE)
    assert len(await story.api("/responses")) == 1
    assert len(await story.api("/codes")) == 1
    assert len(await story.mails(ANA)) == 2


async def test_lowered_score_counts_and_keeps_the_code(story) -> None:
    link = await survey_link_of(story)
    await story.client.post(link, data={"score": "9"})
    await story.client.post(link, data={"score": "3"})
    (response,) = await story.api("/responses")
    assert response["score"] == 3
    assert len(await story.api("/codes")) == 1
    nps = await story.api("/nps")
    assert (nps["responses"], nps["detractors"], nps["promoters"]) == (1, 1, 0)


async def test_promoter_of_two_orders_keeps_one_code(story) -> None:
    await story.terms(survey={"recontact_days": 0})
    await story.client.post(await survey_link_of(story, 1), data={"score": "9"})
    await story.client.post(await survey_link_of(story, 2), data={"score": "10"})
    await story.at(DUE)
    assert len([code for code in await story.api("/codes") if code["status"] == "active"]) == 1


async def test_promoter_with_consent_gets_a_text_besides(story) -> None:
    phone = {"phone": "+33612345678", "sms_consent": True}
    await story.client.post(await survey_link_of(story, customer=phone), data={"score": "9"})
    # Answers come on the wall clock, and a text waits for the day: noon after now is nobody's night
    # in France.
    await story.at((clock.now() + timedelta(days=1)).replace(hour=12))
    (code,) = await story.api("/codes")
    (sms,) = await story.mails("+33612345678")
    assert code["code"] in sms.text
    assert sms.channel == "sms"


@pytest.mark.parametrize("form", [{}, {"score": ""}, {"score": "11"}, {"score": "-1"}, {"score": "nine"}])
async def test_form_without_a_score_is_shown_again(story, form) -> None:
    response = await story.client.post(await survey_link_of(story), data=form)
    assert response.status_code == 422
    assert await story.api("/responses") == []


async def test_link_that_somebody_made_up_leads_nowhere(story) -> None:
    link = await survey_link_of(story)
    forged = link[:-4] + ("AAAA" if not link.endswith("AAAA") else "BBBB")
    unknown = await story.client.get(forged)
    assert (unknown.status_code, (await story.client.post(forged, data={"score": "9"})).status_code) == (
        404,
        404,
    )
    assert (await story.client.get("/s/none")).content == unknown.content
    assert await story.api("/responses") == []
