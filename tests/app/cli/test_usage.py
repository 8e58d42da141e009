"""`poolgate usage`, on a real store."""

from __future__ import annotations

import csv
import json
import time

import pytest

from app.accounts.account import Account
from app.cli import listing
from app.stores import keys
from tests.support.ledger_rows import record_request


@pytest.fixture
def used(poolgate, services):
    """Ann's key and Bob's used two models today."""
    ids = []
    for name in ("ann", "bob"):
        poolgate(f"key create --name {name}")
        ids.append(services.api_keys.find("default", name).id)
    figures = {
        f"{ids[0]}|acct|gpt-5|requests": 2,
        f"{ids[0]}|acct|gpt-5|input_tokens": 100,
        f"{ids[0]}|acct|gpt-5|cost": 1_234_567,
        f"{ids[1]}|acct|o3|requests": 1,
        f"{ids[1]}|acct|o3|errors": 1,
    }
    today = int(time.time()) // 86400 * 86400
    services.scripts.client.hset(keys.rollup("default", "d", today), mapping=figures)


def test_by_key(poolgate, used):
    assert poolgate("usage").stdout.splitlines() == [
        "KEY  REQUESTS  ERRORS  INPUT  CACHED  OUTPUT   COST",
        "ann         2       0    100       0       0  $1.23",
        "bob         1       1      0       0       0  $0.00",
    ]


def test_by_model_of_one_key(poolgate, used):
    (line,) = json.loads(poolgate("usage --by model --key ann --json").stdout)["data"]

    assert (line["model"], line["requests"], line["input_tokens"], line["cost"]) == (
        "gpt-5",
        2,
        100,
        1_234_567,
    )


def test_an_account_that_is_gone(poolgate, used):
    """Keys and accounts that were removed are shown by their last name, else by id."""
    assert poolgate("usage --by account").stdout.splitlines()[1].startswith("acct (removed)  ")

    poolgate("key remove bob --yes")
    assert poolgate("usage --by key").stdout.splitlines()[2].startswith("bob (removed)  ")


def test_since(poolgate, used):
    assert poolgate("usage --since 2999-01-01").stderr == "No usage.\n"
    assert poolgate("usage --since yesterday").exit_code == 0
    assert poolgate("usage --since yesteryear").exit_code == 2


def test_unknown_key(poolgate):
    assert poolgate("usage --key nobody").exit_code == 1


def test_over_a_time(poolgate, services):
    services.pools.ensure("default")
    for model in ("gpt-5", "gpt-5", "o3"):
        record_request(services.scripts, "default", time.time() - 1, model=model)

    lines = poolgate("usage --span 24h --by model").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["MODEL", "REQUESTS"], ["gpt-5", "2"], ["o3", "1"]]
    usage = json.loads(poolgate("usage --span 1h --by model --json").stdout)
    assert (len(usage["starts"]), usage["data"][0]["total"]["requests"]) == (60, 2)
    assert poolgate("usage --span 1h --since 2026-01-01").exit_code == 2


def test_a_breakdown_has_no_times(poolgate, services):
    poolgate("key create --name ann")
    key_id = services.api_keys.find("default", "ann").id
    record_request(services.scripts, "default", time.time() - 1, key=key_id)

    heads, line = poolgate("usage --key ann --by model --span 24h").stdout.splitlines()

    assert heads.endswith("FIRST P50  FIRST P95  TOTAL P50  TOTAL P95  TOKENS/S")
    assert line.split()[-5:] == ["-"] * 5


@pytest.mark.parametrize(("option", "is_shown"), [("", False), (" --csv", True)])
def test_on_a_narrow_terminal(poolgate, services, monkeypatch, option, is_shown):
    """The table leaves columns out, CSV never does."""
    monkeypatch.setattr(listing, "terminal_width", lambda: 80)
    services.pools.ensure("default")
    record_request(services.scripts, "default", time.time() - 1)

    heads = poolgate(f"usage --span 24h --by model{option}").stdout.splitlines()[0].lower().replace(" ", "-")

    assert "first-p95" in heads
    assert [one in heads for one in ("cached", "first-p50", "total-p50")] == [is_shown] * 3


