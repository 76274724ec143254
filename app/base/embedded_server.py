"""Starts, finds and stops the server of one data directory, with the programs of the wheel.

PostgreSQL refuses to run as root. As root it runs as the data directory's owner, by default a
system user of its own, and enters the directory by way of its working directory: so neither the
home nor any folder above it has to be opened to that user.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from app.base.embedded_access import SOCKET, socket_folder, write_access_rules
from app.base.embedded_programs import ServerFailure, account_of, find_programs

RECOVERY_SECONDS = 120
"""The longest that a start may take: after a crash the log is replayed first."""
_STOP_SECONDS = 60
_WORKING_DIRECTORY = "/proc/self/cwd"
_REASON = re.compile(r"(?:FATAL|PANIC|error): +([^\n]{1,300})")


class EmbeddedServer:
    """The server of one data directory. The caller has the home's lock."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.account = account_of(data)
        self.programs = find_programs(readable_by_others=self.account.uid != os.geteuid())

    def ensure_running(self) -> psutil.Process:
        """Return the running server; creates the data and starts it where necessary.

        It accepts connections then. Raises `ServerFailure`.
        """
        if not (self.data / "PG_VERSION").exists():
            self._create()
        changed = write_access_rules(self.data)
        deadline = time.monotonic() + RECOVERY_SECONDS
        while time.monotonic() < deadline:
            process = self.find_process()
            if process is None:
                self._launch()
            elif self._pid_lines()[7:8] == ["ready"]:
                if changed:
                    process.send_signal(signal.SIGHUP)
                return process
            else:
                time.sleep(0.1)
        raise ServerFailure(f"it was not ready after {RECOVERY_SECONDS} s; its log is {self.data / 'log'}")

    def find_process(self) -> psutil.Process | None:
        """Return the running server of this very directory, whatever `postmaster.pid` says."""
        lines = self._pid_lines()
        try:
            process = psutil.Process(int(lines[0]))
        except (IndexError, ValueError, psutil.NoSuchProcess):
            return None
        return process if _is_server_of(process, self.data) else None

    def stop(self) -> None:
        """Stop the server; at once if it does not stop within `_STOP_SECONDS`.

        Raises `ServerFailure`.
        """
        process = self.find_process()
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                if not _is_server_of(process, self.data):
                    return
                time.sleep(0.05)
        raise ServerFailure(f"process {process.pid} does not stop")

    def _pid_lines(self) -> list[str]:
        try:
            return [
                line.strip()
                for line in (self.data / "postmaster.pid").read_text(errors="replace").splitlines()
            ]
        except FileNotFoundError:
            return []

    def _create(self) -> None:
        """Create the data directory beside its place and move it there when it is whole."""
        draft = self.data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        os.chown(draft, self.account.uid, self.account.gid)
        done = self._run(
            draft,
            "initdb",
            f"--pgdata={_inside(draft)}",
            "--username=postgres",
            "--auth-local=peer",
            "--auth-host=reject",
            "--encoding=utf8",
            # The same everywhere, whatever languages the machine has.
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        )
        if done.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            raise ServerFailure(_reason(done.stdout, "initdb failed"))
        draft.rename(self.data)

    def _launch(self) -> None:
        """Start the server and wait for it. Raises `ServerFailure`.

        The lock files of a dead server are removed: PostgreSQL believes them as soon as any process
        has that number. It still refuses where a process of the dead server uses its shared memory;
        the caller then tries again.
        """
        for name in ("postmaster.pid", f"{SOCKET}.lock"):
            (self.data / name).unlink(missing_ok=True)
        log = self.data / "log"
        begin = log.stat().st_size if log.exists() else 0
        sockets = _inside(socket_folder(self.data))
        options = {
            "listen_addresses": "",
            "unix_socket_directories": sockets,
            "unix_socket_permissions": "0700",
            "tenfold.data": str(self.data),  # for people, and for who may not see its directory
        }
        words = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in options.items())
        done = self._run(
            self.data,
            *("pg_ctl", "--silent", "--wait", f"--timeout={RECOVERY_SECONDS}", "--log=log"),
            *("-D", _inside(self.data), "-o", words, "start"),
        )
        if done.returncode == 0:
            return
        with log.open(errors="replace") if log.exists() else open(os.devnull) as lines:  # noqa: PTH123
            lines.seek(begin)
            reason = _reason(lines.read(), f"its log is {log}")
        if "still in use" not in reason and "already exists" not in reason:
            raise ServerFailure(reason)
        time.sleep(0.2)

    def _run(self, folder: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        other = self.account.uid != os.geteuid()
        try:
            return subprocess.run(  # noqa: S603  # our own words
                [self.programs / program, *words],
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=RECOVERY_SECONDS + 10,
                check=False,
                start_new_session=True,
                user=self.account.uid if other else None,
                group=self.account.gid if other else None,
                extra_groups=[] if other else None,
            )
        except subprocess.TimeoutExpired:
            raise ServerFailure(f"{program} took more than {RECOVERY_SECONDS} s") from None


def _inside(folder: Path) -> str:
    """How a program that works in the folder names it.

    By this name it can be entered whatever the folders above it allow, however long its path is.
    """
    return _WORKING_DIRECTORY if sys.platform == "linux" else str(folder)


def _reason(output: str, default: str) -> str:
    """The last failure that a program reported."""
    found = _REASON.findall(output)
    return found[-1].strip().rstrip(".") if found else default


def _is_server_of(process: psutil.Process, data: Path) -> bool:
    """Whether the process is the PostgreSQL server that works in this directory.

    A number in `postmaster.pid` proves nothing: after a restart any process may have it.
    """
    try:
        if process.status() == psutil.STATUS_ZOMBIE or process.uids().real != data.stat().st_uid:
            return False
        return Path(process.exe()).name == "postgres" and data.samefile(process.cwd())
    except psutil.AccessDenied:
        # Root in a container may not trace other users' processes, but read their command line.
        command = process.cmdline()
        return Path(command[0]).name == "postgres" and any(str(data) in word for word in command[1:])
    except (psutil.NoSuchProcess, OSError):
        return False
