"""`poolgate` as a process: standard output is the command's alone, log lines go to standard error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.config import Settings
from app.stores import keys
from app.wiring import Services, build
from tests.support.issuer_client import Issuer, signed_in
from tests.support.upstream_client import ScriptedUpstream

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-c", "from app.launcher import main; main()"]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environ(
    redis_client: Any, redis_url: str, issuer: Issuer, upstream: ScriptedUpstream, tmp_path: Path
) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url,
        "POOLGATE_HOME": str(tmp_path),
        "POOLGATE_SECRET_KEYS": Fernet.generate_key().decode(),
        "POOLGATE_STORE_TIMEOUT_MS": "5000",
        "POOLGATE_OAUTH_ISSUER": issuer.url,
        "POOLGATE_CHATGPT_BASE_URL": f"{upstream.root_url('ann')}/backend-api",
    }


@pytest.fixture
def services(environ: dict[str, str]) -> Services:
    return build(Settings.from_environment(environ))


@pytest.fixture
def poolgate(environ: dict[str, str]) -> Run:
    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *args],
            cwd=ROOT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def events(lines: str) -> list[str]:
    """Return the events of the log lines among *lines*, each of which is JSON."""
    return [each["event"] for line in lines.splitlines() if "event" in (each := json.loads(line))]


def test_a_script_that_is_refused(poolgate: Run, services: Services, redis_client: Any) -> None:
    """The log line and the error envelope are on standard error; nothing is on standard output."""
    services.pools.ensure("default")
    services.accounts.add("default", Account("", "main", "openai", "http://x", credential="sk"))
    redis_client.set(keys.root("default") + "soft", "not a set")

    result = poolgate("account", "pause", "main", "--json")

    assert (result.returncode, result.stdout) == (1, "")
    assert events(result.stderr) == ["script_refused"]
    assert "rejected a command" in json.loads(result.stderr.splitlines()[-1])["error"]["message"]


def test_a_warning_of_a_command_that_goes_on(
    poolgate: Run, services: Services, issuer: Issuer, upstream: ScriptedUpstream
) -> None:
    """Its output is JSON and nothing else."""
    sign_in, _ = signed_in(services, issuer)
    issuer.stage(sign_in, {"status": 400, "body": {"error": "invalid_grant"}})
    upstream.script({"play": "http_error", "status": 401}, account="ann")

    result = poolgate("account", "test", "ann", "--model", "gpt-5.2", "--json")

    assert json.loads(result.stdout)["ok"] is False
    assert "token_refresh_failed" in events(result.stderr)


def test_help(poolgate: Run) -> None:
    result = poolgate("--help")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage:")


@pytest.mark.parametrize(
    ("redirection", "message"),
    [
        (">/dev/full", "Error: standard output: No space left on device\n"),
        (">&-", "Error: standard output is closed; >/dev/null discards it\n"),
    ],
)
def test_output_that_cannot_be_written(environ: dict[str, str], redirection: str, message: str) -> None:
    """One line names the cause, and the status is 1, so that a cut dump is not taken for a complete one."""
    script = f'"{sys.executable}" -c "{COMMAND[2]}" --version {redirection}'
    run = subprocess.run(
        ["sh", "-c", script],
        cwd=ROOT,
        env={**os.environ, **environ},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )

    assert (run.returncode, run.stderr) == (1, message)


@pytest.mark.parametrize("redirection", ["<&-", "2>&-", "<&- 2>&-"])
def test_input_and_error_that_are_closed(environ: dict[str, str], redirection: str) -> None:
    """Commands do as they do without a terminal."""
    script = f'"{sys.executable}" -c "{COMMAND[2]}" key remove none {redirection}'
    run = subprocess.run(
        ["sh", "-c", script],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        "" if "2>" in redirection else "Error: There is no key named 'none' in pool 'default'\n"
    )
