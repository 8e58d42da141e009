"""What holds for every command: help, failures, secrets, which store is meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.cli import main
from app.cli.command import Command, subcommands
from app.stores import keys
from tests.support.ports import free_port
from tests.support.redis import short_folder

ROOT = Path(__file__).parents[3]
RUN = "from app.cli import main; main()"
PASTED = "sk-pasted-0123456789"


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, Command]]:
    for name, command in subcommands(group):
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        elif isinstance(command, Command):
            yield f"{path}{name}", command


COMMANDS = [path for path, _ in commands(main)]


def test_the_commands_there_are():
    assert set(COMMANDS) >= {
        "account add openai",
        "account add compatible",
        "account add chatgpt",
        "account list",
        "account pause",
        "account resume",
        "account remove",
        "key create",
        "key list",
        "key disable",
        "pool list",
    }


PRINTING = {"ops grafana", "ops alerts", "ops unit"}  # print a file, and need no store


OF_THE_GATEWAY = {"chat", "open", "up"}  # use or run the gateway on this machine, and need no store


class TestHelp:
    @pytest.mark.parametrize("path", COMMANDS)
    def test_it_has_an_example_and_the_common_options(self, poolgate, path):
        result = poolgate(path, "--help")

        assert result.exit_code == 0
        assert f"    poolgate {path}" in result.stdout.partition("Example:\n")[2]
        is_of_a_pool = not path.startswith(("admin ", "ops ")) and path not in OF_THE_GATEWAY
        of_a_pool = ("--pool",) if is_of_a_pool else ()
        of_the_store = () if path in PRINTING | OF_THE_GATEWAY else ("--redis-url", "--json")
        for option in (*of_a_pool, *of_the_store):
            assert option in result.stdout

    @pytest.mark.parametrize("path", ["account", "account add", "key", "pool"])
    def test_a_group_alone_shows_its_commands(self, poolgate, path):
        result = poolgate(path)

        assert result.exit_code == 2
        assert "Commands:" in result.output


class TestFailures:
    def test_wrong_usage_is_one_line_with_a_hint(self, poolgate):
        result = poolgate("account list --what")

        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("Error: No such option")
        assert result.stderr.endswith("account list --help)\n")
        assert result.stderr.count("\n") == 1

    def test_an_unknown_command(self, poolgate):
        result = poolgate("account explode")

        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "No such command 'explode'" in result.stderr

    @pytest.mark.parametrize(
        ("command", "message"),
        [
            ("xyzzy", "Error: No such command 'xyzzy' (see main --help)\n"),
            ("doctr", "Error: No such command 'doctr'. Did you mean 'doctor'? (see main --help)\n"),
            ("--hlp", "Error: No such option '--hlp'. Did you mean '--help'? (see main --help)\n"),
            (
                "explain",
                "Error: No such command 'explain'. Did you mean 'request explain'? (see main --help)\n",
            ),
            (
                "key login",
                "Error: No such command 'login'. Did you mean 'account login'? (see main key --help)\n",
            ),
            (
                "list",
                "Error: No such command 'list'. Did you mean 'key list' or 'pool list' or 'team list'?"
                " (see main --help)\n",
            ),
            (
                "explan",
                "Error: No such command 'explan'. Did you mean 'request explain' or 'replay'?"
                " (see main --help)\n",
            ),
            (
                "key lst",
                "Error: No such command 'lst'. Did you mean 'list' or 'set'? (see main key --help)\n",
            ),
            ("account ad", "Error: No such command 'ad'. Did you mean 'add'? (see main account --help)\n"),
            (
                "account add opnai",
                "Error: No such command 'opnai'. Did you mean 'openai'? (see main account add --help)\n",
            ),
            ("key delete", "Error: No such command 'delete'. Did you mean 'remove'? (see main key --help)\n"),
            ("key add", "Error: No such command 'add'. Did you mean 'create'? (see main key --help)\n"),
            (
                "key list --jsn",
                "Error: No such option '--jsn'. Did you mean '--json' or '--csv'?"
                " (see main key list --help)\n",
            ),
            ("key creat", "Error: No such command 'creat'. Did you mean 'create'? (see main key --help)\n"),
        ],
    )
    def test_what_may_have_been_meant(self, poolgate, command, message):
        result = poolgate(command)

        assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)
        in_json = json.loads(poolgate(f"{command} --json").stderr)["error"]["message"]
        assert message == f"Error: {in_json}\n"

    @pytest.mark.parametrize("command", ["account list --what --json", "key create --json", "key zap --json"])
    def test_wrong_usage_in_json(self, poolgate, command):
        """Even where the failure comes before --json is read."""
        result = poolgate(command)

        assert (result.exit_code, result.stdout) == (2, "")
        error = json.loads(result.stderr)["error"]
        assert error["type"] == "invalid_request_error"

    @pytest.mark.parametrize("command", ["account list", "key create --name a", "pool list"])
    def test_the_store_is_away(self, poolgate, command):
        result = poolgate(command, REDIS_URL=f"redis://127.0.0.1:{free_port()}")

        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith("Error: The store at redis://127.0.0.1:")
        assert result.stderr.count("\n") == 1

    def test_the_store_is_away_in_json(self, poolgate):
        result = poolgate("key list --json", REDIS_URL=f"redis://127.0.0.1:{free_port()}")

        assert result.exit_code == 3
        assert json.loads(result.stderr)["error"]["type"] == "server_error"

    def test_a_private_server_that_cannot_start(self, poolgate):
        with short_folder() as home:
            server = home / "server"
            server.write_text("#!/bin/sh\nexit 1\n")
            server.chmod(0o755)
            result = poolgate("key list", REDIS_URL=None, POOLGATE_HOME=str(home), REDIS_SERVER=str(server))

        assert (result.exit_code, result.stdout) == (3, "")
        assert "private Redis server does not answer" in result.stderr

    def test_a_home_that_cannot_be(self, poolgate):
        result = poolgate("key list", REDIS_URL=None, POOLGATE_HOME="/dev/null/pg")

        assert result.exit_code == 1
        assert result.stderr == "Error: /dev/null/pg: Not a directory\n"

    @pytest.mark.parametrize(
        "url",
        [
            *("http://h", "redis://:hunter2@h:port/0", "redis://:hun/ter2@h", "h"),
            *("redis://:hunter2@h/0?socket_timeout=x", "redis+sentinel://:hunter2@h:x/m"),
        ],
    )
    def test_a_redis_url_that_is_none(self, poolgate, url):
        """The password in it is not repeated."""
        result = poolgate("key list --redis-url", url)

        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.count("\n") == 1
        assert "hun" not in result.stderr
        assert result.stderr.startswith("Error: --redis-url '")

    def test_characters_that_cannot_be_printed(self, poolgate):
        for argument in ("a\x1b[2J", "\udcff"):
            result = poolgate("account pause", argument)

            assert result.exit_code == 2
            assert "unprintable" in result.stderr


class TestSecrets:
    """A key that was pasted in the wrong place is not repeated."""

    @pytest.mark.parametrize(
        "args",
        [
            ("--api-key-env", PASTED),
            ("--api-key-env", "pasted_0123456789"),
            (PASTED,),
            ("--api-key", PASTED),
            (f"--api-key={PASTED}",),
            (f"--api-key-stdin={PASTED}",),
        ],
    )
    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_pasted(self, poolgate, args, form):
        result = poolgate("account add openai --name main", *args, *form, stdin="")

        assert result.exit_code == 2
        assert "0123456789" not in result.output

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            ((), "Give one of --api-key-env and --api-key-stdin"),
            (("--api-key-env", "K", "--api-key-stdin"), "Give one of --api-key-env and --api-key-stdin"),
            (("--api-key-env", "EMPTY"), "The environment variable EMPTY is empty"),
            (("--api-key-env", "UNSET_HERE"), "The environment variable UNSET_HERE is not set"),
            (("--api-key-env", "unset_here"), "The environment variable named by --api-key-env is not set"),
            (("--api-key-stdin",), "Standard input is empty"),
        ],
    )
    def test_missing(self, poolgate, args, message):
        result = poolgate("account add openai --name main", *args, stdin=" \n", K="sk-1", EMPTY=" ")

        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {message}")

    def test_bytes_that_are_no_text(self, poolgate):
        result = poolgate("account add openai --name main --api-key-stdin", stdin=b"sk-\xff\xfe")

        assert result.exit_code == 1
        assert "printable ASCII" in result.stderr


class TestStore:
    def test_an_argument_beats_the_environment(self, poolgate, redis_url):
        result = poolgate("pool list --redis-url", redis_url, REDIS_URL="redis://127.0.0.1:1")

        assert result.exit_code == 0


def run(home: Path, *args: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `poolgate` as a process of its own, with nothing but a home."""
    environ = {"PATH": os.environ["PATH"], "POOLGATE_HOME": str(home), "REDIS_SERVER": ""}
    environ |= {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"} | variables
    return subprocess.run(
        [sys.executable, "-c", RUN, *args],
        cwd=ROOT,
        env=environ,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


class TestProcesses:
    @pytest.mark.parametrize("module", ["gunicorn", "workers"])
    @pytest.mark.parametrize("url", ["redis://h:notaport", "redis://h/0?socket_timeout=x"])
    def test_a_redis_url_that_is_none(self, module, url):
        """The services report the error in one line, as commands do."""
        with short_folder() as home:
            ended = subprocess.run(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "POOLGATE_HOME": str(home), "REDIS_URL": url},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        assert ended.returncode != 0
        assert ended.stderr.startswith(f"REDIS_URL='{url[:9]}")
        assert ended.stderr.count("\n") == 1

    def test_a_fresh_machine(self):
        """Without a Redis each command starts the private server; what it did outlives it."""
        with short_folder() as home:
            added = run(home, "account", "add", "openai", "--name", "main", "--api-key-stdin", stdin="sk-1\n")
            made = run(home, "key", "create", "--name", "ann", "--accounts", "main")
            listed = run(home, "key", "list", "--json")

        assert added.returncode == 0
        assert "account 'main' does not answer yet" in added.stderr  # nothing listens there
        assert made.stdout.startswith("sk-pg-default-")
        assert made.stdout.count("\n") == 1
        assert [key["name"] for key in json.loads(listed.stdout)["data"]] == ["ann"]

    def test_a_server_that_other_processes_keep(self, redis_url, redis_client):
        with short_folder() as home:
            made = run(home, "key", "create", "--name", "ann", REDIS_URL=redis_url)
            listed = run(home, "key", "list", REDIS_URL=redis_url)

        assert made.returncode == 0
        assert listed.stdout.splitlines()[1].startswith("ann")

    def test_exit_codes(self):
        with short_folder() as home:
            unused_url = f"redis://127.0.0.1:{free_port()}"
            codes = [
                run(home, "key", "disable", "x").returncode,
                run(home, "key", "disable").returncode,
                run(home, "key", "list", REDIS_URL=unused_url).returncode,
            ]

        assert codes == [1, 2, 3]

    def test_the_output_is_closed(self):
        """`poolgate … | head -0` ends without a trace."""
        reader, writer = os.pipe()
        os.close(reader)
        try:
            with short_folder() as home:
                ended = subprocess.run(
                    [sys.executable, "-c", RUN, "pool", "list", "--json"],
                    cwd=ROOT,
                    env={"PATH": os.environ["PATH"], "POOLGATE_HOME": str(home)},
                    stdout=writer,
                    stderr=subprocess.PIPE,
                    text=True,
                    check=False,
                )
        finally:
            os.close(writer)

        assert "Traceback" not in ended.stderr


def test_a_script_that_fails_is_a_sentence_without_a_traceback(poolgate, services):
    """What is stored is of another type than any release wrote."""
    poolgate("pool create", "default")
    services.scripts.client.delete(keys.key_names("default"))
    services.scripts.client.set(keys.key_names("default"), "no hash")

    for options in ((), ("--json",)):
        result = poolgate("key create", "--name", "ann", *options)

        assert result.exit_code == 1
        assert "The store rejected a command and changed nothing" in result.stderr
        assert "WRONGTYPE" in result.stderr
        assert result.stderr.count("\n") == 1
