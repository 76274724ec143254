"""The fourth flow: a friend orders with the code, the referrer is rewarded once the hold is over,
and refunds take it back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.support.constants import NOW
from tests.support.story import Story, an_order, link_to, open_story, with_code

ANA, BEN, CARL = "ana@example.com", "ben@example.com", "carl@example.com"
DUE = NOW + timedelta(hours=72)
FRIEND = DUE + timedelta(days=2)
OVER = FRIEND + timedelta(days=14, minutes=1)


@pytest.fixture
async def story(context, brand, shop) -> AsyncIterator[Story]:
    async with open_story(context, brand) as story:
        yield story


async def code_of_ana(story: Story) -> str:
    return await story.promoter(an_order(1, NOW - timedelta(days=4)), delivered_at=NOW, asked_at=DUE)


async def friend_orders(story: Story, code: str, number: int = 2, *, email: str = BEN) -> None:
    """A friend's order with the code, which arrives at once."""
    await story.deliver("order.paid", with_code(an_order(number, FRIEND, email=email), code))
    await story.deliver("order.delivered", {"order_id": f"order-{number}", "at": FRIEND.isoformat()})


async def refund(
    story: Story, amount: str, *, number: int = 2, refund_id: str = "r1", at: datetime = FRIEND
) -> None:
    data = {"order_id": f"order-{number}", "refund_id": refund_id, "amount": amount, "at": at.isoformat()}
    await story.deliver("order.refunded", data)


async def redemption(story: Story) -> dict:
    (only,) = await story.api("/redemptions")
    return only


async def reward(story: Story) -> dict:
    (only,) = await story.api("/rewards")
    return only


async def test_friend_finds_the_code_behind_the_shared_link(story) -> None:
    code = await code_of_ana(story)
    offer = (await story.mails(ANA))[-1]
    page = await story.client.get(link_to("r", offer), headers={"user-agent": "Mozilla/5.0"})
    assert page.status_code == 200
    assert code in page.text
    assert "https://acme.example" in page.text


async def test_referrer_is_rewarded_when_the_hold_is_over(story) -> None:
    code = await code_of_ana(story)
    await friend_orders(story, code)
    await story.at(FRIEND)
    pending = await redemption(story)
    assert (pending["status"], pending["amount_off"], pending["order_number"]) == ("pending", "8.00", "1002")
    await story.at(OVER - timedelta(minutes=2))
    assert (await reward(story))["status"] == "pending"
    await story.at(OVER)
    assert (await redemption(story))["status"] == "approved"
    granted = await reward(story)
    assert (granted["amount"], granted["net_amount"], granted["status"], granted["kind"]) == (
        "10.00",
        "10.00",
        "granted",
        "code",
    )
    assert granted["code"] in (await story.mails(ANA))[-1].text
    assert "€10" in (await story.mails(ANA))[-1].text
    balance = await story.balance()
    assert sum(balance.values()) == 0
    assert (balance["reward_cost"], balance["discount_cost"]) in {
        (Decimal(10), Decimal(8)),
        (Decimal(-10), Decimal(-8)),
    }
    own_page = await story.client.get(link_to("p", (await story.mails(ANA))[1]))
    assert "€10" in own_page.text


async def test_reward_is_granted_once_however_often_events_repeat(story) -> None:
    code = await code_of_ana(story)
    for _ in range(3):
        await friend_orders(story, code)
        await story.at(FRIEND)
    await asyncio.gather(*[story.at(OVER) for _ in range(4)])
    assert (await reward(story))["amount"] == "10.00"
    uses = {row["kind"]: row["uses"] for row in await story.api("/codes")}
    assert uses == {"share": 1, "reward": 0}
    assert len(await story.mails(ANA)) == 3, "survey, offer and reward"


async def test_partial_refund_within_the_hold_leaves_its_share(story) -> None:
    code = await code_of_ana(story)
    await friend_orders(story, code)
    await refund(story, "18.00")
    await story.at(OVER)
    # 18 of 72 went back: three quarters of ten remain.
    assert (await reward(story))["net_amount"] == "7.50"


