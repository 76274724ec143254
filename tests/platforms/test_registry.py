"""The platforms that exist, and what an adapter does by default."""

from decimal import Decimal
from uuid import UUID

import aiohttp
import pytest

from app.base.errors import AppError, Outcome, OutsideError
from app.brands.programme import DiscountKind
from app.brands.rules import Platform
from app.platforms.connection_types import ConnectedShop, Connection, ConnectionReport
from app.platforms.discounts import Discount
from app.platforms.protocol import PlatformAdapter
from app.platforms.registry import PARSERS, PLATFORMS, adapter_of
from app.platforms.shop_credit import CreditKind
from tests.support.constants import PROJECT


def test_every_platform_has_an_adapter():
    assert set(PLATFORMS) == {platform.value for platform in Platform}


def test_every_source_of_deliveries_has_a_parser():
    assert set(PARSERS) == {*PLATFORMS, "api", "import"}


def test_every_platform_and_its_settings_are_documented():
    text = (PROJECT / "docs" / "platforms.md").read_text(encoding="utf-8")
    readme, api = ((PROJECT / path).read_text(encoding="utf-8") for path in ("README.md", "docs/api.md"))
    assert f"--platform {'|'.join(PLATFORMS)}`" in text, "its first sentence must name every platform"
    header, compared = (
        next(line for line in lines.splitlines() if line.startswith("| | ")) for lines in (text, readme)
    )
    for name, adapter in PLATFORMS.items():
        title = "checkout" if name == "checkout" else adapter.title
        assert f" {title} |" in header, f"docs/platforms.md: What is read has no column {title}"
        assert f"/{name}`" in text, f"docs/platforms.md: no chapter has the address /hooks/…/{name}"
        assert title in compared, f"README's table of platforms has no column {title}"
        assert f'"{name}"' in api, f"docs/api.md: POST /shops does not know {name}"
        for setting in adapter.settings.model_fields:
            assert f"| `{setting}` |" in text, f"docs/platforms.md: no table has {setting}"


@pytest.mark.parametrize("name", sorted(PLATFORMS))
def test_a_platform_and_its_credentials_have_names_for_people(name):
    adapter = PLATFORMS[name]
    assert adapter.title
    assert set(adapter.credential_titles) == {each for one in adapter.credentials for each in one}
    assert bool(adapter.account_hint) == bool(adapter.credentials)


METHODS_BY_ABILITY = {
    "credentials": ("make_connection", "connect", "check", "disconnect"),
    "lists_orders": ("fetch_orders",),
    "publishes_codes": (
        "publish_codes",
        "revoke_codes",
        "list_codes",
        "repair_codes",
        "put_reward",
        "remove_reward",
    ),
    "holds_accounts": ("read_credit", "move_credit"),
}


@pytest.mark.parametrize("name", sorted(PLATFORMS))
def test_an_adapter_has_the_methods_of_what_it_says_it_can_do_and_no_others(name):
    adapter = PLATFORMS[name]
    for ability, methods in METHODS_BY_ABILITY.items():
        can = (
            adapter.credit is CreditKind.account if ability == "holds_accounts" else getattr(adapter, ability)
        )
        own = tuple(
            each for each in methods if getattr(type(adapter), each) is not getattr(PlatformAdapter, each)
        )
        assert own == (methods if can else ()), f"{name}: {ability} is {can}"


def test_unknown_platform_gets_the_checkouts_adapter():
    assert adapter_of("a platform of a later version") is PLATFORMS["checkout"]
    assert adapter_of(Platform.shopify) is PLATFORMS["shopify"]


@pytest.mark.parametrize("name", sorted(name for name, each in PLATFORMS.items() if not each.publishes_codes))
async def test_an_adapter_without_codes_refuses_them_for_good(name):
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
    async with aiohttp.ClientSession() as http:
        for way in METHODS_BY_ABILITY["publishes_codes"]:
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
