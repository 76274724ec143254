"""The built wheel works by itself: in a new environment, an empty directory and without
settings."""

import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.constants import PROJECT

pytestmark = pytest.mark.slow
UV = shutil.which("uv") or ""


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--wheel", "--quiet", "--out-dir", folder, cwd=PROJECT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_licence_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"app"}


def test_an_installed_wheel_plays_the_demo_in_an_empty_directory(wheel: Path, tmp_path: Path) -> None:
    environment, empty = tmp_path / "venv", tmp_path / "empty"
    empty.mkdir()
    run(UV, "venv", "--quiet", "--python", sys.executable, environment, cwd=empty)
    run(UV, "pip", "install", "--quiet", "--python", environment / "bin" / "python", wheel, cwd=empty)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tenfold = environment / "bin" / "tenfold"
    bare = {"PATH": os.defpath}
    out = run(tenfold, "demo", "--orders", "40", "--port", str(port), "--exit", cwd=empty, env=bare)
    summary = json.loads(out)
    assert summary["orders"] == 40
    assert min(summary[name] for name in ("surveys_sent", "answered", "codes", "redemptions")) > 0
    checked = run(
        tenfold, "invariants", "--json", cwd=empty, env={**bare, "TENFOLD_HOME": str(empty / ".tenfold-demo")}
    )
    assert json.loads(checked)["violations"] == []
