"""DNS records by name, with a time limit; that nobody answered is told apart from no record."""

from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from app.base.dns_server import DnsServer

SECONDS = 4.0
"""The longest that one question may take, all servers and repetitions included."""
_PAYLOAD = 1232
"""Bytes of an answer by UDP (the recommendation of DNS flag day 2020); longer ones come by TCP."""


class DnsUnknown(Exception):
    """No server has answered, so nothing is known about the name; the text says why."""


class DnsRecords:
    """Asks the machine's own name servers, or the one given; each question once.

    Every method raises `DnsUnknown` where nobody answers. Names may end with a dot. A name that
    does not exist has no records.
    """

    def __init__(self, server: DnsServer | None = None, *, seconds: float = SECONDS) -> None:
        self._server, self._seconds = server, seconds
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._known: dict[tuple[str, str], Sequence[str]] = {}

    async def texts(self, name: str) -> list[str]:
        """The texts of the TXT records, aliases followed; the parts of each are joined."""
        return [*await self._ask(name, "TXT")]

    async def addresses(self, name: str) -> list[str]:
        """Numeric addresses of both families."""
        return [*await self._ask(name, "A"), *await self._ask(name, "AAAA")]

    async def exchanges(self, name: str) -> list[str]:
        """The hosts of the MX records; the empty text is the null MX (RFC 7505)."""
        return [*await self._ask(name, "MX")]

    async def alias(self, name: str) -> str | None:
        """What the name is an alias of (CNAME), in lower case; None for a name that is none."""
        found = await self._ask(name, "CNAME")
        return found[0] if found else None

    async def _ask(self, name: str, kind: str) -> Sequence[str]:
        key = (name.rstrip(".").lower(), kind)
        if key not in self._known:
            self._known[key] = await self._resolve(*key)
        return self._known[key]

    async def _resolve(self, name: str, kind: str) -> Sequence[str]:
        try:
            answer = await self._open().resolve(f"{name}.", kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong):
            return ()
        except dns.resolver.LifetimeTimeout:
            raise DnsUnknown(f"no name server answered within {self._seconds:.0f} s") from None
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnknown(f"the name servers gave no answer ({type(error).__name__})") from None
        return [_text_of(kind, row) for row in answer]

    def _open(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            self._resolver = dns.asyncresolver.Resolver(configure=self._server is None)
            if self._server is not None:
                self._resolver.nameservers = [self._server.address]
                self._resolver.port = self._server.port
            self._resolver.lifetime = self._seconds
            self._resolver.use_edns(0, 0, _PAYLOAD)
        return self._resolver


def _text_of(kind: str, row: dns.rdata.Rdata) -> str:
    match kind:
        case "TXT":
            return b"".join(row.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]  # by its kind
        case "MX":
            return _name(row.exchange)  # type: ignore[attr-defined]  # by its kind
        case "CNAME":
            return _name(row.target)  # type: ignore[attr-defined]  # by its kind
        case _:
            return row.to_text()


def _name(name: dns.name.Name) -> str:
    """A name without its last dot, so the root is the empty text."""
    return name.to_text(omit_final_dot=True).lower().removeprefix(".")
