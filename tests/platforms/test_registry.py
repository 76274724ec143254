"""The platforms that exist, and what an adapter does by default."""

from decimal import Decimal
from uuid import UUID

import aiohttp
import pytest

from app.base.errors import AppError, Outcome, OutsideError
from app.brands.programme import DiscountKind
from app.brands.rules import Platform
from app.platforms.discounts import Discount
from app.platforms.protocol import (
    ConnectedShop,
    Connection,
    ConnectionReport,
    PlatformAdapter,
)
from app.platforms.registry import PARSERS, PLATFORMS, adapter_of
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
async def test_an_adapter_either_takes_codes_in_every_way_or_refuses_them_for_good(name):
    adapter, connection = PLATFORMS[name], Connection("acme", {})
    discount = Discount(
        terms_id=UUID(int=1),
        title="Friends",
        kind=DiscountKind.percent,
        value=Decimal(10),
        currency="EUR",
        minimum_subtotal=None,
        max_uses=10,
        one_per_friend=True,
        combines_with=frozenset({"shipping"}),
    )
    ways = ("publish_codes", "revoke_codes", "list_codes", "repair_codes")
    own = [way for way in ways if getattr(type(adapter), way) is not getattr(PlatformAdapter, way)]
    assert own == (list(ways) if adapter.publishes_codes else [])
    async with aiohttp.ClientSession() as http:
        for way in (each for each in ways if each not in own):
            with pytest.raises(OutsideError) as refusal:
                await getattr(adapter, way)(http, connection, discount, ())
            assert (refusal.value.outcome, refusal.value.permanent) == (Outcome.refused, True)


def no_calls() -> aiohttp.ClientSession:
    """A session by which nothing leaves the machine."""

    async def refuse(*_: object) -> None:
        raise AssertionError("the platform was called")

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(refuse)
    return aiohttp.ClientSession(trace_configs=[trace])


@pytest.mark.parametrize("name", sorted(PLATFORMS))
async def test_what_is_not_the_adapters_own_to_fetch_is_refused_for_good_without_a_call(name):
    async with no_calls() as http:
        for resource in ("", "orders/1/../2", "https://elsewhere.example/"):
            with pytest.raises(OutsideError) as refusal:
                await PLATFORMS[name].fetch(http, Connection("acme", {}), resource)
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
