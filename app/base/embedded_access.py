"""Who may connect to the embedded server: its socket, its rules, and the address for clients."""

import hashlib
import os
import pwd
import stat
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from app.base.errors import AppError

SOCKET = ".s.PGSQL.5432"
_TEMPORARY = Path("/tmp")  # noqa: S108  # a folder in it is checked to be our own
_SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
"""Bytes of a socket's path (`sun_path`, less the closing zero byte)."""
_RULES = """\
# Written by Tenfold at each start. Only the operating system's users in pg_ident.conf may connect.
local all all peer map=tenfold
local replication all peer map=tenfold
"""


def address_of(data: Path) -> str:
    """The address of the server with this data directory, for a process of this user."""
    return f"postgresql://postgres@/postgres?host={quote(str(socket_folder(data)))}"


def socket_folder(data: Path) -> Path:
    """The folder below which clients find the socket.

    It is the data directory. Where that path is too long for a socket, it is a link to it in a
    folder of this user with mode 0700. Raises `AppError` (`socket_path_too_long`) where such a
    folder cannot be had.
    """
    if _fits(data):
        return data
    name = f"tenfold-{os.geteuid()}"
    link_name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    for parent in (Path(tempfile.gettempdir()), _TEMPORARY):
        link = parent / name / link_name
        if _fits(link) and _is_private(link.parent):
            if not link.is_symlink() or link.readlink() != data:
                link.unlink(missing_ok=True)
                link.symlink_to(data)
            return link
    raise AppError(
        "socket_path_too_long",
        f"The path {data} is too long for a socket ({_SOCKET_PATH_LIMIT} bytes with {SOCKET}), and "
        f"{_TEMPORARY / name} is not a folder of this user alone; set TENFOLD_HOME to a shorter path.",
        status=503,
    )


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET)) <= _SOCKET_PATH_LIMIT


def _is_private(folder: Path) -> bool:
    """Create the folder if it is not there; whether only this user can enter it."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError:
        return False
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def write_access_rules(data: Path) -> bool:
    """Let only the data directory's owner and root connect; returns whether a file changed."""
    users = [f"tenfold {name} postgres\n" for name in _names({data.stat().st_uid, 0})]
    changed = [_write(data / "pg_hba.conf", _RULES), _write(data / "pg_ident.conf", "".join(users))]
    return any(changed)


def _names(uids: set[int]) -> list[str]:
    """Quoted names of these users; one that the system does not know cannot be let in."""
    names = []
    for uid in sorted(uids):
        try:
            names.append('"' + pwd.getpwuid(uid).pw_name.replace('"', '""') + '"')
        except KeyError:
            continue
    return names


def _write(path: Path, text: str) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    owner = path.parent.stat()
    os.chown(draft, owner.st_uid, owner.st_gid)
    draft.replace(path)
    return True


def access_problems(data: Path) -> list[str]:
    """What lets other users of the machine at the data; a sentence each, with the remedy."""
    problems = [
        f"Other users of this machine can open {path}. Run: chmod go= {path}"
        for path in (data.parent, data, data / SOCKET, data.parent / "secret_key")
        if path.exists() and path.stat().st_mode & 0o077
    ]
    rules = data / "pg_hba.conf"
    if rules.exists() and rules.read_text() != _RULES:
        problems.append(
            f"{rules} was changed and may let other users in. Restart Tenfold: it writes the file."
        )
    return problems
