"""Whether all callers of a web process seem to be one: then all of them share one limit."""

from ipaddress import ip_address

from starlette.types import Scope

from app.base.log import logger

log = logger(__name__)

MANY = 200
"""Requests for customers' pages from one private address alone that are no one visitor's."""
_PAGES = ("/s/", "/p/", "/r/", "/u/")
"""Of customers, where guessing is limited by address."""
_FORWARDED = {b"x-forwarded-for", b"forwarded"}


class Peers:
    """The addresses that requests for customers' pages came from, in memory alone.

    A proxy whose `X-Forwarded-For` is not trusted makes them all one private address.
    """

    def __init__(self) -> None:
        self._first: str | None = None
        self._several = False
        self._count = 0
        self._forwarded = False

    def note(self, scope: Scope) -> None:
        """Note where a request comes from."""
        if self._several or not scope["path"].startswith(_PAGES):
            return
        host = scope["client"][0] if scope.get("client") else ""
        if self._first is not None and host != self._first:
            self._several = True
            return
        self._first = host
        self._count += 1
        self._forwarded = self._forwarded or any(name in _FORWARDED for name, _ in scope["headers"])
        if self._count == MANY and self.are_one:
            log.warning("all callers share one private address; set FORWARDED_ALLOW_IPS", address=host)

    @property
    def are_one(self) -> bool:
        """Whether many requests came, all from one private address.

        This machine's own counts only where it forwards others: else somebody tries the program.
        """
        if self._several or self._first is None or self._count < MANY:
            return False
        try:
            address = ip_address(self._first)
        except ValueError:
            return False
        return address.is_private and (self._forwarded or not address.is_loopback)


PEERS = Peers()
"""Of this process."""
