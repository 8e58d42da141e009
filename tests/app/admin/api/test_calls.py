"""Rules that all calls of the API share, and the calls that only read."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import orjson
import pytest
from marshmallow import ValidationError

from app.admin.api.openapi import BODIES, QUERIES
from app.limits.limit_syntax import parse_limit
from app.stores import keys
from tests.support.ledger_rows import record_request


class TestEveryCall:
    def test_none_without_a_sign_in(self, app):
        """The whole of the url_map is walked."""
        client, requests_made = app.test_client(), 0
        for rule in app.url_map.iter_rules():
            if not rule.rule.startswith("/admin/api"):
                continue
            path = app.url_map.bind("gate.test").build(rule.endpoint, dict.fromkeys(rule.arguments, "x"))
            for method in rule.methods:
                response = client.open(path, method=method, headers={"Authorization": "Bearer pgadm-no"})
                assert response.status_code == 401, (method, path)
                requests_made += 1
        assert requests_made > 60

    @pytest.mark.parametrize("schema", [*BODIES.values(), *QUERIES.values()])
    def test_a_field_that_there_is_not(self, schema):
        """Is named, in every body and behind every address."""
        with pytest.raises(ValidationError) as refused:
            schema.load({"odd": 1}, partial=True)
        ((message,),) = refused.value.messages.values()
        assert list(refused.value.messages) == ["odd"]
        assert message.startswith("is not a field of this object")

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"[1", b"nul", b'{"a":' * 3000])
    def test_a_body_that_is_no_json(self, call, body):
        response = call("POST", "/keys", data=body, content_type="application/json")

        assert (response.status_code, response.json["error"]["type"]) == (400, "invalid_request_error")

    def test_a_body_that_is_too_large(self, refused):
        assert refused("POST", "/keys", {"name": "x" * 2_000_000})[0] == 400

    def test_nothing_there(self, refused):
        assert refused("GET", "/nowhere")[0] == 404
        assert refused("PUT", "/keys")[0] == 405

    @pytest.mark.parametrize("path", ["/accounts", "/keys", "/prices", "/usage/series", "/requests"])
    def test_pools(self, refused, path):
        assert refused("GET", f"{path}?pool=nowhere") == (404, "pool")
        assert refused("GET", f"{path}?pool=../x") == (400, "pool")
        assert refused("GET", f"{path}?pool=a&pool=b") == (400, "pool")


class TestPools:
    def test_a_life(self, call, refused):
        assert call("POST", "/pools", {"name": "team", "policy": "ordered"}).status_code == 201
        assert refused("POST", "/pools", {"name": "team"}) == (400, "name")
        body = {
            "zone": "Europe/Berlin",
            "names_accounts": False,
            "time_limits": {"*": {"idle": 30}, "o3*": {"idle": 60}},
        }
        changed = call("PATCH", "/pools/team", body).json
        assert (changed["policy"], changed["zone"], changed["accounts"], changed["limits"]) == (
            "ordered",
            "Europe/Berlin",
            0,
            [],
        )
        assert changed["settings"]["time_limits"] == {"*": {"idle": 30}, "o3*": {"idle": 60}}
        changed = call("PATCH", "/pools/team", {"time_limits": {"*": {"idle": None}}}).json
        assert changed["settings"]["time_limits"]["*"] == {}
        assert [one["name"] for one in call("GET", "/pools").json["data"]] == ["default", "team"]

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"policy": "best"}, "policy"),
            ({"zone": "Mars"}, "zone"),
            ({"time_limits": {"*": {"odd": 1}}}, "time_limit"),
            ({"time_limits": {"*": {"idle": "x"}}}, "time_limits.*.idle"),
            ({"time_limits": {"*": 5}}, "time_limits.*"),
            ({"odd": 1}, "odd"),
        ],
    )
    def test_what_cannot_be(self, call, refused, body, param):
        before = call("GET", "/pools/default").json

        assert refused("PATCH", "/pools/default", body) == (400, param)
        assert call("GET", "/pools/default").json == before

    def test_a_name_that_is_none(self, refused, services):
        assert refused("POST", "/pools", {"name": "../x"}) == (400, "pool")
        assert refused("POST", "/pools", {"name": "x", "zone": "Mars"}) == (400, "zone")
        assert services.pools.names() == ["default"]


class TestUsageAndLedger:
    @pytest.fixture
    def ids(self, call, services):
        account = call("POST", "/accounts", {"kind": "openai", "name": "main", "credential": "sk-x"}).json
        key = call("POST", "/keys", {"name": "ann"}).json
        owners = {"account": account["id"], "key": key["id"]}
        for status in (200, 200, 503):
            record_request(services.scripts, "default", time.time() - 1, status=status, **owners)
        record_request(services.scripts, "default", time.time() - 1, key="key_gone")
        return owners

    def test_series(self, call, ids):
        usage_series = call("GET", "/usage/series?span=24h&by=key").json
        assert [(one["name"], one["total"]["requests"]) for one in usage_series["data"]] == [
            ("ann", 3),
            (None, 1),
        ]
        requests = usage_series["figures"].index("requests")
        assert sum(point[requests] for point in usage_series["data"][0]["points"]) == 3
        assert len(usage_series["starts"]) == 24
        assert call("GET", "/usage/series?by=account&top=1").json["data"][0]["name"] == "main"
        assert call("GET", "/usage/series").json["data"][0]["total"]["errors"] == 1

    def test_times_and_refusals(self, call, ids):
        (line, _) = call("GET", "/usage/series?by=key").json["data"]
        assert line["times"]["total_ms"]["p95"] == pytest.approx(300, rel=0.05)
        assert line["refusals"] == 0
        (line,) = call("GET", "/usage/series?by=endpoint").json["data"]
        assert (line["id"], line["total"]["requests"], line["refusals"]) == ("/v1/responses", 4, None)

    def test_dates(self, call, ids):
        """The pool's days that both dates are in."""
        series = call("GET", "/usage/series?from=2026-01-01&to=2026-01-31").json
        assert (series["span"], series["step"], series["zone"]) == (None, "day", "UTC")
        assert (len(series["starts"]), series["until"] - series["starts"][0]) == (31, 31 * 86400)

    def test_what_runs_out(self, call, ids, services):
        """Half of a window was used in one hour, so the other half lasts another."""
        now = time.time()
        window = {"used_1": 50, "reset_1": int(1000 * (now + 4 * 3600)), "length_1": 5 * 3600}
        services.scripts.client.hset(keys.account("default", ids["account"]), mapping=window)
        services.limits.add("default", parse_limit("300 requests/day"))

        found = call("GET", "/usage/outlook").json

        (line,) = found["windows"]
        assert (line["window"], line["accounts"], line["used_percent"]) == ("5 h window", 1, 50)
        assert line["exhausted_at"] == pytest.approx(now + 3600, abs=30)
        assert {(one["scope"], one["owner"], one["limit"]) for one in found["limits"]} >= {
            ("pool", "", "300 requests/day")
        }

    def test_one_endpoint(self, call, ids):
        (line,) = call("GET", "/usage/series?endpoint=/v1/responses&by=endpoint").json["data"]
        assert (line["id"], line["total"]["requests"]) == ("/v1/responses", 4)
        assert call("GET", "/usage/series?endpoint=/v1/none").json["data"] == []

    def test_a_breakdown(self, call, ids):
        (line,) = call("GET", "/usage/series?key=ann&by=model").json["data"]
        assert (line["id"], line["total"]["requests"], line["times"]) == ("gpt-5", 3, None)

    @pytest.mark.parametrize(
        ("query", "param"),
        [
            ("from=2026-01-01&span=24h", "span"),
            ("to=2026-01-01", "from"),
            ("from=soon", "from"),
            ("from=2026-01-02&to=2026-01-01", "to"),
            ("from=2019-01-01", "from"),
            ("team=red&by=key", "by"),
            ("key=ann&by=endpoint", "by"),
            ("endpoint=/v1/responses&by=key", "by"),
            ("endpoint=/v1/responses&key=ann", "endpoint"),
            ("key=nobody", "key"),
            ("key=ann&model=m", "model"),
            ("model=", "model"),
        ],
    )
    def test_impossible_series(self, call, refused, ids, query, param):
        assert refused("GET", f"/usage/series?{query}") == (400, param)

    @pytest.mark.parametrize("query", ["span=2h", "by=who", "top=0", "top=x"])
    def test_no_such_series(self, refused, query):
        assert refused("GET", f"/usage/series?{query}") == (400, query.partition("=")[0])

    def test_requests(self, call, ids):
        page = call("GET", "/requests?limit=3").json
        assert [one["key"]["name"] for one in page["data"]] == [None, "ann", "ann"]
        rest = call("GET", f"/requests?cursor={page['cursor']}").json
        assert (len(rest["data"]), rest["cursor"]) == (1, None)
        [failed] = call("GET", "/requests?key=ann&account=main&status=failed&model=gpt-5").json["data"]
        assert (failed["status"], failed["account"]["name"]) == (503, "main")
        assert len(call("GET", "/requests?key=key_gone").json["data"]) == 1
        assert call("GET", "/requests?since=2099-01-01").json["data"] == []
        assert call("GET", "/requests?owner=Ann&label=env%3Dprod,tier").json["data"] == []

    @pytest.mark.parametrize(
        "query", ["key=x", "account=x", "status=7xx", "since=soon", "limit=0", "cursor=x"]
    )
    def test_no_such_requests(self, refused, query):
        assert refused("GET", f"/requests?{query}") == (400, query.partition("=")[0])

    def test_one_request(self, call, refused, ids):
        row = call("GET", "/requests?key=ann").json["data"][0]

        for more in ("", f"?entry={row['entry']}"):
            detail = call("GET", f"/requests/{row['id']}{more}").json
            assert (detail["id"], detail["state"], detail["key"]["name"]) == (row["id"], "settled", "ann")
        assert refused("GET", "/requests/req_none") == (404, "id")
        assert refused("GET", "/requests/req_none?entry=x") == (400, "entry")