async def test_late_refunds_take_the_reward_back_bit_by_bit(story) -> None:
    code = await code_of_ana(story)
    await friend_orders(story, code)
    await story.at(OVER)
    late = OVER + timedelta(days=60)
    await refund(story, "36.00", at=late)
    await story.at(late)
    half = await reward(story)
    assert (half["amount"], half["net_amount"]) == ("10.00", "5.00")
    await refund(story, "36.00", refund_id="r2", at=late)
    await story.at(late)
    gone = await reward(story)
    assert (gone["net_amount"], gone["status"]) == ("0.00", "reversed")
    await refund(story, "36.00", refund_id="r2", at=late)
    await story.at(late)
    balance = await story.balance()
    assert (balance["reward_cost"], balance["referrers"]) == (0, 0)
    entries = await story.api("/ledger")
    assert len({entry["transaction"] for entry in entries}) >= 3, (
        "what was booked stays and is set off, never changed"
    )


async def test_refund_reported_before_the_order_counts(story) -> None:
    code = await code_of_ana(story)
    await refund(story, "36.00")
    await story.at(FRIEND)
    await friend_orders(story, code)
    await story.at(OVER)
    assert (await reward(story))["net_amount"] == "5.00"


async def test_facts_of_an_order_come_to_the_same_in_any_order(story) -> None:
    code = await code_of_ana(story)
    delivered = {"at": FRIEND.isoformat()}
    await refund(story, "10.00", number=2, refund_id="a")
    await friend_orders(story, code, 2)
    await refund(story, "8.00", number=2, refund_id="b")
    await story.deliver("order.delivered", {"order_id": "order-2", **delivered})
    await story.at(OVER)
    await story.deliver("order.delivered", {"order_id": "order-3", **delivered})
    await friend_orders(story, code, 3, email=CARL)
    await story.at(OVER)
    await refund(story, "8.00", number=3, refund_id="b", at=OVER)
    await story.at(OVER)
    await refund(story, "10.00", number=3, refund_id="a", at=OVER)
    await story.at(OVER + timedelta(days=15))
    assert [row["net_amount"] for row in await story.api("/rewards")] == ["7.50", "7.50"]


async def test_cancelled_order_gives_the_use_of_the_code_back(story) -> None:
    await story.terms(offer={"max_uses_per_code": 1})
    code = await code_of_ana(story)
    await friend_orders(story, code)
    await story.at(FRIEND)
    assert (await story.api("/codes"))[0]["status"] == "exhausted"
    await story.deliver("order.cancelled", {"order_id": "order-2", "at": FRIEND.isoformat()})
    await story.at(FRIEND)
    assert (await redemption(story))["status"] == "reversed"
    assert (await story.api("/codes"))[0]["uses"] == 0
    await friend_orders(story, code, 3, email=CARL)
    await story.at(OVER)
    assert sorted(row["status"] for row in await story.api("/redemptions")) == ["approved", "reversed"]
    assert sorted(row["status"] for row in await story.api("/rewards")) == ["cancelled", "granted"]


async def test_last_use_has_one_winner_and_losers_hear_why(story) -> None:
    await story.terms(offer={"max_uses_per_code": 1})
    code = await code_of_ana(story)
    await asyncio.gather(
        *[friend_orders(story, code, number, email=f"friend{number}@example.com") for number in range(2, 8)]
    )
    await asyncio.gather(*[story.at(FRIEND) for _ in range(3)])
    rows = await story.api("/redemptions")
    assert sorted(row["status"] for row in rows) == ["pending"] + ["refused"] * 5
    assert {row["reason"] for row in rows} == {None, "exhausted"}
    assert len(await story.api("/orders")) == 7, "the losers' orders stand"


@pytest.mark.parametrize(("email", "reason"), [(ANA, "own_order"), ("old@example.com", "existing_customer")])
async def test_existing_customer_earns_the_referrer_nothing(story, email, reason) -> None:
    await story.deliver("order.paid", an_order(9, NOW - timedelta(days=300), email="old@example.com"))
    code = await code_of_ana(story)
    await friend_orders(story, code, email=email)
    await story.at(OVER)
    refused = await redemption(story)
    assert (refused["status"], refused["reason"]) == ("refused", reason)
    assert await story.api("/rewards") == []
    assert abs((await story.balance())["leaked_discount"]) == 8


async def test_friend_who_comes_again_is_no_new_customer_any_more(story) -> None:
    code = await code_of_ana(story)
    await friend_orders(story, code, 2)
    await story.at(FRIEND)
    await friend_orders(story, code, 3)
    await story.at(FRIEND)
    assert sorted(row["status"] for row in await story.api("/redemptions")) == ["pending", "refused"]


async def test_order_with_somebody_elses_code_has_no_redemption(story) -> None:
    await code_of_ana(story)
    await friend_orders(story, "SUMMER10")
    await story.at(FRIEND)
    assert await story.api("/redemptions") == []
    assert len(await story.api("/orders")) == 2
