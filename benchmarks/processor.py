"""Processor time: on a shared machine it is more reliable than rates."""

from pathlib import Path

import psutil


def process_seconds(process_id: int) -> float:
    """Seconds of processor time that a process has used so far."""
    used = psutil.Process(process_id).cpu_times()
    return used.user + used.system


def database_seconds(home: Path) -> float:
    """The same of the embedded server below this home, ended processes included."""
    postmaster = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))
    own = postmaster.cpu_times()
    living = [child.cpu_times() for child in postmaster.children()]
    return own.children_user + own.children_system + sum(each.user + each.system for each in [own, *living])
