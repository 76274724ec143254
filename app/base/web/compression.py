"""Compressed responses: pages and the API's as they are made, static files once a process.

A page that a browser gets by its cookie alone is left as it is: whoever can make that browser
request it with words of their own could learn from the sizes what else stands on it. A customer's
page is opened by the token in its address, and the API by a key, which no browser adds by itself.
"""

import gzip
import os
from pathlib import Path

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

MINIMUM_SIZE = 1024
"""Bytes; a shorter body fits one packet either way."""
_LEVEL = 5
"""Above it a page takes twice the time for one percent less."""
_AS_THEY_ARE = ("/admin", "/outbox", "/hooks/", "/static/", "/look/", "/media/", "/metrics")
"""Pages of a cookie, tiny responses, and files, which are compressed once."""
_TEXTS = ("text/", "application/javascript", "application/json", "image/svg+xml")


class CompressionMiddleware:
    """Compresses responses of at least `MINIMUM_SIZE` bytes for clients that accept gzip."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.compressed = GZipMiddleware(app, minimum_size=MINIMUM_SIZE, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the response is compressed on its way back."""
        as_it_is = scope["type"] != "http" or scope["path"].startswith(_AS_THEY_ARE)
        await (self.app if as_it_is else self.compressed)(scope, receive, send)


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
