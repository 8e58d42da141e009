"""Every option and argument of every command with values that nobody means: one line, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import click
import pytest

from app.accounts.account import Account
from app.cli import main
from app.cli.command import subcommands
from app.wiring import Services
from tests.app.cli.conftest import Run

ODD = (
    *("", " ", "0", "-1", "1e30", "-1e300", "1e999999999999999999999", "NaN", "inf", "9" * 40, "１", "1_0"),
    *("0001-01-01", "1960-01-01", "9999-12-31T23:59:59-23:59", "1s", "99999999999d", "9" * 60 + "d"),
    *(
        "x" * 70_000,
        "a\0b",
        "a\nb",
        "\udcff\udcfe",
        "\ud83d",
        "\u202e",
        "é" * 300,
        "*" * 300,
        "[]",
        "{}",
        "a=b=c",
    ),
    *("a=1/0h", "a=0/1h", "a=99999999999999999999999/1h", "a=1/99999999999999999999h", "a=1/0.000001h"),
    *("total=1e300", "idle=nan", "x:total=-1", "=", ":", "*:=5", "../..", "/", "/proc/self/mem", "/dev/zero"),
    *(
        "redis://h:99999",
        "redis://\udcff",
        "unix://",
        "http://a b/",
        "redis://127.0.0.1:1/x",
        "10 requests/day for",
    ),
)
STEP = 9  # each option gets every ninth value, beginning with another one
SHARED = ("pool", "redis_url")  # are alike in all commands, so they are tested with one
LEFT_OUT = ("up",)  # it starts servers
VARIABLES = {  # a sign-in reaches no server; a backup has a passphrase, and its file is in an empty folder
    "POOLGATE_OAUTH_ISSUER": "http://127.0.0.1:1",
    "OPENAI_BASE_URL": "http://127.0.0.1:1",
    "POOLGATE_CHATGPT_BASE_URL": "http://127.0.0.1:1",
    "PASSPHRASE": "long enough for a passphrase",
}
NEEDED = {
    "name": "acc",
    "model": "m",
    "input": "1",
    "output": "1",
    "request_id": "x",
    "base_url": "http://127.0.0.1:1/v1",
    "limit": "5 requests/day",
    "limit_id": "lim_x",
    "key": "ann",
    "ledger": "-",
    "file": "/dev/null",
    "shell": "bash",
    "variable": "PASSPHRASE",
    "pool": "default",
}


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in subcommands(group):
        full = f"{path} {name}".strip()
        if full in LEFT_OUT:
            continue
        if isinstance(command, click.Group):
            yield from commands(command, full)
        else:
            yield full, command


COMMANDS = dict(commands(main))


@pytest.fixture
def _filled(services: Services) -> None:
    services.pools.ensure("default")
    account = Account("", "acc", "compatible", "http://127.0.0.1:1/v1", models=("m",), credential="sk-x")
    services.accounts.add("default", account)
    services.api_keys.create("default", "ann")


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize("name", COMMANDS)
def test_every_option(poolgate: Run, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = COMMANDS[name]
    monkeypatch.chdir(tmp_path)
    for param in command.params:
        if getattr(param, "is_flag", False) or param.name == "help":
            continue
        if param.name in SHARED and name != "key list":
            continue
        for value in ODD[crc32(f"{name} {param.name}".encode()) % STEP :: STEP]:
            result = poolgate(name, *_arguments(command, param, value), stdin="", **VARIABLES)
            about = f"{name} {param.name}={value[:60]!r}: {result.stderr[:300]}"
            assert result.exit_code in (0, 1, 2, 3), about
            assert result.exit_code == 0 or result.stderr.strip(), about
            assert "Traceback" not in result.output, about
            assert "bug" not in result.stderr, about
            assert len(result.stderr) < 5000, about


def _arguments(command: click.Command, odd: click.Parameter, value: str) -> list[str]:
    """Return a command line in which all required parameters have a usual value and *odd* has *value*."""
    options: list[str] = []
    arguments: list[str] = []
    for param in command.params:
        text = value if param is odd else NEEDED.get(param.name or "", "x") if _is_needed(param) else None
        if text is None:
            continue
        if isinstance(param, click.Argument):
            arguments.append(text)
        else:
            options.append(f"{max(param.opts, key=len)}={text}")
    return [*options, "--", *arguments]


def _is_needed(param: click.Parameter) -> bool:
    return param.required or "--passphrase-env" in param.opts
