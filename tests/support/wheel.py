"""The built wheel, and the program of an environment that it alone is installed in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.constants import PROJECT
from tests.support.databases import RUN

UV = shutil.which("uv") or ""


def _run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The wheel of the project: built by the first worker that asks, for all of them."""
    folder = Path(os.environ[RUN]) / "wheel"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            _run(UV, "build", "--wheel", "--quiet", "--out-dir", folder, cwd=PROJECT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `tenfold` of a new environment that has the wheel and what it requires, no more."""
    # On the disk, where the installer's cache is: there it links files rather than copies them.
    environment = tmp_path_factory.mktemp("installed") / "venv"
    _run(UV, "venv", "--quiet", "--python", sys.executable, environment, cwd=PROJECT)
    _run(UV, "pip", "install", "--quiet", "--python", environment / "bin" / "python", wheel, cwd=PROJECT)
    return environment / "bin" / "tenfold"
