"""The first flow: a shop tells of an order, and its survey is planned."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.constants import NOW
from tests.support.story import Story, an_order, open_story

LATER = NOW + timedelta(days=1)
WRONG = "whsec_" + "AAAA" * 8


@pytest.fixture
async def story(context, brand, shop) -> AsyncIterator[Story]:
    async with open_story(context, brand) as story:
        yield story


def delivered(number: int, at=NOW) -> dict[str, str]:
    return {"order_id": f"order-{number}", "at": at.isoformat()}


async def only_survey(story: Story) -> dict:
    (survey,) = await story.api("/surveys")
    return survey


async def test_delivered_order_is_surveyed_three_days_later(story) -> None:
    assert (await story.deliver("order.paid", an_order(1, NOW - timedelta(days=4)))).json() == {
        "received": True
    }
    await story.deliver("order.delivered", delivered(1))
    await story.at(LATER)
    (order,) = await story.api("/orders")
    survey = await only_survey(story)
    assert (order["status"], order["total"], order["number"]) == ("delivered", "80.00", "1001")
    assert (survey["status"], survey["order"], survey["channel"]) == ("planned", order["id"], "email")
    assert survey["due_at"] == (NOW + timedelta(hours=72)).isoformat().replace("+00:00", "Z")


async def test_order_reported_three_times_is_one_order(story) -> None:
    order = an_order(1, NOW)
    for delivery in ("one", "one", "two"):
        assert (await story.deliver("order.paid", order, delivery=delivery)).status_code == 200
    await story.at(LATER)
    assert len(await story.api("/orders")) == 1
    assert len(await story.api("/surveys")) == 1
    assert len(await story.api("/deliveries")) == 2, "one delivery under one id is kept once"


async def test_delivery_reported_before_its_order_counts(story) -> None:
    await story.deliver("order.delivered", delivered(1))
    await story.at(LATER)
    assert await story.api("/orders") == []
    await story.deliver("order.paid", an_order(1, NOW - timedelta(days=4)))
    await story.at(LATER)
    (order,) = await story.api("/orders")
    assert order["status"] == "delivered"
    assert (await only_survey(story))["due_at"].startswith("2026-03-13T12:00")


async def test_survey_due_in_quiet_hours_waits_for_the_morning(story) -> None:
    await story.deliver("order.paid", an_order(1, NOW - timedelta(days=4)))
    await story.deliver("order.delivered", delivered(1, NOW.replace(hour=21)))
    await story.at(LATER)
    # 21:00 UTC is 22:00 in Paris; nine o'clock there is 8:00 UTC.
    assert (await only_survey(story))["due_at"].startswith("2026-03-14T08:00")


async def test_cancelled_order_is_not_surveyed_and_has_a_reason(story) -> None:
    await story.deliver("order.cancelled", {"order_id": "order-1", "at": NOW.isoformat()})
    await story.deliver("order.paid", an_order(1, NOW - timedelta(days=4)))
    await story.deliver("order.delivered", delivered(1))
    await story.at(NOW + timedelta(days=10))
    survey = await only_survey(story)
    assert (survey["status"], survey["reason"]) == ("skipped", "cancelled")
    person = await story.api(f"/customers/{survey['customer']}")
    assert any("cancelled" in each["text"] for each in person["timeline"])
    assert await story.mails("ana@example.com") == []


async def test_order_without_a_customer_is_stored_and_skipped_for_no_address(story) -> None:
    nobody = {"id": None, "email": None, "phone": None, "email_consent": None}
    await story.deliver("order.paid", an_order(1, NOW, email=None, customer=nobody))
    await story.at(LATER)
    assert len(await story.api("/orders")) == 1
    assert (await only_survey(story))["reason"] == "no_address"


async def test_forged_delivery_leaves_no_trace(story) -> None:
    assert (await story.deliver("order.paid", an_order(1, NOW), secret=WRONG)).status_code == 401
    raw = json.dumps({"type": "order.paid", "data": an_order(1, NOW)})
    assert (await story.client.post("/hooks/acme/checkout", content=raw)).status_code == 401
    assert (
        await story.client.post("/hooks/nowhere/checkout", content=raw, headers=story.signed(raw))
    ).status_code == 404
    assert await story.api("/deliveries") == []


async def test_delivery_that_cannot_be_parsed_is_stored_with_its_reason(story) -> None:
    assert (await story.deliver("order.paid", an_order(1, NOW) | {"total": "-80.00"})).status_code == 200
    assert (await story.deliver("order.paid", an_order(2, NOW))).status_code == 200
    await story.at(LATER)
    (failed,) = await story.api("/deliveries", status="failed")
    assert "negative" in failed["reason"]
    assert [order["number"] for order in await story.api("/orders")] == ["1002"], (
        "one that fails does not hold up the others"
    )


async def test_unused_topic_is_accepted_and_ignored(story) -> None:
    assert (await story.deliver("cart.updated", {"id": 1})).json() == {"received": True}
    await story.at(LATER)
    assert [event["status"] for event in await story.api("/deliveries")] == ["ignored"]