@pytest.mark.parametrize("option", ["", " --span 24h"])
def test_a_failure_after_which_another_model_answered(poolgate, services, option):
    """It is no request and no error of the key, but one of its model; JSON has all figures."""
    services.pools.ensure("default")
    record_request(services.scripts, "default", time.time(), status=502, model="gpt-5")
    record_request(services.scripts, "default", time.time(), model="o3", fallbacks=1)

    def shown(by):
        heads, *rows = csv.reader(poolgate(f"usage --by {by} --csv{option}").stdout.splitlines())
        return [(row[heads.index("requests")], row[heads.index("errors")]) for row in rows]

    assert shown("key") == [("1", "0")]
    assert shown("model") == [("1", "1"), ("1", "0")]
    (line,) = json.loads(poolgate(f"usage --json{option}").stdout)["data"]
    figures = line["total"] if option else line
    assert (figures["requests"], figures["errors"], figures["fallbacks"]) == (2, 1, 1)


class TestByWhatKeysHave:
    @pytest.fixture
    def owned(self, poolgate, used):
        """Both keys have the same owner, and a label."""
        poolgate("key set ann --owner Ann --label env=prod")
        poolgate("key set bob --owner Ann --label env=test")

    def test_by_owner(self, poolgate, owned):
        (line,) = json.loads(poolgate("usage --by owner --json").stdout)["data"]

        assert (line["owner"], line["requests"], line["errors"]) == ("Ann", 3, 1)

    def test_of_an_owner_or_a_label(self, poolgate, owned):
        def requests(options):
            lines = json.loads(poolgate(f"usage {options} --json").stdout)["data"]
            return {line["key"]: line["requests"] for line in lines}

        both = requests("")
        assert set(both) == {"ann", "bob"}
        assert requests("--owner Ann") == requests("--label env") == both
        assert requests("--label env=prod --owner Ann") == {"ann": both["ann"]}
        assert requests("--key ann --label env=test") == requests("--owner Bob") == {}
        for options in ("--by team --owner Ann", "--span 1h --label env", "--label 'a b'"):
            assert poolgate(f"usage {options}").exit_code == 2

    def test_by_label(self, poolgate, owned):
        poolgate("key remove bob --yes")

        assert poolgate("usage --by label:env").stdout.splitlines() == [
            "ENV     REQUESTS  ERRORS  INPUT  CACHED  OUTPUT   COST",
            "(none)         1       1      0       0       0  $0.00",
            "prod           2       0    100       0       0  $1.23",
        ]

    @pytest.mark.parametrize("span", ["", " --span 24h"])
    def test_without_a_team(self, poolgate, services, span):
        """Usage of keys without a team has the same line as that without a label."""
        poolgate("team create red")
        record_request(services.scripts, "default", time.time(), key="key_1", input_tokens=7)
        record_request(services.scripts, "default", time.time(), key="key_2", team="red", input_tokens=5)

        heads, *rows = csv.reader(poolgate(f"usage --by team --csv{span}").stdout.splitlines())
        column = heads.index("input")

        assert {row[0]: row[column] for row in rows} == {"(none)": "7", "red": "5"}

    def test_over_time(self, poolgate, services):
        """Several keys of one group are one line."""
        for name in ("ann", "bob"):
            poolgate(f"key create --name {name} --label env=prod")
            key_id = services.api_keys.find("default", name).id
            record_request(services.scripts, "default", time.time(), key=key_id, input_tokens=7)

        shown = json.loads(poolgate("usage --by label:env --span 24h --json").stdout)

        assert [(line["id"], line["total"]["input_tokens"]) for line in shown["data"]] == [("prod", 14)]
        assert len(shown["data"][0]["points"]) == len(shown["starts"])
        assert poolgate("usage --by owner --span 24h").stdout.splitlines()[1].startswith("(none)  ")

    def test_bad_input(self, poolgate, used):
        for by in ("label:", "label:a b", "colour"):
            assert poolgate("usage --by", by).exit_code == 2


@pytest.mark.parametrize(
    ("option", "requests"),
    [("--model gpt-5", 1), ("--account main", 1), ("--team red", 1), ("--endpoint /v1/embeddings", 1)],
)
def test_of_one_in_a_range(poolgate, services, option, requests):
    services.pools.ensure("default")
    account = services.accounts.add("default", Account("", "main", "openai", "http://x"))
    more = {"account": account.id, "team": "red", "endpoint": "/v1/embeddings"}
    record_request(services.scripts, "default", time.time(), **more)
    record_request(services.scripts, "default", time.time(), model="o3")

    by = option.split()[0].removeprefix("--")
    (line,) = json.loads(poolgate(f"usage {option} --span 24h --by {by} --json").stdout)["data"]
    assert line["total"]["requests"] == requests
    assert "needs --span or --from" in poolgate(f"usage {option}").stderr


def test_an_unknown_account_in_a_range(poolgate, services):
    services.pools.ensure("default")

    assert "no account named 'nobody'" in poolgate("usage --account nobody --span 24h").stderr
