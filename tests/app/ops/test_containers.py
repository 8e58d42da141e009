"""
The container files: what they name exists, and their commands start the gateway.

`.ci/run` also builds and starts them where a container engine runs.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from cryptography.fernet import Fernet

from app.config import NAMES, Settings
from tests.support.gateway import ROOT, free_port
from tests.support.redis import private_redis

OPS = ROOT / "app" / "ops"
COMPOSE: dict[str, Any] = yaml.safe_load((OPS / "compose.yml").read_text())
GATEWAY = ("web", "worker")


def instructions() -> list[tuple[str, str]]:
    """Return (instruction, arguments) of the Dockerfile, lines that go on joined."""
    text = re.sub(r"^#.*\n", "", (OPS / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in instructions() if name == instruction]


class TestDockerfile:
    def test_what_is_copied_exists_and_is_not_ignored(self) -> None:
        ignored = (ROOT / ".dockerignore").read_text().split()
        sources = [shlex.split(copied)[:-1] for copied in arguments("COPY") if "--from" not in copied]

        for source in (each for copied in sources for each in copied):
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, source
        assert ignored[0] == "*"

    def test_two_stages_and_an_ordinary_user(self) -> None:
        names = [name for name, _ in instructions()]

        assert len(arguments("FROM")) == 2
        assert arguments("USER") == ["poolgate"]
        assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("COPY", "RUN"))

    def test_settings_exist(self) -> None:
        given = dict(each.split("=", 1) for each in shlex.split(arguments("ENV")[0]))
        settings = {name: value for name, value in given.items() if not name.startswith(("PATH", "PYTHON"))}

        assert set(settings) <= set(NAMES.values())
        read = Settings.from_environment(settings)
        assert (read.bind, read.port) == ("0.0.0.0", int(arguments("EXPOSE")[0]))
        assert str(read.home) == arguments("VOLUME")[0] == arguments("WORKDIR")[-1]

    def test_its_command_exists(self) -> None:
        from app.cli import main

        program, command = json.loads(arguments("CMD")[0])
        assert program == "poolgate"
        assert command in main.commands


class TestCompose:
    @pytest.mark.parametrize("name", GATEWAY)
    def test_a_service_of_the_gateway(self, name: str) -> None:
        service = COMPOSE["services"][name]

        assert set(service["environment"]) <= set(NAMES.values())
        assert (OPS / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        grace = int(service["stop_grace_period"].removesuffix("s"))
        assert grace > int(service["environment"]["GRACEFUL_TIMEOUT"])

    def test_what_services_refer_to_is_defined(self) -> None:
        for service in COMPOSE["services"].values():
            assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
            assert {volume.split(":")[0] for volume in service["volumes"]} <= set(COMPOSE["volumes"])
        host = COMPOSE["services"]["web"]["environment"]["REDIS_URL"].split("/")[2].split(":")[0]
        assert "healthcheck" in COMPOSE["services"][host]

    def test_ports_are_on_this_machine_alone(self) -> None:
        assert COMPOSE["services"]["web"]["ports"] == ["127.0.0.1:8000:8000"]

    def test_the_store_never_evicts(self) -> None:
        command = COMPOSE["services"]["store"]["command"]

        assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
        assert command[command.index("--appendonly") + 1] == "yes"


class TestCommands:
    """The commands of both files, in the environment of `POOLGATE_PRODUCT`, or from the tree."""

    @staticmethod
    def start(command: list[str], environ: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
        product = os.environ.get("POOLGATE_PRODUCT", "")
        programs = Path(product) / "bin" if product else Path(sys.executable).parent
        more = {} if product else {"PYTHONPATH": str(ROOT)}
        environ = {"PATH": f"{programs}:{os.environ['PATH']}", **environ, **more}
        return subprocess.Popen([str(programs / command[0]), *command[1:]], cwd=folder, env=environ)

    def test_they_start_and_the_health_check_succeeds(self, tmp_path: Path) -> None:
        port = str(free_port())
        check = json.loads(arguments("HEALTHCHECK")[0].partition("CMD ")[2])
        with private_redis() as url:
            environ = {
                "REDIS_URL": url,
                "POOLGATE_SECRET_KEYS": Fernet.generate_key().decode(),
                "POOLGATE_HOME": str(tmp_path),
                "POOLGATE_BIND": "127.0.0.1",
                "PORT": port,
                "GRACEFUL_TIMEOUT": "3",
            }
            running = [
                self.start(COMPOSE["services"][name]["command"], environ, tmp_path) for name in GATEWAY
            ]
            try:
                self.wait(f"http://127.0.0.1:{port}/health/ready")
                check[-1] = check[-1].replace("8000", port)
                assert self.start(check, environ, tmp_path).wait(30) == 0
                assert [process.poll() for process in running] == [None, None]
            finally:
                for process in running:
                    process.terminate()
                statuses = [process.wait(40) for process in running]
        assert statuses == [0, 0]

    @staticmethod
    def wait(address: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if requests.get(address, timeout=2).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.1)
        pytest.fail(f"{address} did not become ready")