class TestPrices:
    def test_a_life(self, call):
        put = call("PUT", "/prices/vendor/llama", {"input": 0.1, "output": 2, "context": 8192})
        assert put.json["standard"] == {"input": 100_000, "output": 2_000_000}
        [listed] = call("GET", "/prices?model=vendor/").json["data"]
        assert listed == put.json
        assert call("DELETE", "/prices/vendor/llama").json == {"model": "vendor/llama", "deleted": True}
        assert call("DELETE", "/prices/vendor/llama").json["deleted"] is False

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"input": 1}, "output"),
            ({"input": -1, "output": 1}, "input"),
            ({"input": 1, "output": 0.0000001}, "output"),
            ({"input": True, "output": 1}, "input"),
            ({"input": 1, "output": 1, "context": 0}, "context"),
        ],
    )
    def test_what_cannot_be(self, refused, body, param):
        assert refused("PUT", "/prices/llama", body) == (400, param)


class TestResponses:
    def test_settings_have_no_secrets(self, call, services):
        response = call("GET", "/settings")

        assert response.json["settings"]["port"] == 8000
        assert response.json["time_limits"]["total"] > 0
        for secret in (*services.settings.secret_keys, services.settings.redis_url):
            assert secret not in response.text

    def test_audit(self, call, refused):
        for name in "abc":
            call("POST", "/keys", {"name": name})
        page = call("GET", "/audit?who=token:ci&action=key&limit=2").json
        assert [one["object"] for one in page["data"]] == ["c", "b"]
        page = call("GET", f"/audit?action=key.create&cursor={page['cursor']}").json
        assert [one["object"] for one in page["data"]] == ["a"]
        assert refused("GET", "/audit?cursor=x") == (400, "cursor")

    def test_health(self, call, refused):
        health = call("GET", "/health").json
        assert health["ok"] is False
        assert "default" in [one["where"] for one in health["data"]]
        assert refused("GET", "/health?pool=nowhere") == (404, "pool")


