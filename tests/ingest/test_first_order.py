"""The examples of docs/first-order.md are run as they stand, and their requests are accepted."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from app.base.paths import ROOT
from app.platforms.checkout.parse import _READERS

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAGE = (ROOT / "docs" / "first-order.md").read_text()
RUNNERS = {"python": ("python3", ".py"), "php": ("php", ".php"), "javascript": ("node", ".js")}


def example(language: str) -> str:
    """The page's one example in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


async def receive(run: list[str], environment: dict[str, str]) -> tuple[dict[str, str], bytes, bytes]:
    """Headers and body of the one request that a program sends, and what the program prints."""
    got: list[tuple[dict[str, str], bytes]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head)}
        got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hook = {"TENFOLD_HOOK": f"http://127.0.0.1:{port}/hooks/demo/checkout", "TENFOLD_SECRET": SECRET}
    process = await asyncio.create_subprocess_exec(
        *run, env=environment | hook, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed, _ = await process.communicate()
    server.close()
    assert process.returncode == 0, printed
    [(headers, body)] = got
    return headers, body, printed


@pytest.mark.parametrize("language", RUNNERS)
async def test_an_example_signs_an_order_that_is_accepted(language: str, tmp_path: Path):
    program, suffix = RUNNERS[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    source = tmp_path / f"example{suffix}"
    source.write_text(example(language))
    assert len([line for line in example(language).splitlines() if line.strip()]) <= 16
    headers, body, printed = await receive([program, str(source)], dict(os.environ))
    assert b"200" in printed
    event = Webhook(SECRET).verify(body, headers)
    assert event["type"] == "order.paid"
    assert {"id", "currency", "total"} <= event["data"].keys()


def test_every_type_of_event_is_on_the_page():
    for kind in _READERS:
        assert f"`{kind}`" in PAGE
