"""`poolgate up --demo`, whole: real gunicorn, worker, private server and simulated upstream."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from app.cli import main
from app.cli.initial_setup import Prepared
from app.cli.up import build_greeting
from app.config import Settings
from app.stores.private_server_supervisor import pid_of_server
from tests.bench.processes import proportional_mib, tree
from tests.support.ports import free_port
from tests.support.processes import eventually, is_alive, with_argument
from tests.support.redis import short_folder

RUN = "from app.cli import main; main()"
ROOT = Path(__file__).parents[3]
# PSS with one web worker: measured 11 and 167, where only the dependencies of Poolgate are installed
MAX_SUPERVISOR_MIB, MAX_IDLE_MIB = 20, 205


class Up:
    """A start of `poolgate up --demo`, from a folder of the user's own, up to its last printed line."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, "up", "--demo", "--port", str(free_port()), "--workers", "1"],
            cwd=home,
            # with a key of OpenAI, as many shells have it: the demo must not use it
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "POOLGATE_HOME": str(home),
                "OPENAI_API_KEY": "sk-unused",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("curl "):
                break

    @property
    def key(self) -> str:
        (line,) = (line for line in self.lines if line.startswith("  key "))
        return line.removeprefix("  key  ")

    def call(self, key: str) -> str:
        """Do what the printed curl line does, and return what it would show."""
        _, _, url, *options = shlex.split(self.lines[-1].replace("$POOLGATE_KEY", key))
        given = list(zip(options[::2], options[1::2], strict=True))
        headers = dict(value.split(": ", 1) for option, value in given if option == "-H")
        (body,) = (value for option, value in given if option == "-d")
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.request("POST", urlsplit(url).path, body, headers)
        response = connection.getresponse().read().decode()
        connection.close()
        return response

    def children(self) -> dict[str, int]:
        """Child name -> pid, by what each was started as."""
        found = {}
        task = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        for pid in Path(task).read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):  # reaped meanwhile
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                if command[1:2] == ["-m"]:  # neither dead nor still on its way to exec
                    found[command[2]] = int(pid)
        return found


@pytest.fixture
def up() -> Iterator[Callable[[], Up]]:
    started: list[Up] = []
    with short_folder() as home:

        def up() -> Up:
            started.append(Up(home))
            return started[-1]

        yield up
        for one in started:
            one.process.kill()
            one.process.communicate()
        assert eventually(lambda: not with_argument(home)), "the private server outlived its owners"


def spoken(stream: str) -> str:
    chunks = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


def test_the_first_start_prints_a_line_that_works_and_the_next_does_not_repeat_the_key(up):
    first = up()
    key = re.match(r"sk-pg-default-\w{43}", first.key)[0]
    response = first.call("unused: the line has the key")
    assert 'You wrote: "Hello"' in spoken(response)
    assert response.endswith("data: [DONE]\n\n")
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(30) == 0

    second = up()

    assert "'demo' was shown when it was created" in second.key
    assert key not in "\n".join(second.lines)
    assert 'You wrote: "Hello"' in spoken(second.call(key))


def test_the_first_start_prints_how_to_come_in(up):
    (line,) = (line for line in up().lines if line.startswith("  web  "))
    way = urlsplit(line.split()[1])
    connection = http.client.HTTPConnection(way.netloc, timeout=30)
    connection.request("GET", f"{way.path}?{way.query}")
    page = connection.getresponse()

    assert page.status == 200
    assert f'value="{way.query.removeprefix("token=")}"' in page.read().decode()
    connection.close()


def test_what_dies_comes_back_and_nothing_outlives_it(up):
    started = up()
    before = started.children()
    assert len(before) == 3

    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    assert eventually(
        lambda: len(started.children()) == 3 and not set(before.values()) & set(started.children().values())
    )
    key = started.key.split()[0]
    assert eventually(lambda: responses(started, key))

    children = started.children().values()
    started.process.kill()
    assert eventually(lambda: not any(is_alive(pid) for pid in children))


def test_the_private_server_and_its_supervisor_come_back_under_requests(up):
    """Whichever is killed, in either order; and after Ctrl-C right after a kill nothing is left."""
    started = up()
    key = started.key.split()[0]
    home = home_of(started)
    stopping = threading.Event()
    client = threading.Thread(target=lambda: [responses(started, key) for _ in iter(stopping.is_set, True)])
    client.start()
    try:
        for order in (["server"], ["keeper"], ["keeper", "server"], ["server", "keeper"]):
            before = private(home)
            for name in order:
                os.kill(before[name], signal.SIGKILL)
            assert eventually(lambda: is_back(home, before, order) and responses(started, key)), order  # noqa: B023
    finally:
        stopping.set()
        client.join()

    os.kill(private(home)["keeper"], signal.SIGKILL)
    started.process.send_signal(signal.SIGINT)
    assert started.process.wait(40) == 0
    assert eventually(lambda: not with_argument(home / "redis"))


