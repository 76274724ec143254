"""Callers that all have one private address: a proxy whose forwarding is not trusted."""

import pytest

from app.base.web.peers import MANY, Peers


def scope(host: str, path: str = "/s/x", *, forwarded: bool = False) -> dict:
    headers = [(b"x-forwarded-for", b"198.51.100.7")] if forwarded else []
    return {"type": "http", "path": path, "client": (host, 1), "headers": headers}


def seen(*scopes: dict) -> bool:
    peers = Peers()
    for each in scopes:
        peers.note(each)
    return peers.are_one


@pytest.mark.parametrize("host", ["10.0.0.5", "192.168.1.1", "fd00::1", "172.17.0.1"])
def test_one_private_address_for_all_is_noticed(host: str) -> None:
    assert seen(*[scope(host)] * MANY)
    assert not seen(*[scope(host)] * (MANY - 1))


def test_a_second_address_ends_it() -> None:
    assert not seen(*[scope("10.0.0.5")] * MANY, scope("198.51.100.7"))


def test_a_public_address_and_one_that_is_none_are_no_proxy() -> None:
    assert not seen(*[scope("198.41.0.4")] * MANY)
    assert not seen(*[scope("testclient")] * MANY)


def test_this_machine_counts_where_it_forwards_others() -> None:
    assert not seen(*[scope("127.0.0.1")] * MANY)
    assert seen(*[scope("127.0.0.1", forwarded=True)] * MANY)


def test_only_customers_pages_count() -> None:
    others = [scope("10.0.0.9", path) for path in ("/healthz", "/metrics", "/hooks/acme/checkout", "/api/v1")]
    assert seen(*others, *[scope("10.0.0.5")] * MANY)
    assert not seen(*others * MANY)
