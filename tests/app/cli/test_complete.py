"""Completion in a real bash; other shells send the same queries."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.accounts.account import Account
from app.wiring import Services
from tests.app.cli.conftest import Run

ROOT = Path(__file__).parents[3]
COMPLETION_SCRIPT = """
eval "$(poolgate completion bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_poolgate_completion poolgate
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def completed(environ: dict[str, str], tmp_path: Path):
    """What bash offers for the last of some words."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    program = tmp_path / "poolgate"
    program.write_text(f"#!{sys.executable}\nfrom app.cli import main\n\nmain(prog_name='poolgate')\n")
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"

    def complete(*words: str, **variables: str) -> list[str]:
        env = {**os.environ, **environ, "PATH": path, "PYTHONPATH": str(ROOT), **variables}
        result = subprocess.run(
            [bash, "--norc", "-c", COMPLETION_SCRIPT, "bash", "poolgate", *words],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.split()

    return complete


@pytest.fixture
def names(services: Services) -> None:
    for pool, accounts, key in (
        ("default", ("main", "main-2", "other"), "ann"),
        ("team", ("theirs",), "bob"),
    ):
        services.pools.ensure(pool)
        services.api_keys.create(pool, key)
        for name in accounts:
            services.accounts.add(pool, Account("", name, "openai", "http://x", credential="sk"))


def test_commands_and_options(completed) -> None:
    assert completed("ledg") == ["ledger"]
    assert sorted(completed("account", "re")) == ["remove", "resume"]
    assert completed("pool", "set", "--policy", "r") == ["round_robin"]


@pytest.mark.parametrize(
    "words",
    [
        ("ledg",),
        ("account", "re"),
        ("key", "create", "--ex"),
        ("pool", "set", "--policy", "r"),
        ("snippet", "co"),
    ],
)
def test_only_names_are_read_from_the_store(completed, words: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as store:
        store.setblocking(False)
        url = f"redis://127.0.0.1:{store.getsockname()[1]}"

        assert completed(*words, REDIS_URL=url)
        with pytest.raises(BlockingIOError):
            store.accept()
        assert completed("key", "disable", "", REDIS_URL=url) == []
        store.accept()[0].close()


def test_a_list_of_commands_imports_none(environ: dict[str, str]) -> None:
    """It is what the shell waits for after each Tab."""
    query = {"_POOLGATE_COMPLETE": "bash_complete", "COMP_WORDS": "poolgate acc", "COMP_CWORD": "1"}
    report = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    ended = subprocess.run(
        [sys.executable, "-c", f"{report}; from app.cli import main; main(prog_name='poolgate')"],
        cwd=ROOT,
        env={**os.environ, **environ, **query},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.stdout == "plain,account\n"
    assert not {"redis", "app.wiring", "app.cli.account"} & set(ended.stderr.split())


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("account", "pause", "ma"), ["main", "main-2"]),
        (("account", "pause", "--pool", "team", ""), ["theirs"]),
        (("key", "create", "--accounts", "other,ma"), ["other,main", "other,main-2"]),
        (("key", "disable", ""), ["ann"]),
        (("key", "limit", "list", "a"), ["ann"]),
        (("usage", "--key", "a"), ["ann"]),
        (("pool", "list", "--pool", ""), ["default", "team"]),
        (("doctor", "--pool", "t"), ["team"]),
    ],
)
def test_names(completed, names, words: tuple[str, ...], found: list[str]) -> None:
    assert completed(*words) == found


def test_the_store_is_away(completed, tmp_path: Path) -> None:
    """Nothing is printed, started or created."""
    assert completed("key", "disable", "", REDIS_URL="redis://127.0.0.1:1") == []
    assert completed("key", "disable", "", REDIS_URL="nonsense") == []
    assert completed("key", "disable", "", REDIS_URL="", POOLGATE_HOME=str(tmp_path / "home")) == []
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("shell", "begins"),
    [("bash", "_poolgate_completion()"), ("zsh", "#compdef poolgate"), ("fish", "function _poolgate")],
)
def test_a_script_for_each_shell(poolgate: Run, shell: str, begins: str) -> None:
    result = poolgate("completion", shell)

    assert result.exit_code == 0
    assert result.stdout.startswith(begins)
    assert "_POOLGATE_COMPLETE" in result.stdout


def test_another_shell(poolgate: Run) -> None:
    result = poolgate("completion", "tcsh")

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
