"""Session tokens of Shopify: who is shown a page of the shop, by what Shopify has signed."""

from datetime import timedelta

import pytest

from app.platforms.connection_types import Connection, ShopperSession
from app.platforms.registry import PLATFORMS
from tests.support.constants import NOW
from tests.support.fake_shopify import session_token

SECRET = "shpss_of_the_app"
CONNECTION = Connection("acme.myshopify.com", {"client_id": "client", "client_secret": SECRET})
SHOPIFY = PLATFORMS["shopify"]


def read(token: str, connection: Connection = CONNECTION, *secrets: str) -> ShopperSession | None:
    return SHOPIFY.read_session(token, connection, secrets or (SECRET,), now=NOW)


def test_a_genuine_token_names_who_is_signed_in_if_anybody_is():
    assert read(session_token(SECRET, at=NOW)) == ShopperSession(None)
    named = session_token(SECRET, at=NOW, sub="gid://shopify/Customer/7000000000000000001")
    assert read(named) == ShopperSession("7000000000000000001")
    assert read(session_token(SECRET, at=NOW, dest="https://acme.myshopify.com")) is not None
    assert read(session_token("the one before", at=NOW), CONNECTION, SECRET, "the one before") is not None


def test_a_custom_app_without_a_client_id_is_known_by_its_secret():
    custom = Connection("acme.myshopify.com", {"access_token": "shpat_1"})
    assert read(session_token(SECRET, at=NOW, aud="whatever"), custom) == ShopperSession(None)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "é.é.é",
        session_token("another", at=NOW),
        session_token(SECRET, at=NOW, alg="none"),
        session_token(SECRET, at=NOW, dest="other.myshopify.com"),
        session_token(SECRET, at=NOW, dest=None),
        session_token(SECRET, at=NOW, aud="another"),
        session_token(SECRET, at=NOW, aud=None),
        session_token(SECRET, at=NOW, exp=None),
        session_token(SECRET, at=NOW, exp="tomorrow"),
        session_token(SECRET, at=NOW - timedelta(minutes=6)),
        session_token(SECRET, at=NOW + timedelta(minutes=6)),
        session_token(SECRET, at=NOW)[:-2],
        session_token(SECRET, at=NOW).rsplit(".", maxsplit=1)[0],
        session_token(SECRET, at=NOW, jti="x" * 5000),
    ],
)
def test_a_token_that_is_not_genuine_is_nobodys(token):
    assert read(token) is None


def test_the_fake_of_an_own_checkout_and_woocommerce_have_no_such_tokens():
    for name in ("checkout", "woocommerce"):
        token = session_token(SECRET, at=NOW)
        assert PLATFORMS[name].read_session(token, CONNECTION, (SECRET,), now=NOW) is None
