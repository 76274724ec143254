"""A name server on loopback, by UDP and TCP, which answers from a zone that the test fills."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class NameServer:
    """Rows are written as in a zone file: `server.add("shop.example", "TXT", "v=spf1 -all")`."""

    rows: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    silent: bool = False
    refuses: bool = False
    port: int = 0
    by_tcp: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self, name: str, kind: str, *values: str) -> None:
        for value in values:
            text = value
            if kind == "TXT":
                text = " ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))
            self.rows.setdefault((name, kind), []).append(text)

    def replace(self, name: str, kind: str, *values: str) -> None:
        self.rows.pop((name, kind), None)
        self.add(name, kind, *values)

    def answer(self, wire: bytes, most: int | None = None) -> bytes:
        query = dns.message.from_wire(wire)
        response = dns.message.make_response(query)
        [question] = query.question
        if self.refuses:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response.to_wire()
        name, kind = (
            question.name.to_text(omit_final_dot=True).lower(),
            dns.rdatatype.to_text(question.rdtype),
        )
        while (name, kind) not in self.rows and (alias := self.rows.get((name, "CNAME"))) and kind != "CNAME":
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", alias[0]))
            name = alias[0].rstrip(".")
        if rows := self.rows.get((name, kind)):
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *rows))
        elif not any(known == name or known.endswith(f".{name}") for known, _ in self.rows):
            response.set_rcode(dns.rcode.NXDOMAIN)
        packed = response.to_wire(max_size=65535)
        if most is not None and len(packed) > min(most, query.payload or 512):
            response.answer.clear()
            response.flags |= dns.flags.TC
            packed = response.to_wire()
        return packed


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, addr):
        if not self._server.silent:
            self._transport.sendto(self._server.answer(data, 1232), addr)


@asynccontextmanager
async def name_server():
    """Serve until the end of the block."""
    server = NameServer()

    async def stream(reader, writer):
        length = int.from_bytes(await reader.readexactly(2))
        packed = server.answer(await reader.readexactly(length))
        server.by_tcp += 1
        writer.write(len(packed).to_bytes(2) + packed)
        await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(server), ("127.0.0.1", 0))
    server.port = transport.get_extra_info("sockname")[1]
    streams = await asyncio.start_server(stream, "127.0.0.1", server.port)
    try:
        yield server
    finally:
        streams.close()
        transport.close()
