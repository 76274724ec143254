"""Follow an SPF record through what it includes, as a receiver does."""

import ipaddress
from contextlib import suppress
from dataclasses import dataclass, field

from app.base.dns_records import DnsRecords
from app.messaging.sender_rules import SpfRecord, SpfTerm, is_spf, parse_spf

MOST_LOOKUPS = 10
"""RFC 7208, 4.6.4: a record that needs more counts as broken."""
_FOLLOWED = 30
"""Lookups after which nothing is followed any more: it is broken by far, or includes itself."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True)
class SpfReading:
    """A domain's SPF records, and what they come to."""

    texts: list[str]
    lookups: int = 0
    """As receivers count them: each `include`, `a`, `mx`, `ptr`, `exists` and `redirect`."""
    includes: set[str] = field(default_factory=set)
    networks: list[Network] = field(default_factory=list)
    """Whose addresses may send."""
    errors: list[str] = field(default_factory=list)
    """For which receivers ignore it, in words."""
    everybody: bool = False

    def allows(self, address: str) -> bool:
        """Whether mail may come from this numeric address."""
        given = ipaddress.ip_address(address)
        return any(given in network for network in self.networks)


async def read_spf(dns: DnsRecords, domain: str) -> SpfReading:
    """The SPF records of a domain; where there are several the first one is followed.

    Raises `DnsUnknown`.
    """
    reading = SpfReading(sorted(text for text in await dns.texts(domain) if is_spf(text)))
    if reading.texts:
        record = parse_spf(reading.texts[0])
        reading.errors += record.errors
        await _follow(dns, domain, record, reading)
    return reading


async def _follow(dns: DnsRecords, domain: str, record: SpfRecord, reading: SpfReading) -> None:
    reading.everybody = reading.everybody or record.everybody
    for term in record.terms:
        if reading.lookups > _FOLLOWED:
            return
        if term.name == "include":
            reading.includes.add(term.value)
            await _include(dns, term.value, reading)
        elif term.name in ("a", "mx", "ptr", "exists"):
            reading.lookups += 1
        if term.qualifier == "+":
            reading.networks += await _networks(dns, domain, term)
    if record.redirect is not None and reading.lookups <= _FOLLOWED:
        await _include(dns, record.redirect, reading)


async def _include(dns: DnsRecords, domain: str, reading: SpfReading) -> None:
    reading.lookups += 1
    if "%" in domain:
        return
    texts = [text for text in await dns.texts(domain) if is_spf(text)]
    if len(texts) != 1:
        found = "no SPF record" if not texts else f"{len(texts)} SPF records"
        reading.errors.append(f"it includes {domain}, which has {found}")
        return
    record = parse_spf(texts[0])
    reading.errors += [f"in {domain}, which it includes, {error}" for error in record.errors]
    await _follow(dns, domain, record, reading)


async def _networks(dns: DnsRecords, domain: str, term: SpfTerm) -> list[Network]:
    """The networks of `ip4`, `ip6`, `a` and `mx`; none where one cannot be read."""
    value, _, lengths = term.value.partition("/")
    host = value or domain
    if term.name in ("ip4", "ip6"):
        addresses = [host]
    elif "%" in host:
        addresses = []
    elif term.name == "a":
        addresses = await dns.addresses(host)
    elif term.name == "mx":
        hosts = [each for each in await dns.exchanges(host) if each]
        addresses = [each for exchange in hosts[:MOST_LOOKUPS] for each in await dns.addresses(exchange)]
    else:
        addresses = []
    # `/24` is of IPv4 addresses, `//64` of IPv6 ones; `ip6` has a single slash.
    four, _, six = lengths.partition("//") if not lengths.startswith("/") else ("", "", lengths[1:])
    networks: list[Network] = []
    for address in addresses:
        length = (six or (four if term.name == "ip6" else "")) if ":" in address else four
        with suppress(ValueError):
            networks.append(ipaddress.ip_network(f"{address}/{length}" if length else address, strict=False))
    return networks
