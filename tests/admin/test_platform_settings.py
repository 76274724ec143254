"""What a shop may set of its platform, by the API and by commands: strictly its platform's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import update

from app.base.errors import AppError
from app.brands.models import Shop
from app.brands.rules import Platform
from app.platforms.settings import read_settings
from app.platforms.shop_settings import new_settings, settings_of
from app.platforms.woocommerce.settings import WooCommerceSettings
from tests.support.story import Story, open_story


@pytest.fixture
async def story(context, brand, shop) -> AsyncIterator[Story]:
    async with context.sessions.begin() as session:
        await session.execute(update(Shop).values(platform=Platform.woocommerce))
    async with open_story(context, brand) as story:
        yield story


async def patch(story: Story, settings: Any, **more: Any) -> Response:
    return await story.client.patch(
        "/api/v1/shops/acme",
        json={"platform_settings": settings, **more},
        headers={"Authorization": f"Bearer {story.key}"},
    )


async def test_settings_are_merged_and_removed_by_null(story):
    (shop,) = await story.api("/shops")
    assert shop["platform_settings"] == {}
    changed = await patch(story, {"delivered_status": "delivered", "locale_meta_key": "wpml_language"})
    assert changed.status_code == 200
    changed = await patch(story, {"delivered_status": None, "consent_meta_key": "_newsletter"}, name="Shop")
    (shop,) = await story.api("/shops")
    assert changed.json() == shop
    assert (shop["name"], shop["platform_settings"]) == (
        "Shop",
        {"locale_meta_key": "wpml_language", "consent_meta_key": "_newsletter"},
    )
    audited = [each["changes"] for each in await story.api("/audit") if each["action"] == "shop_changed"]
    assert len(audited) == 2
    assert all("platform_settings" in str(each) for each in audited)


async def test_two_changes_at_once_lose_neither(story):
    names = ("consent_meta_key", "sms_consent_meta_key", "locale_meta_key", "referral_meta_key")
    changed = await asyncio.gather(*(patch(story, {name: f"_{name}"}) for name in names))
    assert {each.status_code for each in changed} == {200}
    (shop,) = await story.api("/shops")
    assert shop["platform_settings"] == {name: f"_{name}" for name in names}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"color": "red"}, "A woocommerce shop has no setting 'color'; its settings: delivered_status, "),
        ({"delivered_status": ""}, "delivered_status must be the slug of an order status"),
        ({"delivered_status": "Delivered"}, "delivered_status must be the slug"),
        ({"delivered_status": "wc-delivered"}, "delivered_status is written without `wc-`"),
        ({"delivered_status": "processing"}, "delivered_status cannot be processing"),
        ({"consent_meta_key": " "}, "consent_meta_key must be the key of a meta field"),
    ],
)
async def test_what_cannot_be_is_refused_in_a_sentence_and_nothing_changes(story, given, sentence):
    response = await patch(story, {"locale_meta_key": "lang", **given}, name="Changed")
    assert (response.status_code, response.json()["code"]) == (422, "bad_platform_setting")
    assert response.json()["detail"].startswith(sentence)
    (shop,) = await story.api("/shops")
    assert (shop["name"], shop["platform_settings"]) == ("Acme", {})


@pytest.mark.parametrize("given", [None, [], "x", {"delivered_status": 5}, {"delivered_status": ["a"]}])
async def test_settings_that_are_no_texts_are_invalid(story, given):
    response = await patch(story, given)
    assert (response.status_code, response.json()["code"]) == (422, "invalid")


async def test_settings_of_nobodys_shop_are_not_found(story):
    response = await story.client.patch(
        "/api/v1/shops/nobody",
        json={"platform_settings": {"delivered_status": "delivered"}},
        headers={"Authorization": f"Bearer {story.key}"},
    )
    assert response.status_code == 404


@pytest.mark.parametrize("platform", [Platform.checkout, Platform.shopify])
def test_platform_without_settings_refuses_another_ones(platform):
    with pytest.raises(AppError, match=f"A {platform} shop has no setting 'delivered_status'"):
        new_settings(platform, {"delivered_status": "delivered"})


def test_name_of_a_later_version_is_left_out_when_a_delivery_is_parsed():
    stored = {"delivered_status": "delivered", "a_later_one": "x"}
    assert read_settings(WooCommerceSettings, stored) == WooCommerceSettings(delivered_status="delivered")
    shop = Shop(platform=Platform.woocommerce, platform_settings=stored)
    assert settings_of(shop) == WooCommerceSettings(delivered_status="delivered")
