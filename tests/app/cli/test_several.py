"""Commands that change several objects at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.accounts.account import Account
from app.wiring import Services

POOL = "default"


@pytest.fixture
def keys(poolgate: Any) -> tuple[str, ...]:
    for name in ("ann", "bob", "cleo"):
        poolgate(f"key create --name {name}")
    return ("ann", "bob", "cleo")


def states(services: Services) -> dict[str, str]:
    return {key.name: str(key.state) for key in services.api_keys.all(POOL)}


def test_each_is_changed_and_reported(poolgate: Any, services: Services, keys: tuple[str, ...]) -> None:
    """A name that is given twice is changed once."""
    result = poolgate("key disable ann bob ann")

    assert result.stdout.splitlines() == [
        "Disabled key 'ann' in pool 'default'.",
        "Disabled key 'bob' in pool 'default'.",
    ]
    assert states(services) == {"ann": "disabled", "bob": "disabled", "cleo": "active"}
    assert poolgate("key enable ann bob").exit_code == 0
    assert set(states(services).values()) == {"active"}


def test_a_failure_does_not_stop_the_others(poolgate: Any, services: Services, keys: tuple[str, ...]) -> None:
    result = poolgate("key disable ann bbo cleo")

    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr.startswith("Error: key 'bbo': There is no")
    assert "Did you mean 'bob'?" in result.stderr
    assert states(services) == {"ann": "disabled", "bob": "active", "cleo": "disabled"}


def test_json(poolgate: Any, keys: tuple[str, ...]) -> None:
    """One name returns the object, as before; several return a list."""
    assert json.loads(poolgate("key disable ann --json").stdout)["state"] == "disabled"

    result = poolgate("key enable ann nobody --json")

    body = json.loads(result.stdout)
    assert (result.exit_code, body["object"], body["changed"]) == (1, "list", 1)
    first, second = body["data"]
    assert (first["name"], first["state"]) == ("ann", "active")
    assert (second["name"], second["error"]["code"]) == ("nobody", "not_found")


def test_only_changes_are_counted(poolgate: Any, keys: tuple[str, ...]) -> None:
    """A key that was disabled already, or has the limit, is reported, and not counted."""
    poolgate("key disable ann")
    poolgate("key limit add ann", "5 usd/day")

    assert json.loads(poolgate("key disable ann bob --json").stdout)["changed"] == 1
    assert json.loads(poolgate("key limit add ann bob", "5 usd/day", "--json").stdout)["changed"] == 1


def test_nothing_is_removed_if_a_name_is_unknown(
    poolgate: Any, services: Services, keys: tuple[str, ...]
) -> None:
    """What cannot be undone begins after all names were found."""
    assert poolgate("key remove ann nobody --yes").exit_code == 1
    assert set(states(services)) == set(keys)

    assert poolgate("key remove ann bob --yes").exit_code == 0
    assert set(states(services)) == {"cleo"}


def test_the_question_names_all(
    poolgate: Any, keys: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.prompts.is_terminal", lambda: True)

    result = poolgate("key remove ann bob", stdin="n\n")

    assert "Remove keys 'ann', 'bob' from pool 'default'? Their secrets cannot be recovered." in result.stderr
    assert "bob" in poolgate("key list").stdout


def test_settings(poolgate: Any, services: Services, keys: tuple[str, ...]) -> None:
    """Labels of each key stay; warnings name the key."""
    poolgate("key set ann --label env=prod")

    result = poolgate("key set ann bob --label tier=2 --expires 2020-01-01")

    found = {key.name: dict(key.labels) for key in services.api_keys.all(POOL)}
    assert found == {"ann": {"env": "prod", "tier": "2"}, "bob": {"tier": "2"}, "cleo": {}}
    assert [line.partition(" it has")[0] for line in result.stderr.splitlines()] == [
        "Warning: key 'ann':",
        "Warning: key 'bob':",
    ]


def test_an_error_of_all_is_raised_once(poolgate: Any, services: Services, keys: tuple[str, ...]) -> None:
    result = poolgate("key set ann bob --weight 0 --owner x")

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert {key.owner for key in services.api_keys.all(POOL)} == {""}


def test_teams_and_accounts(poolgate: Any, services: Services) -> None:
    for name in ("red", "blue"):
        poolgate(f"team create {name}")
        poolgate(f"account add compatible --name {name} --base-url http://127.0.0.1:9/v1")

    assert poolgate("team disable red blue").exit_code == 0
    assert [team.is_active for team in services.teams.all(POOL)] == [False, False]
    assert poolgate("team enable red blue").exit_code == 0
    assert poolgate("team remove red blue --yes").exit_code == 0
    assert services.teams.all(POOL) == []

    assert poolgate("account pause red blue").exit_code == 0
    assert {str(account.state) for account in services.accounts.all(POOL)} == {"paused"}
    assert poolgate("account resume red blue").exit_code == 0
    assert poolgate("account remove red blue --yes").exit_code == 0
    assert services.accounts.all(POOL) == []


@pytest.mark.parametrize(
    ("switch", "back", "line", "line_back"),
    [
        (
            "account pause a",
            "account resume a",
            "Account 'a' {} paused already",
            "Account 'a' {} active already",
        ),
        (
            "key disable ann",
            "key enable ann",
            "Key 'ann' {} disabled already",
            "Key 'ann' {} enabled already",
        ),
        ("team disable t", "team enable t", "Team 't' {} disabled already", "Team 't' {} enabled already"),
    ],
)
def test_what_had_the_state_already(
    poolgate: Any,
    services: Services,
    keys: tuple[str, ...],
    switch: str,
    back: str,
    line: str,
    line_back: str,
) -> None:
    services.accounts.add(POOL, Account("", "a", "openai", "http://127.0.0.1:1/v1"))
    services.teams.create(POOL, "t")

    for command, expected in ((switch, line), (back, line_back)):
        first, second = (poolgate(command) for _ in range(2))
        assert "already" not in first.stdout
        assert second.stdout == expected.format("in pool 'default' was") + ".\n"
        assert second.exit_code == 0


def test_nothing_to_trust_or_forget(poolgate: Any, services: Services) -> None:
    services.accounts.add(POOL, Account("", "a", "openai", "http://127.0.0.1:1/v1"))

    assert "was trusted already" in poolgate("account trust-lengths a").stdout
    assert "was sent all fields already" in poolgate("account forget-refused a").stdout


def test_settings_of_several_accounts(poolgate: Any, services: Services) -> None:
    """A wrong value changes none; a name that is unknown is reported."""
    for name in ("a", "b"):
        services.accounts.add(POOL, Account("", name, "openai", "http://127.0.0.1:1/v1"))

    assert poolgate("account set a b --cap 0").exit_code == 2
    result = poolgate("account set a x b --group 2 --header X-Lab=1")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: account 'x': ")
    assert [account.group for account in services.accounts.all(POOL)] == [2, 2]
    assert "the account has no 'X-Lib'" in poolgate("account set a b --remove-header X-Lib").stderr
    assert poolgate("account set a b --remove-header X-Lab").exit_code == 0


def test_limits_of_several_teams(poolgate: Any, services: Services) -> None:
    for name in ("red", "blue"):
        services.teams.create(POOL, name)

    added = poolgate("team limit add red blue", "5 usd/month").stdout.splitlines()
    assert [line.partition(" to ")[2] for line in added] == [
        "team 'red': 5 usd/month",
        "team 'blue': 5 usd/month",
    ]
    assert len({limit.id for team in services.teams.all(POOL) for limit in team.limits}) == 2
    as_json = json.loads(poolgate("team limit add red blue --json", "6 usd/day").stdout)
    assert [each["team"] for each in as_json["data"]] == ["red", "blue"]
    assert poolgate("team limit add red blue", "6 pounds").exit_code == 2
    assert poolgate("team set red blue --key-limit", "1 usd/day").exit_code == 0
    assert {team.key_limits for team in services.teams.all(POOL)} == {("1 usd/day",)}
