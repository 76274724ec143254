"""What `tenfold doctor` checks outside of the rows: variables, disks, connections."""

from __future__ import annotations

import difflib
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from app.base.config import Settings

PREFIX = "TENFOLD_"
OF_COMMANDS = {"TENFOLD_WEBHOOK_SECRET", "TENFOLD_SHOP_CREDENTIALS"}
"""Variables that a command reads and that are no settings."""
LEAST_FREE_BYTES = 2**30
LEAST_FREE_SHARE = 0.05
MOST_CONNECTIONS_SHARE = 0.8


def variable_problems(env_file: Path) -> list[str]:
    """Variables of ours, in the environment or in `.env`, that no setting reads."""
    from app.base.config import Settings

    names = set(os.environ)
    if env_file.is_file():
        lines = env_file.read_text(errors="replace").splitlines()
        names |= {line.partition("=")[0].removeprefix("export ").strip() for line in lines if "=" in line}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    problems = []
    for name in sorted(name for name in names if name.upper().startswith(PREFIX)):
        if name.upper() not in known | OF_COMMANDS:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            problems.append(f"{name} is no setting" + (f"; do you mean {near[0]}?" if near else "."))
    return problems


WEB_SECONDS = 3.0
LARGEST_ANSWER = 4 * 2**20


def web_problems(settings: Settings) -> list[str]:
    """What a running web process has seen of its callers; nothing where none is reached.

    It is asked at `TENFOLD_PUBLIC_URL`, as its callers do.
    """
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import urlopen

    from app.cli import console

    url = f"{settings.public_url}/metrics"
    try:
        with urlopen(url, timeout=WEB_SECONDS) as answer:  # noqa: S310  # settings allow http and https
            text = answer.read(LARGEST_ANSWER).decode("utf-8", "replace")
    except (URLError, OSError, ValueError, HTTPException):
        console.print_note(
            f"No web process was reached at {settings.public_url}, so its callers are unknown."
        )
        return []
    if "tenfold_callers_share_one_peer 1.0" not in text.splitlines():
        return []
    sentence = (
        "All callers of customers' pages have one private address, so that one who guesses links locks all"
        " others out. Tell the web process whose X-Forwarded-For it may trust: FORWARDED_ALLOW_IPS=ADDRESS"
        " of your proxy."
    )
    return [sentence]


def disk_problems(settings: Settings) -> list[str]:
    """Disks of the home and the journal that are nearly full."""
    folders = {"TENFOLD_HOME": settings.home, "the journal": settings.journal_path}
    problems = []
    for name, folder in folders.items():
        existing = next((each for each in (folder, *folder.absolute().parents) if each.exists()), None)
        if existing is None:
            continue
        usage = shutil.disk_usage(existing)
        if usage.free < min(LEAST_FREE_BYTES, usage.total * LEAST_FREE_SHARE):
            problems.append(
                f"The disk of {name} ({folder}) has {usage.free // 2**20} MiB left. Free some space:"
                " where the journal cannot be written nothing is sent."
            )
    return problems


async def connection_problems(connection: AsyncConnection) -> list[str]:
    """Whether the database's connections are nearly used up."""
    from sqlalchemy import text

    used, most = (
        await connection.execute(
            text(
                "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
                " current_setting('max_connections')::int"
            )
        )
    ).one()
    if used <= most * MOST_CONNECTIONS_SHARE:
        return []
    return [
        (
            f"{used} of the database's {most} connections are used. Run fewer processes, or raise its"
            " max_connections."
        )
    ]
