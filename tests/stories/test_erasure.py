"""Eight kinds of person are erased; neither the database nor the logs name them afterwards."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.base import clock
from app.base.context import AppContext
from tests.support.constants import NOW
from tests.support.story import Story, an_order, open_story, survey_link, with_code

DUE = NOW + timedelta(hours=72)
CANARIES = (
    *("zanaria", "zbenito", "zcarlos", "zdoris", "zemilia", "zfrida", "zgustav", "zhannes", "ztagged"),
    *("612345601", "612345602", "612345604", "612345606", "612345616"),
)
"""Parts of names, addresses, words and numbers of the eight people, in lower case."""


@pytest.fixture
async def story(context, brand, shop) -> AsyncIterator[Story]:
    async with open_story(context, brand) as story:
        yield story


def order(number: int, **person: Any) -> dict[str, Any]:
    customer = {"id": None, "email": None, "first_name": None, "last_name": None, "country": "NL", **person}
    return {**an_order(number, NOW - timedelta(days=4)), "customer": customer}


async def everything(context: AppContext) -> str:
    """Every value of every column of every table, JSON in bytes decoded, in lower case."""
    found: list[str] = []
    async with context.sessions() as session:
        tables = await session.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        )
        for table in tables.all():
            for row in await session.execute(text(f'SELECT * FROM "{table}"')):
                found += [f"{table}: {part}" for value in row for part in _texts(value)]
    return "\n".join(found).lower()


def _texts(value: Any) -> list[str]:
    if isinstance(value, (bytes, memoryview)):
        plain = bytes(value).decode("utf-8", "replace")
        try:
            return [plain, json.dumps(json.loads(plain), ensure_ascii=False)]
        except ValueError:
            return [plain]
    if isinstance(value, (dict, list)):
        return [json.dumps(value, ensure_ascii=False, default=str)]
    return [str(value)]


def digits(number: str) -> list[str]:
    """A number as it may be stored: whole, and with the spaces that its shop wrote."""
    return [number, " ".join(number), "\u00a0".join(number)]


def named_in(content: str) -> dict[str, str]:
    """The canaries that a text holds, with where each stands."""
    found = {}
    for canary in CANARIES:
        for spelling in digits(canary) if canary.isdigit() else [canary]:
            if spelling in content:
                place = content.index(spelling)
                found[canary] = content[max(0, place - 100) : place + 60]
    return found


async def the_promoter(story: Story) -> str:
    """Orders, gets a code with her name, comments, and her address and card are known by hash."""
    mine = order(
        1,
        id="c1",
        email="zanaria@example.com",
        phone="+31612345601",
        first_name="Zanaria",
        last_name="Zanaria",
        email_consent=True,
        sms_consent={"state": "granted", "at": NOW.isoformat(), "source": "zanaria's form"},
    ) | {
        "tags": ["ztagged"],
        "shipping_address": {"line1": "1 Zanaria St", "city": "Utrecht", "country": "NL"},
        "payment_fingerprint": "zanaria-card",
    }
    code = await story.promoter(mine, delivered_at=NOW, asked_at=DUE)
    (survey, *_rest) = await story.mails("zanaria@example.com")
    await story.client.post(
        survey_link(survey),
        data={"score": "9", "comment": "Zanaria says hello", "testimonial_consent": "on"},
    )
    assert "zanaria" in code.lower()
    return code


async def the_friend(story: Story, code: str) -> None:
    """Redeems the code through the API, and the response is stored under a key."""
    data = with_code(order(2, id="c2", email="zbenito@example.com", phone="+31612345602"), code)
    sent = await story.client.post(
        "/api/v1/codes/redeem",
        json={"code": code, "order": data},
        headers={"Authorization": f"Bearer {story.key}", "Idempotency-Key": "redeem-2"},
    )
    assert sent.status_code == 201, sent.text
    rejected = await story.post_api(
        f"/redemptions/{sent.json()['id']}/reject", {"reason": "Zbenito is Zanaria's brother"}
    )
    assert rejected.status_code == 200
    # Another friend, who stays, has the promoter's code in an order that redeems nothing.
    await story.deliver("order.paid", with_code(order(22, email="stays@example.com") | {"test": True}, code))


@pytest.mark.slow
async def test_nothing_names_eight_erased_people(story: Story, context, capfd) -> None:
    await story.terms(offer={"code_style": "named"})
    code = await the_promoter(story)
    await the_friend(story, code)
    await story.deliver("order.paid", order(3, id="zcarlos-3", first_name="Zcarlos"))
    spaced = "06\u00a01\u00a02\u00a03\u00a04\u00a05\u00a06\u00a00\u00a04"
    await story.deliver("order.paid", order(4, phone=spaced, first_name="Zdoris"))
    await story.deliver("order.paid", order(5, email="zemilia@b\u00fccher.example", first_name="Zemilia"))
    await story.deliver("order.paid", order(6, id="c6", email="zfrida.old@example.com", phone="+31612345606"))
    await story.deliver(
        "order.paid", order(66, id="c6", email="zfrida.new@example.com", phone="+31612345616")
    )
    broken = json.dumps({"type": "order.paid", "data": order(7, email="@") | {"currency": "XXQ"}})
    await story.client.post(
        "/hooks/acme/checkout",
        content=(raw := broken.replace('"@"', r'"zgustav\u002Bx@example.com"')),
        headers=story.signed(raw, "broken-7"),
    )
    await story.deliver("cart.abandoned", {"note": "Zgustav <zgustav+x@example.com>"})
    await story.at(DUE + timedelta(days=1))
    await story.deliver("order.paid", order(8, email="zhannes@example.com", last_name="Zhannes"))
    before = named_in(await everything(context))
    assert before.keys() == set(CANARIES)

    await story.deliver("customer.erased", {"id": "c1", "email": "zanaria@example.com"})
    await story.deliver("customer.erased", {"email": "zfrida.new@example.com"})
    (friend,) = [each for each in await story.api("/customers") if each["email"] == "zbenito@example.com"]
    assert (await story.post_api(f"/customers/{friend['id']}/erase", {})).status_code == 200
    for name in (
        {"id": "zcarlos-3", "shop": "acme"},
        {"phone": "+31 6 12345604"},
        {"email": "Zemilia@B\u00fccher.example"},
        {"email": "zgustav+x@example.com"},
        {"email": "zhannes@example.com"},
    ):
        erased = await story.post_api("/customers/erase", name)
        assert erased.status_code == 200, (name, erased.text)
    for minutes in (0, 1, 3, 5):
        await story.at(clock.now() + timedelta(minutes=minutes))

    assert named_in(await everything(context)) == {}
    printed = capfd.readouterr()
    assert named_in((printed.out + printed.err).lower()) == {}
    stays = [each for each in await story.api("/orders") if each["number"] == "1022"]
    assert stays[0]["customer"] is not None
    assert code not in stays[0]["discount_codes"]
    assert len(await story.api("/orders")) == 9
    again = await story.client.post(
        "/api/v1/codes/redeem",
        json={"code": code, "order": with_code(order(2), code)},
        headers={"Authorization": f"Bearer {story.key}", "Idempotency-Key": "redeem-2"},
    )
    assert again.status_code in (410, 422)


async def test_a_code_of_an_erased_promoter_is_stored_nowhere_again(story: Story, context) -> None:
    await story.terms(offer={"code_style": "named"})
    code = await the_promoter(story)
    await story.deliver("customer.erased", {"id": "c1"})
    await story.at(DUE)
    await story.deliver("order.paid", with_code(order(2, email="friend@example.com"), code.lower()))
    await story.at(DUE)
    refused = await story.client.post(
        "/api/v1/codes/redeem",
        json={"code": code, "order": with_code(order(3, email="other@example.com"), code)},
        headers={"Authorization": f"Bearer {story.key}"},
    )
    assert (refused.status_code, refused.json()["reason"]) == (409, "disabled")
    assert "zanaria" not in await everything(context)
    assert {each["reason"] for each in await story.api("/redemptions")} == {"disabled"}
