"""The embedded database: shared by the processes of one home, closed to everybody else."""

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil
import pytest

from app.base import embedded_access
from app.base.embedded import embedded_problems, start_embedded, stop_embedded
from app.base.embedded_programs import find_programs
from app.base.errors import AppError
from app.base.schema import migrate

JOIN = "import sys; from pathlib import Path; from app.base.embedded import start_embedded; print(start_embedded(Path(sys.argv[1])), flush=True)"
WORKER_IS_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'listen%'"
STAY = f"{JOIN}; sys.stdin.read()"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home with a data directory, closed to others like the folder above it; no server runs."""
    closed = Path(tempfile.mkdtemp(prefix="tenfold-closed-"))
    folder = closed / "home"
    start_embedded(folder)
    stop_embedded(folder)
    yield folder
    shutil.rmtree(closed)


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    """The address of the home's server while this process uses it."""
    yield start_embedded(home)
    stop_embedded(home)


def process(program: str, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def number_of(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(number_of(home))


def runs(home: Path) -> bool:
    return (home / "postgres" / "postmaster.pid").exists()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_one_process_that_leaves_does_not_take_the_database_from_another(home, url):
    assert start_embedded(home) == url
    visitor = process(JOIN, home)
    assert visitor.communicate(timeout=60) == (f"{url}\n", "")
    assert await ask(url, "SELECT 1") == 1


def test_a_killed_process_is_no_user_so_the_last_living_one_stops_the_server(home, url):
    visitor = process(STAY, home)
    assert visitor.stdout.readline() == f"{url}\n"
    stop_embedded(home)
    assert runs(home)
    start_embedded(home)
    visitor.kill()
    visitor.communicate()
    stop_embedded(home)
    assert not runs(home)


def test_the_last_process_stops_the_server_at_its_exit(home):
    visitor = process(JOIN, home)
    assert visitor.communicate(timeout=60)[1] == ""
    assert not runs(home)


@pytest.mark.slow
async def test_a_server_that_was_killed_is_started_again_with_its_data(home, url):
    await ask(url, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1")
    first = postmaster(home)
    first.kill()
    psutil.wait_procs([first], timeout=10)
    assert start_embedded(home) == url
    assert await ask(url, "SELECT count(*) FROM kept") == 1


@pytest.fixture
def innocent(home: Path) -> Iterator[Callable[..., psutil.Process]]:
    """Start a process of the server's own user that has nothing to do with the server."""
    started: list[subprocess.Popen[bytes]] = []
    owner = (home / "postgres").stat()
    other = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}

    def start(program: str, folder: Path) -> psutil.Process:
        started.append(subprocess.Popen([program, "300"], cwd=folder, **other))
        return psutil.Process(started[-1].pid)

    yield start
    for one in started:
        one.kill()
        one.wait()


def test_a_process_that_has_the_dead_servers_number_is_left_alone(home, innocent, tmp_path):
    data = home / "postgres"
    tmp_path.parent.chmod(0o711)
    tmp_path.chmod(0o755)
    namesake = tmp_path / "postgres"
    shutil.copy(shutil.which("sleep"), namesake)
    for program, folder in (("sleep", data), (str(namesake), tmp_path)):
        other = innocent(program, folder)
        lines = [str(other.pid), str(data), "1", "5432", str(data), "", "1 1", "ready"]
        (data / "postmaster.pid").write_text("\n".join(lines) + "\n")
        (data / ".s.PGSQL.5432.lock").write_text("\n".join(lines) + "\n")
        start_embedded(home)
        assert number_of(home) != other.pid
        stop_embedded(home)
        assert other.is_running()
        assert other.status() != psutil.STATUS_ZOMBIE


def test_no_folder_is_opened_to_other_users(home, url):
    closed = [home.parent, home, home / "postgres", home / "postgres" / ".s.PGSQL.5432"]
    assert [mode(path) for path in closed] == [0o700] * 4
    assert embedded_problems(home) == []


def test_the_doctor_names_what_other_users_could_open(home, url):
    home.chmod(0o755)
    try:
        assert embedded_problems(home) == [
            f"Other users of this machine can open {home}. Run: chmod go= {home}"
        ]
        start_embedded(home)
        assert mode(home) == 0o755, "a mode that somebody chose is reported, not changed"
    finally:
        home.chmod(0o700)


@AS_ROOT
def test_another_user_is_refused_even_where_every_folder_is_open(home, url):
    data = home / "postgres"
    opened = [home.parent, home, data, data / ".s.PGSQL.5432"]
    nobody = pwd.getpwnam("nobody")
    psql = find_programs(readable_by_others=True) / "psql"
    try:
        for path in opened:
            path.chmod(0o777)
        done = subprocess.run(
            [psql, "-X", "-h", str(data), "-U", "postgres", "-c", "SELECT 1"],
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            cwd="/",
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for path in opened:
            path.chmod(0o700)
    assert done.returncode == 2
    assert "Peer authentication failed" in done.stderr


async def test_a_home_of_an_earlier_version_loses_its_trust(home):
    rules = home / "postgres" / "pg_hba.conf"
    rules.write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n")
    assert any("pg_hba.conf" in problem for problem in embedded_problems(home))
    url = start_embedded(home)
    try:
        assert await ask(url, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules") == "peer"
        assert await ask(url, "SHOW listen_addresses") == ""
    finally:
        stop_embedded(home)


def test_a_home_with_a_long_path_has_its_socket_behind_a_folder_of_this_user(home, tmp_path):
    far = tmp_path / ("x" * 120) / "home"
    far.parent.mkdir(mode=0o700)
    shutil.copytree(home, far, symlinks=True)
    owner = (home / "postgres").stat()
    for path in (far / "postgres", *(far / "postgres").rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    url = start_embedded(far)
    try:
        folder = Path(parse_qs(urlsplit(url).query)["host"][0])
        assert len(str(folder / ".s.PGSQL.5432")) <= 107
        assert mode(folder.parent) == 0o700
        assert folder.samefile(far / "postgres")
        assert asyncio.run(ask(url, "SELECT 1")) == 1
    finally:
        stop_embedded(far)


@pytest.mark.parametrize("trap", ["open folder", "link"])
def test_a_long_path_is_refused_where_another_user_made_the_folder_first(tmp_path, monkeypatch, trap):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(embedded_access, "_TEMPORARY", tmp_path)
    folder = tmp_path / f"tenfold-{os.geteuid()}"
    if trap == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "theirs")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(AppError, match="set TENFOLD_HOME to a shorter path") as refused:
        embedded_access.socket_folder(Path("/" + "x" * 120))
    assert refused.value.code == "socket_path_too_long"


@AS_ROOT
def test_programs_in_a_closed_folder_are_copied_for_the_servers_user(tmp_path):
    tmp_path.parent.chmod(0o711)
    tmp_path.chmod(0o711)
    (tmp_path / "closed").mkdir(mode=0o700)
    packages = tmp_path / "closed" / "site-packages"
    packages.symlink_to(find_programs(readable_by_others=False).parents[2])
    for _ in range(2):
        found = find_programs(readable_by_others=True, cache=tmp_path / "cache", packages=packages)
        done = subprocess.run([found / "initdb", "--version"], user="nobody", capture_output=True, check=True)
        assert b"PostgreSQL" in done.stdout
        assert found.is_relative_to(tmp_path / "cache")
    assert mode(tmp_path / "closed") == 0o700


@pytest.mark.slow
def test_processes_that_start_together_in_a_new_home_share_one_server(tmp_path):
    visitors = [process(STAY, tmp_path / "new") for _ in range(3)]
    assert len({visitor.stdout.readline() for visitor in visitors}) == 1
    assert mode(tmp_path / "new") == 0o700
    for visitor in visitors:
        assert visitor.communicate("", timeout=60)[1] == ""
    assert not runs(tmp_path / "new")


@pytest.mark.slow
def test_a_running_worker_starts_a_killed_server_again(home):
    asyncio.run(migrate(start_embedded(home)))
    environment = {"PATH": os.environ["PATH"], "TENFOLD_HOME": str(home)}
    worker = subprocess.Popen(
        [Path(sys.executable).parent / "tenfold", "worker"], env=environment, cwd=home, stderr=subprocess.PIPE
    )
    try:
        until = time.monotonic() + 60
        while asyncio.run(ask(start_embedded(home), WORKER_IS_CONNECTED)) == 0:
            assert time.monotonic() < until
        first = postmaster(home)
        first.kill()
        while not runs(home) or number_of(home) == first.pid:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert asyncio.run(ask(start_embedded(home), "SELECT 1")) == 1
    finally:
        worker.terminate()
        errors = worker.communicate(timeout=60)[1]
        stop_embedded(home)
    assert worker.returncode == 0, errors
    assert not runs(home)


def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AppError, match="set TENFOLD_HOME to a folder of this user") as refused:
        start_embedded(tmp_path / "file" / "home")
    assert refused.value.code == "home_unusable"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB, where this machine allows to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_true_sentence(small_disk):
    with pytest.raises(AppError, match=f"The disk that holds {small_disk} is full"):
        start_embedded(small_disk)
    assert not (small_disk / "postgres").exists()