class TestDocument:
    @pytest.fixture
    def document(self, call):
        return call("GET", "/openapi.json").json

    def test_every_route_is_in_it(self, app, document):
        expected = {
            (path, method.upper()) for path, operations in document["paths"].items() for method in operations
        }
        there = {
            (rule.rule.replace("<path:", "{").replace("<", "{").replace(">", "}"), method)
            for rule in app.url_map.iter_rules()
            if rule.endpoint.startswith("api.")
            for method in rule.methods - {"HEAD", "OPTIONS"}
        }
        assert expected == there

    def test_every_body_and_the_call_that_takes_it(self, app, document):
        operations = [(method, one) for path in document["paths"].values() for method, one in path.items()]
        for method, one in operations:
            assert one["summary"], one["operationId"]
            assert one["security"] == [{"token": []}, {"session": []}]
            assert ("requestBody" in one) == (method in ("post", "put", "patch")), one["operationId"]
        assert len({one["operationId"] for _, one in operations}) == len(operations)
        assert {*BODIES, *QUERIES} <= {rule.endpoint for rule in app.url_map.iter_rules()}

    def test_it_documents_what_schemas_check(self, document):
        body = document["paths"]["/admin/api/keys"]["post"]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        assert (schema["required"], schema["additionalProperties"]) == (["name"], False)
        assert schema["properties"]["on_cut"]["enum"] == ["fail", "restart"]
        query = {
            one["name"]: one for one in document["paths"]["/admin/api/usage/series"]["get"]["parameters"]
        }
        assert query["span"]["schema"]["enum"] == ["1h", "24h", "7d", "30d", "90d"]
        assert (
            "null"
            in orjson.dumps(document["paths"]["/admin/api/keys/{name}"]["patch"]["requestBody"]).decode()
        )


