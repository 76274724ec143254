"""The image and compose file run safely, and their commands start with exactly their environment.

There is no Docker here, so both files are read and the same commands are run.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.constants import PROJECT, SECRET_KEY

DOCKERFILE = (PROJECT / "Dockerfile").read_text()
SERVICES: Mapping[str, Mapping[str, Any]] = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
EXACT = re.compile(r"[\w./-]+:\d+\.\d+(\.\d+)?(-[\w.-]+)?")
PUBLIC_URL = "https://nps.example"


def environment_of_the_image() -> dict[str, str]:
    """The variables that the last stage of the image sets, but for the path."""
    words = [
        word for line in re.findall(r"^ENV (.*)$", last_stage(), re.MULTILINE) for word in shlex.split(line)
    ]
    return {name: value for name, _, value in (word.partition("=") for word in words) if name != "PATH"}


def last_stage() -> str:
    return DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


def exec_form(instruction: str) -> list[str]:
    """The command of the last `CMD […]` after the instruction."""
    return json.loads(re.findall(rf"^{instruction}(\[.*\])$", last_stage(), re.MULTILINE)[-1])


def test_every_image_and_tool_has_its_exact_version():
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(stages) == 2
    for image in [*stages, *(service["image"] for service in SERVICES.values())]:
        assert EXACT.fullmatch(image), image
    assert re.search(r"pip install .*\buv==\d+\.\d+\.\d+$", DOCKERFILE, re.MULTILINE)


def test_the_image_runs_as_an_ordinary_user_in_production_mode():
    assert re.search(r"^USER (?!root|0)\w+$", last_stage(), re.MULTILINE)
    assert environment_of_the_image()["TENFOLD_ENV"] == "production"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_read_only_and_gains_no_privileges(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    if name != "database":
        assert service["environment"]["TENFOLD_ENV"] == "production"
        assert service["cap_drop"] == ["ALL"]


def test_the_web_alone_is_published_and_on_loopback_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"]}


def health(port: int) -> int:
    """The exit code of the image's own health check."""
    program, *words = exec_form(r"HEALTHCHECK .*CMD ")
    assert "/readyz" in words[-1]
    words[-1] = words[-1].replace(":8000/", f":{port}/")
    assert program == "python"
    return subprocess.run([sys.executable, *words], capture_output=True, check=False).returncode


def get(url: str) -> tuple[int, Mapping[str, str]]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


@pytest.mark.slow(seconds=20)
def test_the_services_commands_start_with_their_environment_and_write_the_journal_alone(
    database_url, tmp_path
):
    journal = Path(environment_of_the_image()["TENFOLD_JOURNAL_DIR"])
    assert all(f"journal:{journal}" in SERVICES[name]["volumes"] for name in ("migrate", "web", "worker"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def environment(name: str) -> dict[str, str]:
        of_service = {
            **SERVICES[name]["environment"],
            "TENFOLD_DATABASE_URL": database_url,
            "TENFOLD_JOURNAL_DIR": str(tmp_path / "journal"),
        }
        of_dotenv = {"TENFOLD_SECRET_KEY": SECRET_KEY, "TENFOLD_PUBLIC_URL": PUBLIC_URL}
        return {"PATH": os.environ["PATH"], **environment_of_the_image(), **of_dotenv, **of_service}

    def start(name: str, *more: str) -> subprocess.Popen[bytes]:
        program, *words = SERVICES[name]["command"]
        assert program == "tenfold"
        return subprocess.Popen(
            [Path(sys.executable).parent / program, *words, *more], env=environment(name), cwd=tmp_path
        )

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    assert start("migrate").wait(60) == 0
    assert health(port) != 0
    running = [start("worker"), start("web", "--port", str(port))]
    try:
        until = time.monotonic() + 60
        while not listens() or health(port) != 0:
            time.sleep(0.05)
            assert time.monotonic() < until
            assert [one.poll() for one in running] == [None, None]
        status, headers = get(f"http://127.0.0.1:{port}/healthz")
        assert (status, headers["strict-transport-security"]) == (200, "max-age=31536000")
        assert get(f"http://127.0.0.1:{port}/outbox")[0] == 401
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(60)
    assert list(tmp_path.iterdir()) == [tmp_path / "journal"]
    assert health(port) != 0


@pytest.mark.slow
def test_the_image_refuses_to_start_without_a_database(tmp_path):
    program, *words = exec_form("CMD ")
    done = subprocess.run(
        [shutil.which(program, path=str(Path(sys.executable).parent)), *words],
        env={"PATH": os.environ["PATH"], **environment_of_the_image()},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "TENFOLD_DATABASE_URL" in done.stderr
