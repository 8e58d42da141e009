"""Declarative set-ups in the admin API."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import yaml

from app.accounts.account import Account
from app.admin.api.inputs import MAX_BYTES
from app.operations.api_keys import ApiKeyOperations
from app.operations.setup.limits import limit_texts
from app.stores.errors import StoreUnavailable
from app.stores.records.operators import NewAdminToken, TokenScope
from tests.support.store_contents import everything_in

DOCUMENT: Any = {
    "settings": {"policy": "ordered"},
    "limits": ["500 usd/month"],
    "prices": {"llama-4": {"input": 0.1, "output": 0.25}},
    "accounts": [
        {"name": "main", "kind": "openai", "api_key_env": "MAIN_KEY", "cap": 20},
        {
            **{"name": "gpu1", "kind": "compatible", "base_url": "http://10.0.0.5:8000/v1"},
            **{"secret_headers_env": {"X-Token": "GPU_TOKEN"}},
        },
    ],
    "models": {"fast": {"steps": ["gpt-5-mini", "llama-4@gpu1"]}},
    "teams": [{"name": "research", "limits": ["50 usd/month"]}],
    "keys": [{"name": "ann", "team": "research", "accounts": ["main"]}],
    "webhooks": [{"name": "ops", "url": "https://ops.example/hook"}],
}
SECRETS = {"MAIN_KEY": "sk-main-secret", "GPU_TOKEN": "gpu-secret"}
BODY = {"document": DOCUMENT, "secrets": SECRETS}
LIMITS = [
    "5 usd/day strict",
    "9 usd/month",
    "200 requests/day",
    "100 requests/day",
    "9 requests/minute for m1",
]
OPTIONAL: dict[str, Callable[[random.Random], Any]] = {
    "models": lambda chance: chance.sample(["m1", "m2", "fast", "x-*"], chance.randrange(3)),
    "limits": lambda chance: chance.sample(LIMITS, chance.randrange(4)),
    "team": lambda chance: chance.choice(["red", None]),
    "expires": lambda chance: chance.choice(["2020-01-01", "2099-01-01T12:00", None]),
    "labels": lambda chance: chance.choice([{"env": "prod"}, {}]),
    "weight": lambda chance: chance.randint(1, 3),
    "disabled": lambda chance: chance.random() < 0.5,
}


def random_document(chance: random.Random) -> dict[str, Any]:
    """Return a document with limits, prices, routes, teams and keys, all of few names."""

    def limits() -> list[str]:
        return chance.sample(LIMITS, chance.randrange(4))

    return {
        "limits": limits(),
        "prices": {"m1": {"input": chance.randint(1, 2), "output": 3}},
        "models": {"fast": {"steps": chance.sample(["m1", "m2"], chance.randint(1, 2))}},
        "teams": [{"name": "red"} | ({"key_limits": limits()} if chance.random() < 0.7 else {})],
        "keys": [
            {"name": name}
            | {field: value(chance) for field, value in OPTIONAL.items() if chance.random() < 0.5}
            for name in chance.sample(["ann", "bob", "carl"], 2)
        ],
    }


class TestApply:
    def test_an_empty_pool(self, call, services):
        response = call("POST", "/apply", BODY)

        assert response.status_code == 200, response.text
        changes = {(each["section"], each["name"]): each for each in response.json["data"]}
        assert {each["action"] for each in changes.values()} == {"add", "change"}
        assert services.accounts.find("default", "main").credential == "sk-main-secret"
        assert services.accounts.find("default", "gpu1").settings.secret_headers == {"X-Token": "gpu-secret"}
        secret = changes["keys", "ann"]["key"]
        assert services.api_keys.authenticate(secret).team == "research"
        assert changes["webhooks", "ops"]["secret"].startswith("whsec_")
        assert not any(secret in response.text for secret in SECRETS.values())
        assert response.json["dry_run"] is False

    def test_again(self, call, services):
        call("POST", "/apply", BODY)
        audited = len(services.audit.page().entries)

        response = call("POST", "/apply", {"document": DOCUMENT})

        assert {each["action"] for each in response.json["data"]} == {"unchanged"}
        assert "MAIN_KEY is not set, so the stored secret stays" in str(response.json["data"])
        assert len(services.audit.page().entries) == audited

    @pytest.mark.parametrize("seed", range(12))
    def test_random_documents_again(self, call, seed):
        """A second run changes nothing, whatever the pool had before the first."""
        chance = random.Random(seed)
        for _ in range(3):
            document = random_document(chance)

            first = call("POST", "/apply", {"document": document})
            again = call("POST", "/apply?dry_run=1", {"document": document})

            assert first.status_code == again.status_code == 200, first.text
            assert {each["action"] for each in again.json["data"]} <= {"unchanged"}, document
            assert again.json["warnings"] == []

    @pytest.mark.parametrize(
        ("fields", "limits"),
        [({}, ["5 usd/day"]), ({"limits": []}, []), ({"limits": ["1 usd/day"]}, ["1 usd/day"])],
        ids=["default limits", "no limits", "own limits"],
    )
    def test_limits_of_a_new_key(self, call, services, fields, limits):
        team = {"name": "red", "key_limits": ["5 usd/day"]}
        document = {"teams": [team], "keys": [{"name": "ann", "team": "red"} | fields]}

        call("POST", "/apply", {"document": document})
        call("POST", "/apply?pool=copy", call("GET", "/dump").json)

        for pool in ("default", "copy"):
            assert limit_texts(services.api_keys.find(pool, "ann").limits) == limits, pool

    def test_default_limits_of_a_new_key_cause_warnings_only_if_it_gets_them(self, call, services):
        services.accounts.add(
            "default", Account("", "gpu", "compatible", "http://up.test", models=("llama-4",))
        )
        call("POST", "/teams", {"name": "red", "key_limits": ["5 usd/day strict"]})
        keys = [{"name": "ann", "team": "red"}, {"name": "bob", "team": "red", "limits": []}]

        warnings = call("POST", "/apply?dry_run=1", {"document": {"keys": keys}}).json["warnings"]

        assert {warning["key"] for warning in warnings} == {"ann"}

    def test_a_dry_run(self, call, redis_client):
        before = everything_in(redis_client)

        response = call("POST", "/apply?dry_run=1", {"document": DOCUMENT})

        assert everything_in(redis_client) == before
        assert response.json["dry_run"] is True
        assert response.json["missing_secrets"] == [
            {"name": "MAIN_KEY", "path": "accounts[0].api_key_env"},
            {"name": "GPU_TOKEN", "path": "accounts[1].secret_headers_env.X-Token"},
        ]
        (settings,) = [each for each in response.json["data"] if each["section"] == "settings"]
        assert settings == {
            **{"section": "settings", "name": "", "action": "change", "notes": []},
            "differences": {"policy": {"before": "balanced", "after": "ordered"}},
        }

    @pytest.mark.parametrize("kind", ["application/yaml", "text/x-yaml; charset=utf-8"])
    def test_yaml_as_the_body(self, call, services, kind):
        response = call("POST", "/apply", data=b"limits: [5 usd/day]", content_type=kind)

        assert response.json["data"][0]["differences"]["limits"]["after"] == ["5 usd/day"]
        assert len(services.limits.all("default")) == 1

    def test_the_document_as_the_body(self, call, services):
        """What `/dump` returns can be sent as it is."""
        call("POST", "/apply", {"document": {"limits": ["5 usd/day"]}})

        response = call("POST", "/apply?pool=team", call("GET", "/dump").json)

        assert response.status_code == 200
        assert len(services.limits.all("team")) == 1

    def test_yaml_that_is_sent_as_a_form(self, call):
        """As curl does without a header."""
        kind = "application/x-www-form-urlencoded"

        response = call("POST", "/apply", data=b"limits: [5 usd/day]", content_type=kind)

        assert response.status_code == 400
        assert "send a document in YAML as application/yaml" in response.json["error"]["message"]

    def test_yaml_as_the_document(self, call, services):
        call("POST", "/apply?pool=team", {"document": yaml.safe_dump(DOCUMENT), "secrets": SECRETS})

        assert services.accounts.find("team", "main").credential == "sk-main-secret"

    def test_each_change_is_in_the_audit_log(self, call, services):
        call("POST", "/apply", BODY)

        entries = services.audit.page().entries
        assert {entry["who"] for entry in entries} == {"token:ci"}
        assert {"account.add", "key.create", "price.set", "team.create"} <= {
            each["action"] for each in entries
        }

    def test_probable_mistakes_in_keys(self, call):
        response = call("POST", "/apply", {"document": {"keys": [{"name": "old", "expires": "2020-01-01"}]}})

        (warning,) = response.json["warnings"]
        assert warning["key"] == "old"
        assert "expired already" in warning["text"]

    def test_probable_mistakes_in_model_routes(self, call, services):
        services.accounts.add("default", Account("", "main", "openai", "http://up.test", credential="sk-x"))
        document = {"models": {"fast": {"steps": ["no-such-model"]}}}

        dry = call("POST", "/apply?dry_run=1", {"document": document}).json["warnings"]
        (warning,) = call("POST", "/apply", {"document": document}).json["warnings"]
        assert dry == [warning]
        assert warning["model"] == "fast"
        assert "no-such-model" in warning["text"]
        assert call("POST", "/apply", {"document": document}).json["warnings"] == []  # unchanged

    def test_a_failure_between_two_changes(self, call, monkeypatch):
        """What was made is returned with the error, because a secret is returned once."""
        create, names = ApiKeyOperations.create, []

        def fail_second(self, pool, fields, limits=()):
            names.append(fields["name"])
            if len(names) == 2:
                raise StoreUnavailable("The store is away")
            return create(self, pool, fields, limits)

        monkeypatch.setattr(ApiKeyOperations, "create", fail_second)
        response = call("POST", "/apply", {"document": {"keys": [{"name": "a"}, {"name": "b"}]}})

        assert response.status_code == 503
        assert response.json["error"]["code"] == "store_unavailable"
        (made,) = response.json["data"]
        assert made["key"].startswith("sk-pg-")


class TestSecrets:
    """A document could send a variable of the server to any address, so none is read."""

    @pytest.mark.parametrize(
        ("document", "param"),
        [
            (
                {"accounts": [{"name": "a", "kind": "openai", "api_key_env": "POOLGATE_SECRET_KEYS"}]},
                "accounts[0].api_key_env",
            ),
            (
                {
                    "accounts": [
                        {
                            **{"name": "a", "kind": "compatible", "base_url": "https://evil.example/v1"},
                            **{"secret_headers_env": {"X-Leak": "POOLGATE_SECRET_KEYS"}},
                        }
                    ]
                },
                "accounts[0].secret_headers_env.X-Leak",
            ),
            ({"webhooks": [{"name": "a", "url_env": "POOLGATE_SECRET_KEYS"}]}, "webhooks[0].url_env"),
            (
                {
                    "accounts": [
                        {
                            **{"name": "a", "kind": "compatible", "base_url": "http://h/v1"},
                            "proxy_env": "POOLGATE_SECRET_KEYS",
                        }
                    ]
                },
                "accounts[0].proxy_env",
            ),
        ],
    )
    def test_the_environment_of_the_server(self, call, refused, monkeypatch, services, document, param):
        monkeypatch.setenv("POOLGATE_SECRET_KEYS", "http://secret.example/of-the-server")

        assert refused("POST", "/apply", {"document": document}) == (400, param)
        text = call("POST", "/apply?dry_run=true", {"document": document}).text
        assert "of-the-server" not in text
        assert services.accounts.all("default") == []

    def test_a_stored_secret_stays_with_its_address(self, call, refused):
        call("POST", "/apply", BODY)
        gpu = DOCUMENT["accounts"][1] | {"base_url": "https://evil.example/v1"}

        body = {"document": {"accounts": [gpu]}}
        assert refused("POST", "/apply", body) == (400, "accounts[0].base_url")

    def test_the_scope_of_a_token(self, app, services):
        """A token that reads gets the dump; it may not even try to apply one."""
        scope = NewAdminToken("reader", "ann", scope=TokenScope.READ)
        _, token = services.operator_stores.admin_tokens.create(scope)
        client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}

        assert client.get("/admin/api/dump", headers=headers).status_code == 200
        tried = client.post("/admin/api/apply?dry_run=1", headers=headers, json={"document": {}})
        assert tried.json["error"]["code"] == "read_only_token"


class TestFaults:
    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "document"),
            ({"document": []}, "document"),
            ({"document": "- 1"}, "document"),
            ({"document": "a: ["}, "document"),
            ({"document": "a: &a [*a]"}, "document"),
            ({"document": {}, "secrets": {"1": "x"}}, "secrets.1"),
            ({"document": {}, "secrets": {"A": 1}}, "secrets.A"),
            ({"document": {}, "more": 1}, "more"),
            ({"document": {"users": []}}, "users"),
            ({"document": {"accounts": [{"name": "a", "kind": "openai", "cap": "x"}]}}, "accounts[0].cap"),
            ({"document": {"accounts": [{"name": "a", "kind": "other"}]}}, "accounts[0].kind"),
            ({"document": {"accounts": [{"name": "a", "kind": "openai"}]}}, "accounts[0].api_key_env"),
            (
                {"document": {"accounts": [{"name": "a", "kind": "compatible", "base_url": "ftp://h"}]}},
                "accounts[0].base_url",
            ),
            ({"document": {"keys": [{"name": "a", "limits": ["x"]}]}}, "keys[0].limits[0]"),
            ({"document": {"keys": [{"name": "a", "accounts": ["b"]}]}}, "keys[0].accounts[0]"),
            ({"document": {"keys": [{"name": "a", "team": "b"}]}}, "keys[0].team"),
            ({"document": {"models": {"fast": {"steps": ["x@gone"]}}}}, "models.fast.steps[0]"),
            ({"document": {"settings": {"policy": "x"}}}, "settings.policy"),
            ({"document": {"settings": {"time_limits": {"a": {"x": 1}}}}}, "settings.time_limits"),
            ({"document": {"prices": {"x": {"input": 1e-9, "output": 1}}}}, "prices.x.input"),
            ({"document": {"limits": ["1 usd/day", "y"]}}, "limits[1]"),
            ({"document": {"webhooks": [{"name": "a", "url": "ftp://h/"}]}}, "webhooks[0].url"),
        ],
    )
    def test_name_the_field(self, refused, redis_client, body, param):
        before = everything_in(redis_client)

        assert refused("POST", "/apply", body) == (400, param)
        assert everything_in(redis_client) == before

    def test_bounds(self, refused):
        """Aliases are counted as often as they repeat; levels, bytes and entries are bounded."""
        levels = ["l0: &l0 [x]"]
        levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
        for text in ("\n".join(levels), "[" * 5000, "a: \x00"):
            assert refused("POST", "/apply", {"document": text}) == (400, "document")
        huge = b"#" * (MAX_BYTES + 1)
        assert refused("POST", "/apply", data=huge, content_type="application/yaml") == (400, None)
        assert refused("POST", "/apply", data=b"\xff", content_type="application/yaml") == (400, "document")
        keys = [{"name": f"k{n}"} for n in range(5001)]
        assert refused("POST", "/apply", {"document": {"keys": keys}}) == (400, "keys")
        deep = b'{"document": {"keys": ' + b"[" * 900 + b"]" * 900 + b"}}"
        assert refused("POST", "/apply", data=deep, content_type="application/json")[0] == 400

    @pytest.mark.parametrize("query", ["dry_run=maybe", "dry_run=", "dry_run=1&dry_run=0", "odd=1"])
    def test_queries(self, refused, query):
        assert refused("POST", f"/apply?{query}", BODY) == (400, query.partition("=")[0])


class TestDump:
    def test_makes_the_same_pool_elsewhere(self, call):
        call("POST", "/apply", BODY)
        document = call("GET", "/dump").json

        secrets = {
            **{"MAIN_API_KEY": "sk-main-secret", "GPU1_X_TOKEN": "gpu-secret"},
            **{"OPS_URL": "https://ops.example/hook", "OPS_SECRET": "x" * 20},
        }
        applied = call("POST", "/apply?pool=team", {"document": document, "secrets": secrets})

        assert applied.status_code == 200, applied.text
        assert call("GET", "/dump?pool=team").json == document
        assert not any(secret in orjson.dumps(document).decode() for secret in secrets.values())

    def test_as_yaml(self, call):
        call("POST", "/apply", BODY)

        response = call("GET", "/dump?format=yaml")

        assert response.mimetype == "application/yaml"
        assert yaml.safe_load(response.text) == call("GET", "/dump").json

    def test_faults(self, refused):
        assert refused("GET", "/dump?pool=nowhere") == (404, "pool")
        assert refused("GET", "/dump?format=xml") == (400, "format")


def test_the_description(call):
    """The OpenAPI document has both forms of the body."""
    operation = call("GET", "/openapi.json").json["paths"]["/admin/api/apply"]["post"]

    assert set(operation["requestBody"]["content"]) == {"application/json", "application/yaml"}
    assert {each["name"] for each in operation["parameters"]} == {"pool", "dry_run"}
