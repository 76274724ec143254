"""The platforms that exist, and what an adapter does by default."""

from datetime import UTC, datetime
from decimal import Decimal

import aiohttp
import pytest

from app.base.errors import AppError, Outcome, OutsideError
from app.brands.programme import DiscountKind
from app.brands.rules import Platform
from app.platforms.protocol import (
    CodeToPublish,
    ConnectedShop,
    Connection,
    ConnectionReport,
    PlatformAdapter,
    PublishedCode,
)
from app.platforms.registry import PARSERS, PLATFORMS, adapter_of
from app.referrals.rules import PublicationState, first_publication_state
from tests.support.constants import PROJECT


def test_every_platform_has_an_adapter():
    assert set(PLATFORMS) == {platform.value for platform in Platform}


def test_every_source_of_deliveries_has_a_parser():
    assert set(PARSERS) == {*PLATFORMS, "api", "import"}


def test_every_platform_and_its_settings_are_documented():
    text = (PROJECT / "docs" / "platforms.md").read_text(encoding="utf-8")
    for name, adapter in PLATFORMS.items():
        assert f"/{name}`" in text, name
        for setting in adapter.settings.model_fields:
            assert f"| `{setting}` |" in text, setting


def test_unknown_platform_gets_the_checkouts_adapter():
    assert adapter_of("a platform of a later version") is PLATFORMS["checkout"]
    assert adapter_of(Platform.shopify) is PLATFORMS["shopify"]


@pytest.mark.parametrize("name", sorted(PLATFORMS))
async def test_codes_work_at_once_where_nothing_is_published(name):
    codes = [
        CodeToPublish(
            code, DiscountKind.percent, Decimal(10), "EUR", expires_at=datetime(2027, 1, 1, tzinfo=UTC)
        )
        for code in ("ANA-7K4QX", "BEN-2M3NP")
    ]
    async with aiohttp.ClientSession() as http:
        published = await PLATFORMS[name].publish_codes(http, None, codes)
    assert published == [PublishedCode("ANA-7K4QX"), PublishedCode("BEN-2M3NP")]


@pytest.mark.parametrize("name", sorted(PLATFORMS))
def test_a_code_waits_for_its_publication_only_where_the_adapter_publishes(name):
    publishes = type(PLATFORMS[name]).publish_codes is not PlatformAdapter.publish_codes
    assert (first_publication_state(Platform(name)) is PublicationState.wanted) is publishes


@pytest.mark.parametrize("name", sorted(PLATFORMS))
async def test_fetch_is_refused_for_good_where_deliveries_are_complete(name):
    async with aiohttp.ClientSession() as http:
        with pytest.raises(OutsideError) as refusal:
            await PLATFORMS[name].fetch(http, Connection("acme", {}), "orders/1")
    assert (refusal.value.outcome, refusal.value.permanent) == (Outcome.refused, True)


@pytest.mark.parametrize("name", sorted(name for name, each in PLATFORMS.items() if not each.credentials))
async def test_a_platform_that_is_not_called_cannot_be_connected_and_lacks_nothing(name):
    adapter = PLATFORMS[name]
    with pytest.raises(AppError) as refused:
        adapter.make_connection("acme", {"key": "a"}, local=True)
    assert refused.value.code == "not_connectable"
    connection, shop = (
        Connection("acme", {}),
        ConnectedShop("acme", None, "EUR", "UTC", "https://hook.example"),
    )
    assert adapter.webhook_secret(connection) is None
    async with aiohttp.ClientSession() as http:
        assert await adapter.connect(http, connection, shop) == ConnectionReport()
        assert await adapter.check(http, connection, shop) == ConnectionReport()
        await adapter.disconnect(http, connection, shop)
