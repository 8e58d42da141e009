"""
Every block of code of the README and the guide is run, or checked in another way.

Shell is run page by page, with `poolgate` on the path. Another block that is not in `WAYS` fails the first
test: add it, with what runs it.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest
import yaml
from redis import Redis

from app.docs.guide import GROUPS
from tests.clients.agents import Codex, OpenCode
from tests.clients.conftest import DEMO_KEY
from tests.clients.installed import run
from tests.support.gateway import ROOT, PoolOfTest
from tests.support.guide import Block, block, blocks
from tests.support.redis import private_redis

CONTAINERS = "run by .ci/run where a container engine runs; tests/app/ops reads the files"
WAYS = {  # page and beginning of what is not run here as a part of its page's shell
    ("README", "OpenAI SDKs ──┐"): "a drawing",
    ("README", "python3 -m venv .venv && .venv/bin/pip i"): "run by .ci/run",
    ("getting-started", "python3 -m venv .venv && .venv/bin/pip i"): "the README's",
    ("alerts", '{"type": "alerts.changed", "timestamp":'): "parsed here",
    (
        "alerts",
        "def is_genuine(secret: str, headers: Map",
    ): "run by tests/app/operations/test_alert_delivery.py on real signatures",
    ("clients", 'model_provider = "poolgate"'): "used here by the Codex CLI",
    ("clients", "from openai import OpenAI"): "run here",
    ("clients", "{"): "used here by opencode",
    ("deploy", "map $http_upgrade $upgrade { websocket u"): "run by tests/service/test_nginx.py",
    ("deploy", "docker build -f app/ops/Dockerfile -t po"): CONTAINERS,
    ("deploy", "docker compose -f app/ops/compose.yml up"): CONTAINERS,
    ("setup-files", "version: 1"): "applied here by `poolgate apply`",
}
BEFORE = {  # what a page expects of the pages before it
    "model-routes": "poolgate key create --name ann\n"
    "poolgate account add compatible --name gpu1 --base-url DEMO\n"
    "poolgate account add compatible --name gpu2 --base-url DEMO",
    "security": "poolgate admin create bea",
    "usage": "poolgate key create --name ann",
}
MODEL = "gpt-5.5"
SHELL = [one for one in blocks() if one.language == "sh" and (one.page, one.title) not in WAYS]

pytestmark = pytest.mark.timeout(300)


def test_every_block_is_run_or_checked() -> None:
    others = {(one.page, one.title) for one in blocks() if one not in SHELL}

    assert others == set(WAYS)


@pytest.mark.parametrize("one", tuple(blocks()), ids=lambda one: f"{one.page}-{one.title[:20]}")
def test_data_can_be_read(one: Block) -> None:
    readers: dict[str, Any] = {"json": orjson.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}

    assert one.language in ("", "sh", "python", "nginx", *readers)
    if one.language in readers:
        assert readers[one.language](one.text)


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """A server of these tests' own: each page begins with an empty one."""
    with private_redis() as url:
        yield url


@pytest.fixture(scope="module")
def receiver() -> Iterator[str]:
    """The address of a server that accepts every message."""

    class Accepting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Accepting) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def environ(store: str, receiver: str, demo_url: str, tmp_path: Path) -> dict[str, str]:
    """The variables of a shell with `poolgate` on the path, and nothing in its store."""
    Redis.from_url(store).flushall()
    program = tmp_path / "bin" / "poolgate"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "from app.launcher import main; main()" "$@"\n'
    )
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "POOLGATE_HOME": str(tmp_path / "home"),
        "REDIS_URL": store,
        "OPENAI_BASE_URL": demo_url,
        "OPENAI_API_KEY": DEMO_KEY,
        "AZURE_OPENAI_API_KEY": DEMO_KEY,
        "GPU_TOKEN": "token",
        "OPERATOR_PASSWORD": "correct horse battery",
        "SLACK_URL": f"{receiver}/slack",
    }


def substituted(text: str, demo_url: str, receiver: str) -> str:
    """Return *text* with the addresses of its examples on this machine, and passwords without a terminal."""
    addresses = {
        "http://10.0.0.5:8000/v1": demo_url,
        "http://10.0.0.6:8000/v1": demo_url,
        "https://NAME.openai.azure.com/openai/v1": demo_url,
        "https://ops.example.com": receiver,
        "DEMO": demo_url,
    }
    for address, local in addresses.items():
        text = text.replace(address, local)
    return re.sub(r"^(poolgate admin create .*)$", r"\1 --password-env OPERATOR_PASSWORD", text, flags=re.M)


@pytest.mark.parametrize("page", sorted({one.page for one in SHELL}))
def test_shell(page: str, environ: Mapping[str, str], demo_url: str, receiver: str, tmp_path: Path) -> None:
    """The commands of a page, in their order."""
    texts = [one.text for one in SHELL if one.page == page]
    script = substituted("\n".join([BEFORE.get(page, ""), *texts]), demo_url, receiver)

    run(["bash", "-euxo", "pipefail", "-c", script], tmp_path, "", environ)


def test_the_shell_of_all_pages(
    environ: Mapping[str, str], demo_url: str, receiver: str, tmp_path: Path
) -> None:
    """A reader may run every command from the README to the end: no page adds what another one has added."""
    for page in ("README", *(name for names in GROUPS.values() for name in names)):
        script = substituted("\n".join(one.text for one in SHELL if one.page == page), demo_url, receiver)
        run(["bash", "-euxo", "pipefail", "-c", script], tmp_path, "", environ)


def test_a_set_up_is_applied(
    environ: Mapping[str, str], demo_url: str, receiver: str, tmp_path: Path
) -> None:
    (tmp_path / "setup.yaml").write_text(substituted(block("setup-files", "yaml"), demo_url, receiver))

    run(["poolgate", "apply", "setup.yaml"], tmp_path, "", environ)

    assert "research" in run(["poolgate", "team", "list"], tmp_path, "", environ)


@pytest.fixture
def ready(pool: PoolOfTest, demo_url: str) -> PoolOfTest:
    """A pool that has the model of the examples."""
    pool.account("a", demo_url, credential=DEMO_KEY, models=[MODEL], kind="compatible")
    return pool


def test_websocket_in_python(ready: PoolOfTest, tmp_path: Path) -> None:
    more = {"OPENAI_BASE_URL": f"{ready.gateway.url}/v1", "OPENAI_API_KEY": ready.key()}

    printed = run([sys.executable, "-c", block("clients", "python")], tmp_path, "", more)

    assert printed.count("simulated model") == 2


@pytest.mark.codex
def test_codex(ready: PoolOfTest, tmp_path: Path) -> None:
    config = f'model = "{MODEL}"\n' + block("clients", "toml").replace(
        "http://127.0.0.1:8000", ready.gateway.url
    )
    escaped = config.replace("{", "{{").replace("}", "}}")
    codex = Codex(tmp_path, f"{ready.gateway.url}/v1", ready.key(), config=escaped)

    status, events = codex.send_request("Hello")

    assert status == 0
    assert codex.texts(events)


@pytest.mark.codex
def test_opencode(ready: PoolOfTest, tmp_path: Path) -> None:
    opencode = OpenCode(tmp_path, f"{ready.gateway.url}/v1", ready.key(), MODEL)
    config = block("clients", "json").replace("http://127.0.0.1:8000", ready.gateway.url)
    (opencode.repository / "opencode.json").write_text(config)

    status, events = opencode.send_request("Hello")

    assert status == 0
    assert opencode.texts(events)
