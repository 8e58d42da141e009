"""`poolgate pool`, on a real store."""

from __future__ import annotations

import json

import pytest

from app.accounts.account import Account


def test_for_people(poolgate, services):
    services.pools.ensure("team-b")
    poolgate("key create --name ann")

    assert poolgate("pool list").stdout.splitlines() == [
        "NAME     ACCOUNTS  KEYS  POLICY    TIME ZONE",
        "default         0     1  balanced  UTC",
        "team-b          0     0  balanced  UTC",
    ]


def test_for_scripts(poolgate, services):
    services.pools.ensure("team-b")

    assert json.loads(poolgate("pool list --json").stdout) == {
        "object": "list",
        "data": [
            {"name": "team-b", "policy": "balanced", "zone": "UTC", "accounts": 0, "keys": 0, "settings": {}}
        ],
    }


def test_one_alone(poolgate, services):
    services.pools.ensure("a")
    services.pools.ensure("b")

    listed = json.loads(poolgate("pool list --pool b --json").stdout)

    assert [one["name"] for one in listed["data"]] == ["b"]


def test_one_that_is_not_there(poolgate):
    result = poolgate("pool list --pool typo")

    assert (result.exit_code, result.stderr) == (1, "Error: There is no pool named 'typo'\n")


def test_none(poolgate):
    result = poolgate("pool list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "No pools yet" in result.stderr


def test_set(poolgate):
    """All settings are changed at once; unnamed ones stay."""
    output = poolgate("pool set --zone Europe/Berlin --policy ordered").stdout
    assert output == "Pool 'default': policy ordered; time zone Europe/Berlin\n"

    poolgate("pool set --time-limit idle=30 --time-limit o3*:total=1800 --hide-accounts")
    changed = json.loads(poolgate("pool set --time-limit idle=default --policy balanced --json").stdout)

    assert (changed["zone"], changed["policy"]) == ("Europe/Berlin", "balanced")
    assert changed["settings"] == {
        "time_limits": {"*": {}, "o3*": {"total": 1800}},
        "names_accounts": False,
    }


def test_what_responses_report(poolgate):
    poolgate("pool set --hide-windows --hide-accounts")
    changed = json.loads(poolgate("pool set --show-accounts --json").stdout)

    assert changed["settings"] == {"tells_windows": False, "names_accounts": True}


def test_flags_are_printed_in_words(poolgate):
    output = poolgate("pool set --hide-accounts --hide-windows --no-holders-rotate --keep-days 90").stdout

    assert "accounts are hidden from callers; usage windows are hidden from callers; " in output
    assert "holders may not rotate their keys; keep_days 90\n" in output
    assert "accounts are shown to callers" in poolgate("pool set --show-accounts").stdout


def test_whether_upstreams_stream(poolgate):
    changed = json.loads(poolgate("pool set --stream-upstream auto --json").stdout)

    assert changed["settings"] == {"stream_upstream": "auto"}


def test_how_long_the_ledger_is_retained(poolgate):
    changed = json.loads(poolgate("pool set --keep-days 90 --affinity-minutes 0 --json").stdout)

    assert changed["settings"] == {"keep_days": 90, "affinity_minutes": 0}


def test_the_queue(poolgate):
    changed = json.loads(poolgate("pool set --queue-seconds 0 --queue-length 500 --json").stdout)

    assert changed["settings"] == {"queue_seconds": 0, "queue_length": 500}


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "--queue-seconds 601",
        "--queue-seconds -1",
        "--queue-length 0",
        "--queue-length 1001",
        "--keep-days 0",
        "--affinity-minutes -1",
        "--policy best",
        "--zone Middle/Earth",
        "--time-limit idle",
        "--time-limit idle=nan",
        "--time-limit idle=-1",
        "--time-limit patience=5",
        "--time-limit idle=999",
    ],
)
def test_what_cannot_be_set(poolgate, wrong):
    """No part of the change is made."""
    assert poolgate(f"pool set {wrong}").exit_code == 2
    assert poolgate("pool list").stdout == ""


def test_a_time_limit_for_a_model_that_no_account_lists(poolgate, services):
    account = Account("", "main", "openai", "http://127.0.0.1:1/v1", models=("gpt-5",))
    services.accounts.add("default", account)

    assert "lists gpt-6 (did you mean 'gpt-5'?)." in poolgate("pool set --time-limit gpt-6:idle=30").stderr
    assert poolgate("pool set --time-limit gpt-6:idle=default --time-limit gpt-*:idle=30").stderr == ""


@pytest.mark.parametrize(
    ("zone", "meant"),
    [("Berlin", "Europe/Berlin"), ("new_york", "America/New_York"), ("Europe/Berlni", "Europe/Berlin")],
)
def test_a_zone_that_is_none(poolgate, zone, meant):
    result = poolgate("pool set --zone", zone)

    assert result.exit_code == 2
    assert f"'{zone}' is not an IANA time zone. Did you mean '{meant}'" in result.stderr
