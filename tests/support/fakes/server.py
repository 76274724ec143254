"""What both fakes share: an HTTP server in the test's loop, recorded requests, faults, the vendor's
OpenAPI."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest

SPECS = Path(__file__).resolve().parents[2] / "specs"
"""The vendors' OpenAPI documents, cut down to what we call."""


class Fault(StrEnum):
    """How a call goes wrong; the `…_after` ones have accepted what was sent."""

    too_many = "429"
    refused = "400"
    unauthorised = "401"
    broken = "500"
    broken_after = "500 after accepting"
    hang_after = "hang after accepting"
    reset_after = "connection reset after accepting"
    reset = "connection reset"
    redirect = "302"
    garbage_after = "unreadable response after accepting"


@dataclass(frozen=True)
class Call:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes


class FakeProvider:
    """Use as `async with`; `url` is its address.

    `fail` scripts the next calls, `fault_of` decides by the call's number.
    """

    spec = ""

    def __init__(self, fault_of: Callable[[int], Fault | None] | None = None) -> None:
        self.calls: list[Call] = []
        self.url = ""
        self.seconds = 0.0
        """How long each call takes."""
        self.open_now = 0
        self.most_open = 0
        self._scripted: deque[Fault | None] = deque()
        self._fault_of = fault_of or (lambda _number: None)
        self._closing = asyncio.Event()

    def fail(self, *faults: Fault | None) -> None:
        """The next calls go wrong like this; None lets one through."""
        self._scripted.extend(faults)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=40 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._closing.set()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            call = Call(request.path, dict(request.headers), await request.read())
            self.calls.append(call)
            await asyncio.sleep(self.seconds)
            fault = self._scripted.popleft() if self._scripted else self._fault_of(len(self.calls))
            return await self._with_fault(request, call, fault)
        finally:
            self.open_now -= 1

    async def _with_fault(self, request: web.Request, call: Call, fault: Fault | None) -> web.StreamResponse:
        if fault in (Fault.too_many, Fault.refused, Fault.unauthorised, Fault.broken):
            return self.error_response(int(fault.value))
        if fault is Fault.redirect:
            return web.Response(status=302, headers={"Location": self.url})
        if fault is Fault.reset:
            return self._reset(request)
        response = self.respond(request, call)
        return (
            response
            if fault is None or response.status >= 400
            else await self._lose(request, response, fault)
        )

    async def _lose(self, request: web.Request, response: web.Response, fault: Fault) -> web.Response:
        if fault is Fault.broken_after:
            return self.error_response(500)
        if fault is Fault.reset_after:
            return self._reset(request)
        if fault is Fault.hang_after:
            await self._closing.wait()
        return web.Response(
            status=response.status, text="<html>not what you expect</html>", content_type="text/html"
        )

    def _reset(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def respond(self, request: web.Request, call: Call) -> web.Response:
        raise NotImplementedError

    def error_response(self, status: int) -> web.Response:
        raise NotImplementedError

    def spec_faults(self) -> list[str]:
        """What the vendor's own OpenAPI document finds wrong with the recorded calls."""
        return [str(fault) for call in self.calls for fault in _spec_faults(self.spec, call)]


@cache
def _load(name: str) -> OpenAPI:
    spec: dict[str, Any] = json.loads((SPECS / name).read_text())
    if name == "sendgrid_mail_send.json":
        # A known fault of the document: the real interface takes an object here, as it does per
        # personalization.
        schema = spec["components"]["requestBodies"]["PostMailSend"]["content"]["application/json"]["schema"]
        schema["properties"]["custom_args"] = {"type": "object"}
    for path in spec["paths"].values():
        path.pop("servers", None)
    spec["servers"] = [{"url": "http://provider.test"}]
    return OpenAPI.from_dict(spec)


def _spec_faults(name: str, call: Call) -> list[Exception]:
    content_type = call.headers["Content-Type"].partition(";")[0]
    request = MockRequest(
        "http://provider.test",
        "post",
        call.path,
        headers=call.headers,
        data=call.body,
        content_type=content_type,
    )
    try:
        _load(name).validate_request(request)
    except Exception as error:  # noqa: BLE001  # whatever it finds is reported
        causes = getattr(error.__cause__, "schema_errors", None)
        return list(causes) if causes else [error]
    return []
