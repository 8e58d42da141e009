"""Keys and teams of LiteLLM's admin API."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from app.errors import InvalidRequest
from app.operations.account_rules import KIND_RULES
from app.operations.setup.litellm import convert_litellm
from schemas.setup_document import SetupDocument

TOKEN = hashlib.sha256(b"sk-1").hexdigest()


def convert(keys: Any, teams: Any = None) -> tuple[dict[str, Any], str]:
    """Return the document and the remarks, and check that the document is valid."""
    converted = convert_litellm({"model_list": []}, {}, keys=keys, teams=teams)
    SetupDocument(KIND_RULES).load(converted.document)
    return converted.document, "\n".join(map(str, converted.remarks))


def key(**fields: Any) -> dict[str, Any]:
    return {"token": TOKEN, "key_alias": "ann", "models": [], **fields}


def test_a_key_with_everything():
    document, remarks = convert(
        {
            "keys": [
                key(
                    models=["gpt-5", "fast"],
                    max_budget=50.5,
                    budget_duration="30d",
                    rpm_limit=10,
                    tpm_limit=10_000,
                    max_parallel_requests=3,
                    model_rpm_limit={"gpt-5": 2},
                    model_max_budget={"gpt-5": {"budget_limit": 5, "time_period": "1d"}},
                    budget_limits=[{"budget_duration": "7d", "max_budget": 20}],
                    expires="2027-01-31T00:00:00Z",
                    blocked=True,
                    spend=3.5,
                    aliases={"a": "b"},
                    user_id="default_user_id",
                )
            ],
            "total_count": 1,
        }
    )

    assert document["keys"] == [
        {
            "name": "ann",
            "sha256": TOKEN,
            "models": ["gpt-5", "fast"],
            "limits": [
                "50.5 usd/month",
                "20 usd/week",
                "10 requests/minute",
                "10000 total_tokens/minute",
                "3 parallel_requests",
                "2 requests/minute for gpt-5",
                "5 usd/day for gpt-5",
            ],
            "expires": "2027-01-31T00:00:00Z",
            "disabled": True,
        }
    ]
    assert "not imported: keys[0] (ann): aliases" in remarks
    assert "not imported: keys: spend so far" in remarks


def test_names():
    keys = [key(key_alias="Ann's key"), key(key_alias="Ann's key"), key(key_alias=None)]
    document, _ = convert(keys)

    assert [each["name"] for each in document["keys"]] == ["Ann-s-key", "Ann-s-key-2", f"litellm-{TOKEN[:8]}"]


def test_a_team():
    team = {"team_id": "t1", "team_alias": "Research", "max_budget": 9, "models": ["gpt-5"], "blocked": False}
    keys = [key(team_id="t1"), key(key_alias="bob", team_id="t1", models=["all-team-models"])]

    document, _ = convert(keys, [team])

    assert document["teams"] == [{"name": "Research", "limits": ["9 usd/ever"]}]
    assert {(each["team"], *each["models"]) for each in document["keys"]} == {("Research", "gpt-5")}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"token": "sk-...abcd"}, "its token is no SHA-256"),
        ({"token": None}, "its token is no SHA-256"),
        ({"models": ["no-default-models"]}, "none of its models"),
        ({"models": [" x "]}, "none of its models"),
        ({"models": ["m"] + [f"m{n}" for n in range(1001)]}, "or too many"),
        ({"expires": "soon"}, "its expiry is no date"),
        ({"expires": 5}, "its expiry is no date"),
        ({"team_id": "gone"}, "its team is not in the list of teams"),
        ({"max_budget": 1, "budget_duration": "30s"}, "max_budget: there is no such period"),
        ({"max_budget": 0}, "max_budget: A limit must be above zero"),
        ({"rpm_limit": "many"}, "rpm_limit: 'many' is not a number"),
        ({"tpm_limit": {}}, "tpm_limit: '{}' is not a number"),
        ({"model_rpm_limit": {"two words": 5}}, "model_rpm_limit: there is no such"),
        ({"metadata": {"model_tpm_limit": {"gpt-5": -1}}}, "model_tpm_limit: A limit must be above zero"),
        ({"model_rpm_limit": {f"m{n}": 1 for n in range(100)}}, "limits after the first"),
    ],
)
def test_a_key_that_would_be_allowed_more_is_left_out(fields, reason):
    document, remarks = convert([key(**fields)])

    assert "keys" not in document
    assert reason in remarks


def test_keys_of_a_team_that_would_be_allowed_more():
    teams = [{"team_id": "t1", "team_alias": "red", "max_budget": 0}, {"team_id": "t2", "team_alias": "blue"}]
    keys = [key(team_id="t1"), key(key_alias="bob", team_id="t2")]

    document, remarks = convert(keys, teams)

    assert [each["name"] for each in document["keys"]] == ["bob"]
    assert "keys[0] (ann): the key: a limit of its team is not imported" in remarks


def test_rates_of_models_in_the_metadata():
    metadata = {"model_rpm_limit": {"gpt-5": 2, "gpt-6": None}, "model_tpm_limit": {"gpt-5": 900}, "tags": []}
    document, _ = convert([key(metadata=metadata)])

    limits = ["2 requests/minute for gpt-5", "900 total_tokens/minute for gpt-5"]
    assert document["keys"][0]["limits"] == limits


def test_a_pattern_stays_one():
    document, remarks = convert([key(models=["anthropic/*"])])

    assert document["keys"][0]["models"] == ["anthropic/*"]
    assert "anthropic" not in str(remarks)


@pytest.mark.parametrize("listed", [7, {}, {"keys": 1}, ["a" * 64], {"keys": ["a" * 64]}])
def test_no_such_list(listed):
    with pytest.raises(InvalidRequest, match="keys must be a list of objects"):
        convert(listed)


@pytest.mark.parametrize("wrong", [None, -1, 1e300, True, "", "x" * 300, [], [[]], {"a": []}])
def test_values_of_any_type(wrong):
    names = [
        *("key_alias", "models", "max_budget", "budget_duration", "rpm_limit", "model_rpm_limit", "team_id"),
        *("model_max_budget", "budget_limits", "expires", "blocked", "aliases", "spend", "token"),
    ]
    for name in names:
        convert([key(**{name: wrong})], [{"team_id": "t", name: wrong}])
