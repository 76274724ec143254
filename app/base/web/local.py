"""Requests that a program on this machine makes to itself, by its own address."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers by which a proxy shows itself."""


def is_local(request: Request) -> bool:
    """Whether the caller is a program on this machine that was given a loopback address.

    Neither alone will do: a proxy on this machine forwards strangers' requests, and a page of a
    stranger can lead its own name to this machine.
    """
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        return ip_address(request.client.host).is_loopback and (
            host == "localhost" or ip_address(host).is_loopback
        )
    except ValueError:
        return False
