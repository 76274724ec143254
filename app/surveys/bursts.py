"""Networks that sent a page a moment ago which nobody had read; each process notes its own."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from app.base import clock
from app.surveys.suspicion_rules import BURST_SECONDS

_MOST = 10_000
"""Networks that are known; the one noted longest ago is dropped first."""


@dataclass(slots=True)
class Bursts:
    """When each network sent such a page last."""

    monotonic: Callable[[], float] = clock.monotonic
    _at: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def note(self, network: str) -> bool:
        """Note one of this network; returns whether there was another within `BURST_SECONDS`."""
        moment = self.monotonic()
        before = self._at.pop(network, None)
        self._at[network] = moment
        if len(self._at) > _MOST:
            self._at.popitem(last=False)
        return before is not None and moment - before <= BURST_SECONDS


def is_public(host: str) -> bool:
    """Whether this is an address of the internet; a private one may be our own proxy's."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return False
