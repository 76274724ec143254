"""The embedded database, shared by the processes of one home."""

import json
import subprocess
import sys
from pathlib import Path

import asyncpg

from app.base.embedded import start_embedded, stop_embedded

JOIN = "import sys; from pathlib import Path; from app.base.embedded import start_embedded; print(start_embedded(Path(sys.argv[1])))"


def join_and_leave(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", JOIN, str(home)], capture_output=True, text=True, timeout=120, check=False
    )


async def test_one_process_that_leaves_does_not_take_the_database_from_another(tmp_path: Path) -> None:
    url = start_embedded(tmp_path)
    try:
        # A process asks again and again; it must stay in the list of users none the less.
        assert start_embedded(tmp_path) == url
        visitor = join_and_leave(tmp_path)
        assert (visitor.returncode, visitor.stderr, visitor.stdout.strip()) == (0, "", url)
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
    finally:
        stop_embedded(tmp_path)


async def test_dead_processes_are_struck_from_the_list_of_users(tmp_path: Path) -> None:
    start_embedded(tmp_path)
    stop_embedded(tmp_path)
    users = tmp_path / "postgres" / ".handle_pids.json"
    users.write_text(json.dumps([2**22 + 1]))
    assert join_and_leave(tmp_path).returncode == 0
    assert 2**22 + 1 not in json.loads(users.read_text())
