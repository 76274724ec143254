"""Which name server is asked, as the setting `TENFOLD_DNS_SERVER` names it. Pure."""

import ipaddress
from dataclasses import dataclass

_PORT = 53


@dataclass(frozen=True, slots=True)
class DnsServer:
    """A name server, by its numeric address."""

    address: str
    port: int = _PORT


def parse_dns_server(text: str) -> DnsServer:
    """The server of `192.0.2.1`, `192.0.2.1:5353` or `[2001:db8::1]:5353`. Raises `ValueError`."""
    host, port = text, ""
    if text.startswith("[") and "]" in text:
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        address, number = ipaddress.ip_address(host), int(port or _PORT)
    except ValueError:
        raise ValueError("must be the numeric address of a name server, such as 192.0.2.1:53") from None
    if not 0 < number < 2**16:
        raise ValueError("must have a port between 1 and 65535")
    return DnsServer(str(address), number)
