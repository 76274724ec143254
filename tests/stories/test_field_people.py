"""Whom a shop's reports name, in the field: gifts, old statements, numbers of other countries,
words for no name, comments like formulas."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.base.context import AppContext
from app.brands.models import Brand, Shop
from tests.support.constants import NOW
from tests.support.shopify_buyer import Buyer, at, open_shopify_story, send
from tests.support.story import Story, an_order, survey_link

DUE = NOW + timedelta(hours=72)


@pytest.fixture
async def story(context: AppContext, brand: Brand, shop: Shop) -> AsyncIterator[Story]:
    async with open_shopify_story(context, brand) as story:
        yield story


async def customers(story: Story) -> dict[str, tuple[str | None, str | None, str | None]]:
    """Name, phone number and country of everybody, by e-mail address."""
    rows = await story.api("/customers", limit="100")
    return {row["email"]: (row["name"], row["phone"], row["country"]) for row in rows}


async def test_details_are_the_buyers_own_and_the_newest(story: Story) -> None:
    gift = {"first_name": "Opa", "last_name": "Lund", "country_code": "DK", "phone": "+4532123456"}
    own = {"first_name": "uma", "last_name": "BERG", "country_code": "IE", "phone": "087 123 4567"}
    sent = {
        1: [Buyer(1).order(customer=None, shipping_address=gift)],
        2: [Buyer(2).order(customer=None, shipping_address=own)],
        3: [Buyer(3).order(customer=None, billing_address=None, shipping_address=gift)],
        4: [
            Buyer(4).order(),
            Buyer(4).customer(first_name="Wanda", last_name="Ek", updated_at=at(-0.5)),
            Buyer(4).customer(first_name="Willy", last_name="Old", updated_at=at(-40)),
        ],
    }
    await send(story, sent)
    assert await customers(story) == {
        Buyer(1).email: ("Uma Berg", None, "IE"),
        Buyer(2).email: ("Uma Berg", "+353871234567", "IE"),
        Buyer(3).email: ("Opa Lund", "+4532123456", "DK"),
        Buyer(4).email: ("Wanda Ek", None, "IE"),
    }


async def test_a_national_number_is_read_in_its_owners_country(story: Story) -> None:
    changed = await story.client.patch(
        "/api/v1/shops/acme", json={"locale": "de-DE"}, headers={"Authorization": f"Bearer {story.key}"}
    )
    assert changed.status_code == 200
    numbers = [
        ("0171 2345678", "MX"),
        ("0171 2345678", None),
        ("0171 2345678", "DE"),
        ("+52 55 1234 5678", "DE"),
    ]
    for place, (phone, country) in enumerate(numbers):
        person = {"id": place, "phone": phone, "country": country}
        await story.deliver("order.paid", an_order(place, NOW, email=f"{place}@example.com", customer=person))
    await story.at(NOW)
    found = await customers(story)
    assert [found[f"{place}@example.com"][1] for place in range(4)] == [
        None,
        None,
        "+491712345678",
        "+525512345678",
    ]


async def test_a_word_for_no_name_is_greeted_without_one(story: Story) -> None:
    names = ["NULL", "n/a", " \u2014 ", "Unbekannt", "First Name", "12", "", "Noah"]
    for place, name in enumerate(names):
        order = an_order(
            place, NOW - timedelta(days=4), email=f"{place}@example.com", customer={"first_name": name}
        )
        # A discount is a line of its own in some checkouts.
        order["items"] += [{"title": "Voucher", "quantity": 1, "unit_price": "-7.50"}]
        await story.deliver("order.paid", order)
        await story.deliver("order.delivered", {"order_id": order["id"], "at": NOW.isoformat()})
    await story.at(DUE)
    greetings = [
        mail.text.partition("\n")[0]
        for place in range(8)
        for mail in await story.mails(f"{place}@example.com")
    ]
    assert greetings == ["Hello,"] * 7 + ["Hi Noah,"]


async def test_a_shop_that_left_takes_its_people_along(story: Story) -> None:
    await send(story, {number: [Buyer(number).order()] for number in (1, 2)})
    named = {"shop_id": 5, "shop_domain": "acme.myshopify.com"}
    await story.shopify("shop/redact", {**named, "customer": {"id": 1001}})
    await story.at(NOW)
    assert set(await customers(story)) == {Buyer(1).email, Buyer(2).email}
    await story.shopify("shop/redact", named)
    for minutes in (0, 1, 5):
        await story.at(NOW + timedelta(days=300, minutes=minutes))
    assert set((await customers(story)).items()) <= {(None, (None, None, None))}
    assert [row["total"] for row in await story.api("/orders")] == ["80.00", "80.00"]


async def test_no_cell_of_an_export_is_a_formula_whatever_separates_the_columns(story: Story) -> None:
    comments = ["prima;=2+5", "ok\t=1+1", "nice,-3", "fine\n@now", "=1", "+49 123", "schön"]
    for number, _ in enumerate(comments, 1):
        await story.deliver(
            "order.paid", an_order(number, NOW - timedelta(days=4), email=f"{number}@example.com")
        )
        await story.deliver("order.delivered", {"order_id": f"order-{number}", "at": at(-3)})
    await story.at(NOW)
    for number, comment in enumerate(comments, 1):
        link = survey_link((await story.mails(f"{number}@example.com"))[0])
        assert (await story.client.post(link, data={"score": "8", "comment": comment})).status_code == 303
    exported = await story.client.get(
        "/api/v1/exports/responses.csv", headers={"Authorization": f"Bearer {story.key}"}
    )
    assert exported.content.startswith(b"\xef\xbb\xbf")
    text = exported.content.decode("utf-8-sig")
    assert "schön" in text
    for separator in (",", ";", "\t"):
        cells = [cell for row in csv.reader(io.StringIO(text), delimiter=separator) for cell in row]
        assert [
            cell
            for cell in cells
            if cell.lstrip(" \"'").startswith(("=", "+", "@", "-")) and not cell.startswith("'")
        ] == []
