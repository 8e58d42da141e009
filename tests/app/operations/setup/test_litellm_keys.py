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
    ],
)
def test_a_key_that_would_be_allowed_more_is_left_out(fields, reason):
    document, remarks = convert([key(**fields)])

    assert "keys" not in document
    assert reason in remarks


@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        ({"max_budget": 1, "budget_duration": "30s"}, "max_budget: there is no such period"),
        ({"max_budget": -1}, "max_budget: A limit must be above zero"),
        ({"rpm_limit": "many"}, "rpm_limit: 'many' is not a number"),
        ({"tpm_limit": {}}, "tpm_limit: '{}' is not a number"),
        ({"team_id": "gone"}, "team_id: the team is not in the list of teams"),
        ({"models": ["anthropic/*"]}, "anthropic/* allows the model route of that name alone"),
    ],
)
def test_what_is_reported(fields, remark):
    document, remarks = convert([key(**fields)])

    assert document["keys"][0]["name"] == "ann"
    assert remark in remarks


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
