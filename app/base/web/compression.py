"""Compressed responses: pages and the API's as they are made, static files once a process.

A page that a browser gets by its cookie alone is left as it is: whoever can make that browser
request it with words of their own could learn from the sizes what else stands on it. A customer's
page is opened by the token in its address, and the API by a key, which no browser adds by itself.
"""

import gzip
import os
import struct
import zlib
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware, GZipResponder
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MINIMUM_SIZE = 1024
"""Bytes; a shorter body fits one packet either way."""
_LEVEL = 5
"""Above it a page takes twice the time for one percent less."""
_AS_THEY_ARE = ("/admin", "/outbox", "/hooks/", "/static/", "/look/", "/media/", "/metrics")
"""Pages of a cookie, tiny responses, and files, which are compressed once."""
_WHOLE = (b"text/html", b"text/plain", b"application/json")
"""Types of bodies that come whole."""
_AT_ONCE = 64 * 1024
"""Bytes; the framework compresses more in a thread, so that others need not wait."""
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Of a stream without a name or a time (RFC 1952)."""
_PAGE = b"<!doctype html>"
_PARTIAL = 206
_TEXTS = ("text/", "application/javascript", "application/json", "image/svg+xml")


class CompressionMiddleware:
    """Compresses responses of at least `MINIMUM_SIZE` bytes for clients that accept gzip."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.compressed = GZipMiddleware(app, minimum_size=MINIMUM_SIZE, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the response is compressed on its way back."""
        if scope["type"] != "http" or scope["path"].startswith(_AS_THEY_ARE):
            await self.app(scope, receive, send)
        elif any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"]):
            await self.app(scope, receive, _Packing(self.app, send).send)
        else:
            await self.compressed(scope, receive, send)


class _Packing:
    """One response on its way: a text that comes whole is compressed here, at once.

    The framework's own responder does the same for any response, in twice the time. What is not a
    whole text goes through it.
    """

    __slots__ = ("_app", "_send", "_start", "_through")

    def __init__(self, app: ASGIApp, send: Send) -> None:
        self._app = app
        self._send = send
        self._start: Message | None = None
        """The response's status and headers, until its body is known."""
        self._through: GZipResponder | None = None

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
        if self._through is not None:
            await self._through.send_with_compression(message)
        elif message["type"] == "http.response.start":
            self._start = message
        elif self._start is not None and _is_whole_text(self._start, message):
            await self._send_packed(self._start, message["body"])
        else:
            self._through = GZipResponder(self._app, MINIMUM_SIZE, _LEVEL)
            self._through.send = self._send
            if self._start is not None:
                await self._through.send_with_compression(self._start)
            await self._through.send_with_compression(message)

    async def _send_packed(self, start: Message, body: bytes) -> None:
        packed = _packed(body)
        kept = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        length = (b"content-length", str(len(packed)).encode())
        start["headers"] = [*kept, length, (b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": packed})


def _packed(body: bytes) -> bytes:
    """The body by gzip; a stylesheet in a page is compressed once a process."""
    if body.startswith(_PAGE):
        head, opening, rest = body.partition(b"<style>")
        style, closing, tail = rest.partition(b"</style>")
        if closing:
            parts = (_deflated(head + opening), _packed_style(style), _deflated(closing + tail, is_last=True))
            check = struct.pack("<LL", zlib.crc32(body), len(body))
            return b"".join((_GZIP_HEADER, *parts, check))
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


def _deflated(part: bytes, *, is_last: bool = False, level: int = _LEVEL) -> bytes:
    """A part of a stream, which refers to no other part and ends at a whole byte."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(part) + packer.flush(zlib.Z_FINISH if is_last else zlib.Z_FULL_FLUSH)


@lru_cache(maxsize=512)
def _packed_style(style: bytes) -> bytes:
    return _deflated(style, level=9)


def _is_whole_text(start: Message, message: Message) -> bool:
    """Whether this is all of a text that is worth compressing here and now."""
    if message["type"] != "http.response.body" or message.get("more_body"):
        return False
    headers = dict(start["headers"])
    return (
        MINIMUM_SIZE <= len(message.get("body", b"")) <= _AT_ONCE
        and start["status"] != _PARTIAL
        and headers.get(b"content-type", b"").startswith(_WHOLE)
        and b"content-encoding" not in headers
        and b"vary" not in headers
    )


class CompressedFiles(StaticFiles):
    """Static files; a text is compressed when it is first asked for, and kept in memory."""

    def __init__(self, directory: Path | str) -> None:
        super().__init__(directory=directory)
        self._kept: dict[str, tuple[float, bytes]] = {}

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The file, compressed where it is a text and the client accepts gzip."""
        plain = super().file_response(full_path, stat_result, scope, status_code)
        media_type = plain.headers.get("content-type", "")
        if isinstance(plain, NotModifiedResponse) or not media_type.startswith(_TEXTS):
            return plain
        # Weak: one file has two forms, which are the same to whoever asks whether it changed.
        headers = {
            "Content-Type": media_type,
            "ETag": f"W/{plain.headers['etag']}",
            "Last-Modified": plain.headers["last-modified"],
            "Vary": "Accept-Encoding",
        }
        if "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            plain.headers.update(headers)
            return plain
        body = self._compressed(str(full_path), stat_result.st_mtime)
        return Response(body, status_code, headers | {"Content-Encoding": "gzip"})

    def _compressed(self, path: str, changed_at: float) -> bytes:
        kept = self._kept.get(path)
        if kept is None or kept[0] != changed_at:
            kept = self._kept[path] = (changed_at, gzip.compress(Path(path).read_bytes(), 6))
        return kept[1]