def test_an_idle_gateway_is_small(up):
    """What supervises it is tiny, and its processes share the memory of their code."""
    started = up()
    private_processes = private(home_of(started)).values()

    processes = {pid: proportional_mib(pid) for pid in (*tree(started.process.pid), *private_processes)}

    assert processes[started.process.pid] < MAX_SUPERVISOR_MIB
    assert sum(processes.values()) < MAX_IDLE_MIB


def home_of(started: Up) -> Path:
    return Path(os.fsdecode(environ_of(started.process.pid)["POOLGATE_HOME"]))


def environ_of(pid: int) -> dict[str, bytes]:
    pairs = (pair.partition(b"=") for pair in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    return {name.decode(): value for name, _, value in pairs}


def private(home: Path) -> dict[str, int]:
    """Return the process ids of the private server and its supervisor, as far as they run."""
    folder = home / "redis"
    found = {"server": pid_of_server(folder) or 0, "keeper": int((folder / "keeper").read_text() or 0)}
    return {name: pid for name, pid in found.items() if pid and is_alive(pid)}


def is_back(home: Path, before: dict[str, int], killed: list[str]) -> bool:
    now = private(home)
    return len(now) == 2 and all(now[name] != before[name] for name in killed)


def responses(started: Up, key: str) -> bool:
    try:
        return started.call(key).endswith("data: [DONE]\n\n")
    except OSError:
        return False


class TestRefusals:
    def test_a_port_that_is_taken(self, monkeypatch):
        """And --port, unlike a PORT from outside, leaves other machines out."""
        monkeypatch.delenv("PORT", raising=False)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            result = CliRunner().invoke(main, ["up", "--port", str(port)])

        assert result.exit_code == 1
        assert (
            result.stderr
            == f"Error: cannot listen on 127.0.0.1 port {port} (Address already in use): see --port\n"
        )

    def test_a_port_of_the_admin_pages_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            environ = {"POOLGATE_ADMIN": str(port)}
            result = CliRunner().invoke(main, ["up", "--port", str(free_port())], env=environ)

        assert result.exit_code == 1
        assert result.stderr.endswith(f"port {port} (Address already in use): see POOLGATE_ADMIN\n")

    @pytest.mark.parametrize(
        ("arguments", "environ", "message"),
        [
            ("--workers none", {}, "--workers 'none' does not work: a whole number from 1 to 256"),
            ("", {"WEB_CONCURRENCY": "none"}, "WEB_CONCURRENCY='none' does not work: a whole number from 1"),
            ("--port 99999", {"PORT": "80"}, "--port '99999' does not work: a whole number from 1 to 65535"),
            ("--host 'a b'", {}, "--host 'a b' does not work: a host name or an IP address"),
            ("--workers 2", {"PORT": "x"}, "PORT='x' does not work: a whole number from 1 to 65535"),
        ],
    )
    def test_a_setting_that_cannot_work(self, arguments, environ, message):
        """The error names the option, or the variable if the value is from the environment."""
        result = CliRunner().invoke(main, ["up", *shlex.split(arguments)], env=environ)

        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {message}")


class TestGreeting:
    @pytest.mark.parametrize(
        ("others", "line"),
        [
            ((), None),
            (
                ("http://a/v1",),
                "  also http://a/v1 runs with this store: accounts, keys and limits are the same",
            ),
            (
                ("http://a/v1", "http://b/v1"),
                "  also http://a/v1, http://b/v1 run with this store: accounts, keys and limits are the same",
            ),
        ],
    )
    def test_it_names_other_gateways_on_the_same_store(
        self, others: tuple[str, ...], line: str | None
    ) -> None:
        settings = Settings(bind="127.0.0.1", port=9000, admin="off")
        prepared = Prepared("demo", "sk-pg-default-x", True, "demo", None)

        lines = build_greeting(settings, prepared, others).splitlines()

        assert [one for one in lines if one.startswith("  also")] == ([line] if line else [])

    @pytest.mark.parametrize("has_accounts", [True, False])
    def test_without_an_account_it_names_the_command_that_adds_one(self, has_accounts: bool) -> None:
        """Before the request, which fails until then."""
        settings = Settings(bind="127.0.0.1", port=9000, admin="off")

        greeting = build_greeting(settings, Prepared("first", "sk-pg-x", has_accounts, "gpt-5.2", None))

        before, _, _ = greeting.partition("\ncurl ")
        added = "\n  poolgate account add openai --name main --api-key-env OPENAI_API_KEY\n" in before
        assert (added, "--demo" in before) == (not has_accounts, not has_accounts)

    @pytest.mark.parametrize(("bind", "is_open"), [("0.0.0.0", True), ("::", True), ("127.0.0.1", False)])
    def test_it_names_an_address_that_other_machines_reach(self, bind: str, is_open: bool) -> None:
        settings = Settings(bind=bind, port=9000, admin="off")

        lines = build_greeting(settings, Prepared("demo", "sk-pg-default-x", True, "demo", None)).splitlines()

        assert any(line.startswith(f"  on   {bind}: ") for line in lines) is is_open
