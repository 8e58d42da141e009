"""
Every command, those that will be added as well, on a store that is away, hung, full, or refuses us.

It ends soon, with status 3 and one line that names the address and the cause, never the password.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from app.cli import complete, main, options
from app.cli.command import subcommands
from app.stores import private_server
from app.stores.private_server_supervisor import pid_of_server
from tests.support.ports import free_port
from tests.support.redis import short_folder
from tests.support.redis_server import RedisServer

PASSWORD = "hunter2-in-the-url"
# print something of their own, or work on a file: they need no store
WITHOUT_STORE = {"chat", "open", "completion", "ops grafana", "ops alerts", "ops unit", "replay"}
VALUES = {
    "name": "main",
    "text": "5 requests/day",
    "limit_id": "1",
    "request_id": "req_1",
    "pattern": "gpt-5",
}
GIVEN = {
    "account add azure": ["--base-url", "https://eu.openai.azure.com/openai/v1", "--api-key-env", "SECRET"],
    "account add openai": ["--api-key-env", "SECRET"],
    "account add chatgpt": ["--access-token-env", "SECRET"],
    "account add compatible": ["--base-url", "http://127.0.0.1:1/v1"],
    "account set": ["--cap", "5"],
    "account export": ["main"],
    "alert set": ["--format", "json"],
    "team set": ["--no-key-limits"],
    "account import": ["--name", "main"],
    "admin create": ["--password-env", "SECRET"],
    "admin password": ["--password-env", "SECRET"],
    "backup": ["--passphrase-env", "SECRET"],
    "restore": ["--passphrase-env", "SECRET"],
    "key set": ["--models", "gpt-5"],
    "pool set": ["--policy", "ordered"],
    "price set": ["--input", "1", "--output", "2"],
}

OPTIONAL = {"alert add": ["https://hooks.example.net/alerts"]}  # arguments, after those that are required


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield every command that needs the store, as it is typed: its path, and its arguments."""

    def walk(command: click.Command, path: list[str]) -> Iterator[tuple[str, list[str]]]:
        if isinstance(command, click.Group):
            for name, child in subcommands(command):
                yield from walk(child, [*path, name])
        elif " ".join(path) not in WITHOUT_STORE:
            yield " ".join(path), arguments(command, " ".join(path))

    yield from walk(main, [])


def arguments(command: click.Command, path: str) -> list[str]:
    given = list(GIVEN.get(path, ()))
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.required:
            given.append(value(parameter, path))
        elif isinstance(parameter, click.Option) and parameter.required and parameter.opts[0] not in given:
            given += [parameter.opts[0], value(parameter, path)]
    return [*given, *OPTIONAL.get(path, ())]


def value(parameter: click.Parameter, path: str) -> str:
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    if isinstance(parameter.type, click.Path | click.File):
        return "NEW" if path == "backup" else "FILE"
    return VALUES.get(parameter.name or "", "main")


COMMANDS = dict(commands())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    (tmp_path / "FILE").write_text("{}")
    monkeypatch.setattr(options, "START_SECONDS", 1.0)
    monkeypatch.setattr(options, "STORE_TIMEOUT_SECONDS", 0.3)

    def run(path: str, url: str, *more: str) -> Result:
        named = {"FILE": str(tmp_path / "FILE"), "NEW": str(tmp_path / "NEW")}
        given = [named.get(one, one) for one in COMMANDS[path]]
        if path == "up":
            given += ["--port", str(free_port())]
        environ = {
            "REDIS_URL": url,
            "SECRET": "a-long-enough-passphrase",
            "POOLGATE_HOME": str(tmp_path),
            "POOLGATE_SECRET_KEYS": Fernet.generate_key().decode(),
        }
        result = CliRunner().invoke(main, [*path.split(), *given, *more], "", environ)
        assert result.exception is None or isinstance(result.exception, SystemExit), (path, result.exception)
        assert PASSWORD not in result.output
        return result

    return run


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with short_folder() as folder:
        server = RedisServer(folder, port=free_port())
        with server.client() as client:
            client.config_set("requirepass", PASSWORD)
        yield server
        server.thaw()
        server.stop()


@pytest.fixture
def frozen(server: RedisServer) -> Iterator[RedisServer]:
    server.freeze()
    yield server
    server.thaw()


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 45


@pytest.mark.parametrize("path", COMMANDS)
def test_nothing_listens(run, path):
    result = run(path, f"redis://ann:{PASSWORD}@127.0.0.1:1/0")

    assert result.exit_code == 3, result.output
    assert "The store at redis://127.0.0.1:1/0 refuses connections: nothing listens there" in result.output


