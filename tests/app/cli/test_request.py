"""`poolgate request`, on a real store."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from app.accounts.account import Account
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.stores.records.refusals import RefusedRequest
from app.wiring import Services
from tests.app.cli.conftest import Run
from tests.support.ledger_rows import record_request

ATTEMPTS = [
    {"wire": "chat", "error": "bad_gateway", "failure": "server_error", "action": "other"}
    | {"upstream_status": 503, "upstream_code": "overloaded_error"},
    {"wire": "chat"},
]
BOUNDS = {"input_tokens": 1, "output_tokens": 1, "cost": 1}


@pytest.fixture
def settled(services: Services) -> str:
    """A request whose first account failed."""
    services.pools.ensure("default")
    for name in ("east", "west"):
        services.accounts.add("default", Account("", name, "openai", "http://x", credential="sk"))
    services.accounts.add("default", Account("", "spare", "openai", "http://x", credential="sk"))
    services.accounts.pause("default", "spare", "on holiday")
    key = services.api_keys.create("default", "ann")[0]
    admission: dict[str, Any] = {
        "id": "r1",
        "key": key.id,
        "model": "m",
        "endpoint": "/v1/responses",
        "wire": "",
    }
    admission |= {"demo": False, "affinity": "", "pin": "", "ttl_ms": 30_000, "sticky_ms": 1, "calendar": {}}
    admission |= {"bounds": BOUNDS, "estimates": BOUNDS}
    first = services.scripts.run_json("admit", "default", admission)["account"]
    failed = {"attempt": 1, "mark": {}, "tried": [first], "never": []}
    second = services.scripts.run_json("report", "default", admission | failed)["account"]
    row = {"id": "r1", "at_ms": 1_774_742_400_000, "key": key.id, "account": second, "model": "m"}
    row |= {"endpoint": "/v1/responses", "status": 200, "source": "upstream"}
    row["attempts"] = [
        {"account": one, **attempt} for one, attempt in zip((first, second), ATTEMPTS, strict=True)
    ]
    services.ledger.settlements.settle("default", {"id": "r1", "mark": {}, "row": row, "calendar": {}})
    return "r1"


def test_for_people(poolgate: Run, settled: str) -> None:
    explanation = poolgate(f"request explain {settled}").stdout

    assert explanation.startswith(
        "/v1/responses for m, key 'ann', 2026-03-29 00:00:00Z\n"
        "The caller received the complete response (status 200).\n"
    )
    assert "(lowest score of the policy 'balanced'; 1 of 100 parallel requests)" in explanation
    assert "spare        paused  on holiday  until it is resumed" in explanation
    assert (
        "answered with a server error (status 503, overloaded_error). The next attempt went to" in explanation
    )
    assert explanation.count("  chosen\n") == 2
    assert "acct_" not in explanation


def test_tokens_cost_and_times(poolgate: Run, services: Services) -> None:
    """The cost of failed attempts is a part of the cost."""
    services.pools.ensure("default")
    figures = {"input_tokens": 1200, "output_tokens": 30, "cached_tokens": 1000, "reasoning_tokens": 5}
    figures |= {"cost": 1_657_000, "waste_cost": 400_000, "first_ms": 840}
    paid = record_request(services.scripts, "default", time.time(), **figures)["id"]

    explained = poolgate(f"request explain {paid}").stdout
    assert (
        "Tokens       1,200 in (1,000 from cache), 30 out (5 reasoning); counted by the upstream\n"
        in explained
    )
    assert "Cost         $1.66, of which $0.40 for failed attempts\n" in explained
    assert "First token  after 840 ms\n" in explained


def test_models_that_were_passed_over(poolgate: Run, services: Services) -> None:
    services.pools.ensure("default")
    east = services.accounts.add("default", Account("", "east", "openai", "http://x", credential="sk"))
    passed = [
        {"model": "m1", "code": "no_accounts", "seen": [{"account": east.id, "reason": "missing"}]},
        {"model": "m2", "code": "no_accounts", "seen": []},
        {"model": "m3", "code": "rate_limit_exceeded", "seen": []},
    ]
    request_id = record_request(services.scripts, "default", time.time(), passed_over=passed)["id"]

    shown = poolgate(f"request explain {request_id}").stdout

    assert "m1 was passed over: east (the model rests there: missing at its server).\n" in shown
    assert "m2 was passed over: no account was available.\n" in shown
    assert "m3 was passed over: rate_limit_exceeded.\n" in shown
    explained = json.loads(poolgate(f"request explain {request_id} --json").stdout)["passed_over"]
    assert explained[0] == {
        "model": "m1",
        "error": "no_accounts",
        "candidates": [{"account": {"id": east.id, "name": "east"}, "why": "missing"}],
    }


def test_a_wait_for_an_account(poolgate: Run, services: Services) -> None:
    services.pools.ensure("default")
    waited = record_request(services.scripts, "default", time.time(), queued_ms=3240)["id"]
    at_once = record_request(services.scripts, "default", time.time())["id"]

    assert "It waited 3.2 s for an account.\n" in poolgate(f"request explain {waited}").stdout
    assert "It waited" not in poolgate(f"request explain {at_once}").stdout


def test_one_that_waits(poolgate: Run, services: Services) -> None:
    services.pools.ensure("default")
    services.accounts.add("default", Account("", "east", "openai", "http://x", credential="sk", cap=1))
    key = services.api_keys.create("default", "ann")[0]
    admission: dict[str, Any] = {"key": key.id, "model": "m", "endpoint": "/v1/responses", "wire": ""}
    admission |= {"demo": False, "affinity": "", "pin": "", "ttl_ms": 30_000, "sticky_ms": 1, "calendar": {}}
    admission |= {"bounds": BOUNDS, "estimates": BOUNDS, "wait": 10}
    for request_id in ("r1", "r2", "r3"):
        services.scripts.run_json("admit", "default", admission | {"id": request_id})

    assert "It waits for an account; none waits before it." in poolgate("request explain r2").stdout
    explanation = json.loads(poolgate("request explain r3 --json").stdout)
    assert (explanation["state"], explanation["before"], explanation["key"]["name"]) == ("waiting", 1, "ann")
    assert "1 other waits before it" in explanation["outcome"]


def test_for_scripts(poolgate: Run, settled: str) -> None:
    explanation = json.loads(poolgate(f"request explain {settled} --json").stdout)

    assert [choice["attempt"] for choice in explanation["choices"]] == [1, 2]
    assert explanation["choices"][1]["candidates"][0]["why"] in ("already tried for this request", "chosen")


def test_unknown(poolgate: Run) -> None:
    result = poolgate("request explain nope")

    assert result.exit_code == 1
    assert "There is no request 'nope'" in result.stderr
    assert "If it was refused, its details are not stored" in result.stderr


class TestList:
    def test_newest_first(self, poolgate, services):
        services.pools.ensure("default")
        key, _ = services.api_keys.create("default", "ann")
        fine, failed = (
            record_request(services.scripts, "default", time.time(), key=key.id, status=status)
            for status in (200, 503)
        )

        lines = poolgate("request list").stdout.splitlines()
        assert [line.split()[-1] for line in lines] == ["ID", failed["id"], fine["id"]]
        assert " ann  acct_1 (removed)  gpt-5 " in lines[1]
        page = json.loads(poolgate("request list --status failed --key ann --json").stdout)
        assert [one["id"] for one in page["data"]] == [failed["id"]]

    def test_a_later_model_answered(self, poolgate, services):
        services.pools.ensure("default")
        now = time.time()
        failed = record_request(services.scripts, "default", now, status=502, error="server_error", models=2)
        more = {"id": f"{failed['id']}-1", "model": "o3", "fallback_of": failed["id"], "fallbacks": 1}
        record_request(services.scripts, "default", now, **more)

        assert " 502  server_error, then answered by o3 " in poolgate("request list").stdout
        (line,) = json.loads(poolgate("request list --status failed --json").stdout)["data"]
        assert line["answered_by"] == {"id": more["id"], "model": "o3"}
        assert not {"models", "fallbacks", "failed_before"} & set(line)
        logged = poolgate("logs").stdout
        assert "server_error, then answered by o3" in logged
        explained = poolgate(f"request explain {failed['id']}").stdout
        assert (
            f"It failed at this model with status 502 (server_error); then o3 answered it, as {more['id']}."
            in explained
        )

    def test_an_upstream_error_without_a_code(self, poolgate, services):
        services.pools.ensure("default")
        attempt = {
            "account": "acct_1",
            "failure": "caller",
            "upstream_status": 400,
            "upstream_code": "bad_thing",
        }
        record_request(services.scripts, "default", time.time(), status=400, attempts=[attempt])
        record_request(services.scripts, "default", time.time(), status=404)

        shown = poolgate("request list").stdout

        assert " 400  bad_thing " in shown
        assert " 404  Not Found " in shown

    def test_none_of_a_model(self, poolgate, services):
        """Clients may have used another name, such as that of a model route."""
        services.pools.ensure("default")
        services.routes.put("default", ModelRoute("fast", ((RouteTarget("gpt-5"),),)))

        both = "--model takes the model that served; --requested takes the name that clients use."
        assert poolgate("request list --model odd").stderr == f"No requests found. {both}\n"
        route = "'fast' is a model route: --requested fast finds its requests."
        assert poolgate("request list --model fast").stderr == f"No requests found. {route}\n"
        assert poolgate("request list --key key_1").stderr == "No requests found.\n"
        poolgate("team create research")
        assert poolgate("request list --team research").stderr == "No requests found.\n"
        team = "There is no team named 'reserach'. Did you mean 'research'?"
        assert poolgate("request list --team reserach").stderr == f"No requests found. {team}\n"

    def test_json_and_the_first_rows(self, poolgate, services):
        refused = poolgate("request list --json --top 3")

        assert refused.exit_code == 2
        assert (
            "--json cannot be combined with --sort, --top or --csv; --limit bounds its rows" in refused.stderr
        )

    def test_refused(self, poolgate: Run, services: Services) -> None:
        """Found by status, by key and among the refused, and explained by its id."""
        services.pools.ensure("default")
        key, _ = services.api_keys.create("default", "ann")
        served = record_request(services.scripts, "default", time.time(), key=key.id)
        refusal = {"id": "req_no", "at_ms": 1_774_742_400_000, "model": "gpt-5", "endpoint": "/v1/responses"}
        refusal |= {"status": 429, "code": "rate_limit_exceeded", "message": "$5.00 is used up"}
        services.ledger.refusal_log.add(RefusedRequest(**refusal, pool="default", key=key.id))
        services.ledger.refusal_log.flush()

        def ids(options: str) -> list[str]:
            listed = poolgate(f"request list {options} --json").stdout
            return [one["id"] for one in json.loads(listed)["data"]]

        assert set(ids("")) == {"req_no", served["id"]}  # they may have ended in the same millisecond
        assert [ids(options) for options in ("--refused", "--status 429", "--status failed --key ann")] == [
            ["req_no"]
        ] * 3
        assert ids("--status ok") == [served["id"]]
        assert poolgate("request list --refused").stdout.splitlines()[1].split()[2:7] == [
            *("ann", "refused", "gpt-5", "429", "rate_limit_exceeded"),
        ]
        assert poolgate("request explain req_no").stdout == (
            "/v1/responses for gpt-5, key 'ann', 2026-03-29 00:00:00Z\n"
            "It was refused; the caller received status 429 (rate_limit_exceeded): $5.00 is used up\n"
        )
        assert json.loads(poolgate("request explain req_no --json").stdout)["state"] == "refused"

    def test_owner_and_labels(self, poolgate: Run, services: Services) -> None:
        services.pools.ensure("default")
        owned: dict[str, Any] = {"owner": "Ann", "labels": {"env": "prod", "tier": "2"}}
        made = record_request(services.scripts, "default", time.time(), **owned)["id"]
        record_request(services.scripts, "default", time.time(), labels={"env": "test"})

        for options in ("--owner Ann", "--label env=prod --label tier", "--owner Ann --label env"):
            (line,) = json.loads(poolgate(f"request list {options} --json").stdout)["data"]
            assert (line["id"], line["owner"], line["labels"]) == (made, "Ann", owned["labels"]), options
        assert poolgate("request list --owner Ann --label env=test").stderr == "No requests found.\n"
        explained = poolgate(f"request explain {made}").stdout
        assert "key 'key_1 (removed)', owner 'Ann', env=prod, tier=2, " in explained

    def test_what_cannot_be(self, poolgate, services):
        services.pools.ensure("default")
        for options in ("--label 'a b'", "--status odd", "--since soon", "--key nobody"):
            assert poolgate(f"request list {options}").exit_code in (1, 2), options
