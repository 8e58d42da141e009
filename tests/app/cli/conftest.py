"""The command line on a real store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from app.cli import main
from app.config import Settings
from app.wiring import Services, build

Run = Callable[..., Result]
VAULT_KEY = Fernet.generate_key().decode()


@pytest.fixture
def environ(redis_client: Any, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """What the service and the command line share; the store and the home are empty."""
    return {
        "REDIS_URL": redis_url,
        "POOLGATE_HOME": str(tmp_path / "home"),
        "POOLGATE_SECRET_KEYS": VAULT_KEY,
        "POOLGATE_STORE_TIMEOUT_MS": "5000",
        "PORT": "1",  # where no gateway answers, whatever else runs on this machine
    }


@pytest.fixture
def services(environ: dict[str, str]) -> Services:
    """The running service's side of what commands do."""
    return build(Settings.from_environment(environ))


@pytest.fixture
def poolgate(environ: dict[str, str]) -> Run:
    """Run a command: `poolgate("key list", "--json")` splits its first word at spaces."""

    def run(command: str, *args: str, stdin: str | bytes | None = None, **variables: str | None) -> Result:
        env = {**environ, **variables}
        result = CliRunner().invoke(main, [*command.split(), *args], stdin, env)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run