@pytest.mark.parametrize("path", COMMANDS)
def test_hung(run, frozen, path):
    """The time of each is bounded by what `run` sets; the real one is tried below."""
    result = run(path, f"redis://:{PASSWORD}@127.0.0.1:{frozen.port}/0")

    assert result.exit_code == 3, result.output
    assert f"The store at redis://127.0.0.1:{frozen.port}/0 does not answer in time" in result.output


@pytest.mark.parametrize("path", COMMANDS)
def test_wrong_password(run, server, path):
    result = run(path, f"redis://:{PASSWORD[:-1]}@127.0.0.1:{server.port}/0")

    assert result.exit_code == 3, result.output
    assert "refuses the password" in result.output
    assert PASSWORD[:-1] not in result.output


OTHERS = {
    "wrong host": ("redis://no-such-host.invalid:6379/0", "has a host name that"),
    "no socket": ("unix:///tmp/no-such-socket", "is not running: its socket is not there"),
    "no sentinel": ("redis+sentinel://127.0.0.1:1/main/0", "has no master that its sentinels know"),
    "no cluster": ("redis+cluster://127.0.0.1:1", "refuses connections"),
}


@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.parametrize("path", ["account list", "doctor", "up", "key create"])
def test_other_ways_to_be_away(run, server, path, case):
    url, words = OTHERS[case]
    result = run(path, url.format(port=server.port))

    assert result.exit_code == 3, result.output
    assert words in result.output


class TestFull:
    """What only reads goes on; what would write ends with the cause. Nothing hangs, nothing is a crash."""

    WRITES = (
        "up",
        "key create",
        "account add openai",
        "account add compatible",
        "admin create",
        "pool create",
    )

    @pytest.fixture
    def full(self, request) -> Iterator[str]:
        with short_folder() as folder:
            server = RedisServer(folder)
            with server.client() as client:
                if request.param == "disk":
                    (folder / "dump.rdb").mkdir()
                    (folder / "dump.rdb" / "in-the-way").touch()
                    client.config_set("save", "3600 1")
                    client.set("changed", "1")
                    client.bgsave()
                    while client.info("persistence")["rdb_bgsave_in_progress"]:
                        time.sleep(0.01)
                else:
                    client.config_set("maxmemory", "1")
            yield server.url
            server.stop()

    @pytest.mark.parametrize("full", ["disk", "memory"], indirect=True)
    def test_every_command(self, run, full, request):
        words = "takes no writes: " + (
            "it cannot write to its disk" if "disk" in request.node.name else "its memory is full"
        )
        for path in COMMANDS:
            result = run(path, full)
            if path in self.WRITES:
                assert (result.exit_code, words in result.output) == (3, True), (path, result.output)
            assert result.exit_code in (0, 1, 3), (path, result.output)
            assert "is not answering" not in result.output
            assert result.exit_code != 3 or "takes no writes" in result.output
            assert "set REDIS_URL" not in result.output  # it runs where it is


@pytest.mark.parametrize("path", ["account list", "doctor", "up", "key list"])
def test_real_times_on_a_hung_store(frozen, path, tmp_path):
    """A few seconds on an idle machine; the start of the program is left out."""
    environ = {"REDIS_URL": f"redis://127.0.0.1:{frozen.port}/0", "POOLGATE_HOME": str(tmp_path)}
    began = time.monotonic()
    result = CliRunner().invoke(main, [*path.split(), *COMMANDS[path]], "", environ)

    assert time.monotonic() - began < 20.0
    assert result.exit_code == 3
    assert "does not answer in time" in result.output


def test_a_private_server_that_is_hung(monkeypatch, tmp_path):
    """With its supervisor stopped as well: else that would continue it."""
    with short_folder() as home:
        private_server.ensure(home, os.environ.get("REDIS_SERVER", ""))
        pids = [int((home / "redis" / "keeper").read_text()), pid_of_server(home / "redis")]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            result = CliRunner().invoke(
                main, ["doctor", "--json"], env={"POOLGATE_HOME": str(home), "REDIS_URL": None}
            )
        finally:
            for pid in reversed(pids):  # the supervisor ends it once it goes on: its last owner has left
                os.kill(pid, signal.SIGCONT)

    assert result.exit_code == 3
    found = json.loads(result.stdout)["data"]
    assert any("does not answer: its process is stopped" in one["what"] for one in found)


@pytest.mark.parametrize("kind", ["refused", "frozen"])
def test_completion_is_silent(kind, server, monkeypatch, capsys):
    if kind == "frozen":
        server.freeze()
    try:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{server.port if kind == 'frozen' else 1}/0")
        began = time.monotonic()
        context = click.Context(click.Command("x"))
        assert complete.pools(context, click.Option(["--pool"]), "") == []
        assert (
            time.monotonic() - began < 10 * complete.TIMEOUT_SECONDS
        )  # a store that is frozen would never answer
        assert capsys.readouterr() == ("", "")
    finally:
        server.thaw()
