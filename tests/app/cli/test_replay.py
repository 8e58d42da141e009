"""`poolgate replay` and `poolgate ledger export`, on a real store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from app.accounts.account import Account
from app.accounts.pools import POLICIES
from app.wiring import Services
from tests.app.cli.conftest import Run
from tests.support.ledger_rows import record_request


@pytest.fixture
def traffic(services: Services) -> None:
    """Ten requests of two conversations, on two accounts."""
    services.pools.ensure("default")
    for name in ("east", "west"):
        services.accounts.add("default", Account("", name, "openai", "http://x", credential="sk"))
    key = services.api_keys.create("default", "ann")[0]
    for number in range(10):
        admission = {"id": f"r{number}", "key": key.id, "model": "m", "endpoint": "/v1/responses", "wire": ""}
        admission |= {
            "demo": False,
            "affinity": "xy"[number % 2],
            "pin": "",
            "ttl_ms": 30_000,
            "sticky_ms": 60_000,
        }
        admission |= {"calendar": {}, "bounds": {}, "estimates": {}}
        reply = services.scripts.run_json("admit", "default", admission)
        row = {
            "id": admission["id"],
            "at_ms": reply["now"],
            "key": key.id,
            "account": reply["account"],
        }
        row |= {
            "model": "m",
            "endpoint": "/v1/responses",
            "status": 200,
            "source": "upstream",
            "input_tokens": 90,
        }
        services.ledger.settlements.settle(
            "default", {"id": admission["id"], "mark": {}, "row": row, "calendar": {}}
        )


def test_own_ledger(poolgate: Run, traffic: None) -> None:
    """Every policy, unless some are named; nothing of the pool changes."""
    before = poolgate("account list --json").stdout
    lines = poolgate("replay -").stdout.splitlines()

    assert [line.split()[0] for line in lines[1:]] == list(POLICIES)
    assert lines[1].split()[1:4] == ["10", "0", "100.0%"]
    assert poolgate("account list --json").stdout == before


def test_exported(poolgate: Run, services: Services, traffic: None, tmp_path: Path) -> None:
    file, drawn = tmp_path / "traffic.jsonl", tmp_path / "run.svg"
    owned: dict[str, Any] = {"owner": "Ann", "labels": {"env": "prod"}}
    record_request(services.scripts, "default", 1_774_742_400, model="m", **owned)
    exported = poolgate("ledger export").stdout
    file.write_text(exported)

    command = f"replay {file} --policy ordered --window east=100/5h --json"
    (report,) = json.loads(poolgate(command, "--picture", str(drawn)).stdout)["data"]

    assert (report["policy"], report["requests"], report["turns"]) == ("ordered", 11, 8)
    assert set(report["spread"]) <= {"east", "west"}
    assert "sk" not in json.loads(exported.splitlines()[0])["accounts"][0].values()
    assert "owner" not in json.loads(exported.splitlines()[1])
    assert json.loads(exported.splitlines()[-1]).items() >= owned.items()
    assert ElementTree.parse(drawn).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    "wrong", ["replay - --window x", "replay - --policy best", "replay -", "replay setup.cfg"]
)
def test_what_cannot_be_replayed(poolgate: Run, wrong: str) -> None:
    assert poolgate(wrong).exit_code == 2
