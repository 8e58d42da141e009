"""`poolgate snippet`, on a real store."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from app.accounts.account import Account
from app.presentation.snippets import CLIENTS
from app.supervision.running import RunningGateway, announced
from app.wiring import Services
from tests.app.cli.conftest import Run


@pytest.fixture
def accounts(services: Services) -> None:
    """One in use that lists models for text and others, and one that is paused."""
    services.pools.ensure("default")
    for name, models in (("a", ["cheap-mini"]), ("b", ["text-embedding-3", "gpt-5", "gpt-5-mini"])):
        account = services.accounts.add(
            "default", Account("", name, "openai", "http://x", credential="sk-up")
        )
        services.accounts.list_models("default", account.id, models)
    services.accounts.pause("default", "a")


def test_a_model_of_an_account_in_use(poolgate: Run, accounts: None) -> None:
    result = poolgate("snippet codex --url http://127.0.0.1:8000/v1")

    assert tomllib.loads(result.stdout)["model"] == "gpt-5-mini"
    assert result.stderr.startswith("Codex CLI: for ~/.codex/config.toml; with supports_websockets = true")


def test_the_running_gateway(poolgate: Run, accounts: None, tmp_path: Path) -> None:
    with announced(tmp_path, RunningGateway("http://127.0.0.1:8123/v1", "", "first")):
        result = poolgate("snippet curl", POOLGATE_HOME=str(tmp_path))

    assert "http://127.0.0.1:8123/v1/chat/completions" in result.stdout


def test_another_address_and_model(poolgate: Run, accounts: None) -> None:
    result = poolgate("snippet python --url https://gw.example.com/v1/ --model o3")

    assert 'base_url="https://gw.example.com/v1"' in result.stdout
    assert 'model="o3"' in result.stdout


@pytest.mark.parametrize("url", ["gw.example.com", "ftp://x/v1", "http://", "http://x'y/v1", "http://x:y/v1"])
def test_no_address(poolgate: Run, accounts: None, url: str) -> None:
    result = poolgate("snippet python --url", url)

    assert result.exit_code == 2
    assert "--url must be like" in result.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_no_stored_secret(poolgate: Run, accounts: None, client: str) -> None:
    """In any form, and without an account."""
    secret = poolgate("key create --name ann").stdout.strip()

    text = (
        poolgate(f"snippet {client}").output + json.loads(poolgate(f"snippet {client} --json").stdout)["text"]
    )

    assert "sk-up" not in text
    assert secret not in text
    assert "POOLGATE_KEY" in text


def test_without_accounts(poolgate: Run, services: Services) -> None:
    assert "gpt-5.2" in poolgate("snippet aider").stdout


def test_an_unknown_client(poolgate: Run) -> None:
    assert poolgate("snippet emacs").exit_code == 2
