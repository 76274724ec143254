from types import SimpleNamespace

import pytest

from app.base.web.lookup_limit import LookupRateLimit, address_of


def caller(host: str | None):
    return SimpleNamespace(client=None if host is None else SimpleNamespace(host=host))


class Watch:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_an_address_that_guesses_is_limited_and_let_in_again_later(watch):
    lookup_limit = LookupRateLimit(per_address=5, monotonic=watch)
    for _ in range(5):
        assert not lookup_limit.is_limited(caller("192.0.2.1"))
        lookup_limit.record_failure(caller("192.0.2.1"))
    assert lookup_limit.is_limited(caller("192.0.2.1"))
    assert not lookup_limit.is_limited(caller("192.0.2.2"))
    watch.at += 121
    assert not lookup_limit.is_limited(caller("192.0.2.1"))
    lookup_limit.record_failure(caller("192.0.2.1"))
    assert lookup_limit.is_limited(caller("192.0.2.1"))


def test_a_flood_from_everywhere_leaves_each_address_one_guess(watch):
    lookup_limit = LookupRateLimit(per_address=5, in_all=100, monotonic=watch)
    for number in range(150):
        address = caller(f"198.51.100.{number}")
        assert not lookup_limit.is_limited(address)
        lookup_limit.record_failure(address)
    assert lookup_limit.is_limited(caller("198.51.100.1"))
    assert not lookup_limit.is_limited(caller("203.0.113.9"))
    watch.at += 700
    assert not lookup_limit.is_limited(caller("198.51.100.1"))


def test_addresses_are_distinguished_by_network():
    assert address_of(caller("2001:db8::1")) == address_of(caller("2001:db8::ffff:2"))
    assert address_of(caller("2001:db8::1")) != address_of(caller("2001:db8:0:1::1"))
    assert address_of(caller("::ffff:192.0.2.1")) == address_of(caller("192.0.2.1"))
    assert address_of(caller(None)) == address_of(caller("unix")) == ""