class TestModelRoutes:
    ROUTE: ClassVar[dict[str, Any]] = {
        "steps": [[{"model": "a", "accounts": [], "weight": 9}, {"model": "b", "accounts": [], "weight": 1}]],
        "defaults": {"temperature": 0.5},
        "overrides": {},
    }

    def test_a_life(self, call, refused):
        stored = {"name": "vendor/fast", **self.ROUTE}
        assert call("PUT", "/model-routes/vendor/fast", self.ROUTE).json == {**stored, "warnings": []}
        assert call("GET", "/model-routes/vendor/fast").json == stored
        assert call("GET", "/model-routes").json["data"] == [stored]
        found = call("GET", "/model-resolution/vendor/fast").json
        assert (found["rule"], found["steps"], found["allowed"]) == ("exact", self.ROUTE["steps"], True)
        assert call("DELETE", "/model-routes/vendor/fast").json["deleted"] is True
        assert refused("DELETE", "/model-routes/vendor/fast") == (404, "name")
        assert refused("GET", "/model-routes/vendor/fast") == (404, "name")
        assert refused("GET", "/model-resolution/fast?key=nobody") == (404, "name")

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "steps"),
            ({"steps": []}, "steps"),
            ({"steps": [[]]}, "steps"),
            ({"steps": ["m"]}, "steps"),
            ({"steps": [["m"]]}, "steps"),
            ({"steps": [[{"model": "m"}]] * 17}, "steps"),
            ({"steps": [[{"model": "m"}] * 17]}, "steps"),
            ({"steps": [[{"model": " m"}]]}, "steps"),
            ({"steps": [[{"model": "m", "weight": 0}]]}, "steps"),
            ({"steps": [[{"model": "m", "accounts": ["nowhere"]}]]}, "steps"),
            ({"steps": [[{"model": "m"}]], "defaults": {"n": 2}}, "defaults.n"),
            ({"steps": [[{"model": "m"}]], "overrides": {"max_tokens": 0}}, "overrides.max_tokens"),
        ],
    )
    def test_what_cannot_be(self, refused, body, param):
        status, field = refused("PUT", "/model-routes/fast", body)
        assert (status in (400, 404), field) == (True, param)
