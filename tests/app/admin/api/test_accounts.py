"""Accounts and sign-ins over the API."""

from __future__ import annotations

import orjson
import pytest
import requests

from tests.support.store_contents import everything_in
from tests.support.tls import make_certificate

NEW = {"kind": "openai", "name": "main", "credential": "sk-secret", "models": ["gpt-5-mini"]}


class TestAccounts:
    def test_a_life(self, call, services):
        added = call("POST", "/accounts", NEW)
        assert (added.status_code, added.json["state"]) == (201, "active")
        assert "sk-secret" not in added.text

        assert call("PATCH", "/accounts/main", {"cap": 3, "models": []}).json["cap"] == 3
        changed = call("PATCH", "/accounts/main", {"stream_upstream": "never"})
        assert changed.json["stream_upstream"] == "never"
        assert "first_look" not in changed.json
        assert call("PATCH", "/accounts/main", {"credential": "sk-newer"}).json["first_look"]["ok"] is False
        assert services.accounts.find("default", "main").credential == "sk-newer"
        assert call("POST", "/accounts/main/pause").json["state"] == "paused"
        assert call("POST", "/accounts/main/resume", {}).json["state"] == "active"
        assert call("POST", "/accounts/main/forget-refused").json["name"] == "main"
        [listed] = call("GET", "/accounts").json["data"]
        assert listed == call("GET", "/accounts/main").json
        call("POST", "/keys", {"name": "ann", "accounts": ["main"]})
        assert call("DELETE", "/accounts/main").status_code == 400
        assert call("DELETE", "/accounts/main?force=true").json["deleted"] is True
        assert call("GET", "/accounts/main").status_code == 404

    def test_one_of_the_name_of_a_removed_one(self, call):
        """It takes its place in model routes and keys, and `warnings` report that."""
        assert call("POST", "/accounts", NEW).json["warnings"] == []
        route = {"steps": [[{"model": "m", "accounts": ["main"]}]]}
        call("PUT", "/model-routes/fast", route)
        call("POST", "/keys", {"name": "ann", "accounts": ["main"]})
        removed = call("DELETE", "/accounts/main?force=true").json
        assert removed["warnings"] == [
            "the model route 'fast' will no longer use it",
            "the model route 'fast' will have no account left, so its requests will fail",
            "the API key 'ann' will have no account left, so its requests will fail",
        ]
        shown = call("GET", "/model-routes/fast").json["steps"][0][0]["accounts"]
        assert shown == ["main (removed)"]
        assert call("GET", "/model-resolution/fast").json["steps"][0][0]["accounts"] == shown

        (warning,) = call("POST", "/accounts", NEW).json["warnings"]

        place = "it takes the place of a removed account of this name in"
        assert warning == f"{place} the model route 'fast' and the API key 'ann'"
        assert call("GET", "/model-routes/fast").json["steps"][0][0]["accounts"] == ["main"]
        assert call("GET", "/keys/ann").json["accounts"] == ["main"]

    def test_headers_are_merged(self, call, services):
        """As in a JSON merge patch: null removes one; secret values are never returned."""
        call("POST", "/accounts", NEW | {"headers": {"X-A": "1"}, "secret_headers": {"X-S": "t-secret"}})

        changed = call(
            "PATCH", "/accounts/main", {"headers": {"x-a": None, "X-B": "2"}, "auth_header": "key"}
        )

        assert (changed.json["headers"], changed.json["secret_headers"]) == ({"X-B": "2"}, ["X-S"])
        assert changed.json["auth_header"] == "key"
        assert "t-secret" not in changed.text + call("GET", "/audit").text
        assert services.accounts.find("default", "main").settings.secret_headers == {"X-S": "t-secret"}

    def test_names_of_models_are_merged(self, call):
        call("POST", "/accounts", NEW | {"model_names": {"gpt-5": "dep"}})

        changed = call(
            "PATCH",
            "/accounts/main",
            {"model_names": {"gpt-5": None, "o3": "dep-2"}, "response_model": "upstream"},
        )

        assert (changed.json["model_names"], changed.json["response_model"]) == ({"o3": "dep-2"}, "upstream")
        refused = call("PATCH", "/accounts/main", {"model_names": {"o3": 1}})
        assert (refused.status_code, refused.json["error"]["param"]) == (400, "model_names.o3")

    def test_websocket(self, call):
        """It is for kinds whose service offers one."""
        call("POST", "/accounts", NEW)
        changed = call("PATCH", "/accounts/main", {"websocket": "on"})
        assert changed.json["websocket"] == "on"

        refused = call("PATCH", "/accounts/main", {"websocket": "auto"})
        assert (refused.status_code, refused.json["error"]["param"]) == (400, "websocket")
        other = {"name": "lab", "kind": "compatible", "base_url": "http://127.0.0.1:1/v1", "websocket": "on"}
        refused = call("POST", "/accounts", other)
        assert (refused.status_code, refused.json["error"]["param"]) == (400, "websocket")
        assert call("PATCH", "/accounts/main", {"websocket": "off"}).json["websocket"] == "off"

    def test_fields(self, call):
        """Those that are set are merged, those that are left out replaced, as models are."""
        call("POST", "/accounts", NEW | {"drop_fields": ["user"], "set_fields": {"top_k": 4, "seed": 1}})

        changed = call(
            "PATCH", "/accounts/main", {"drop_fields": ["top_p"], "set_fields": {"seed": None, "top_k": 5}}
        )

        assert (changed.json["drop_fields"], changed.json["set_fields"]) == (["top_p"], {"top_k": 5})
        refused = call("PATCH", "/accounts/main", {"set_fields": {"model": "x"}})
        assert (refused.status_code, refused.json["error"]["param"]) == (400, "set_fields.model")
        assert refused.json["error"]["message"] == "'model' cannot be set: it chooses the model"

    def test_timeouts(self, call):
        call("POST", "/accounts", NEW | {"timeout_seconds": 300})

        changed = call("PATCH", "/accounts/main", {"timeout_seconds": 0, "connect_timeout_seconds": 2})

        assert (changed.json["timeout_seconds"], changed.json["connect_timeout_seconds"]) == (0, 2)
        refused = call("PATCH", "/accounts/main", {"timeout_seconds": "5"})
        assert (refused.status_code, refused.json["error"]["param"]) == (400, "timeout_seconds")

    def test_certificates(self, call, tmp_path):
        pem = make_certificate(tmp_path)[0].read_text()

        added = call(
            "POST", "/accounts", NEW | {"base_url": "https://127.0.0.1:1/v1", "ca_certificates": pem}
        )
        assert added.json["ca_certificates"] == pem
        changed = call("PATCH", "/accounts/main", {"ca_certificates": ""})
        assert changed.json["ca_certificates"] == ""
        refused = call("PATCH", "/accounts/main", {"ca_certificates": "x"})
        assert (refused.status_code, refused.json["error"]["param"]) == (400, "ca_certificates")

    def test_proxy(self, call, services):
        """Its password is accepted, and never returned."""
        added = call("POST", "/accounts", NEW | {"proxy": "http://ann:t-secret@127.0.0.1:1"})
        assert (added.json["proxy"], added.json["proxy_has_password"]) == ("http://ann@127.0.0.1:1", True)
        assert "t-secret" not in added.text + call("GET", "/audit").text
        assert services.accounts.find("default", "main").settings.proxy.password == "t-secret"

        changed = call("PATCH", "/accounts/main", {"proxy": ""})
        assert (changed.json["proxy"], changed.json["proxy_has_password"]) == ("", False)
        refused = call("PATCH", "/accounts/main", {"proxy": "ftp://10.0.0.9"})
        assert (refused.status_code, refused.json["error"]["param"]) == (400, "proxy")

    @pytest.mark.parametrize(
        "new",
        [
            {"kind": "compatible", "name": "gpu", "base_url": "http://127.0.0.1:1/v1"},
            {"kind": "chatgpt", "name": "ann", "credential": "t", "chatgpt_account_id": "id-1"},
        ],
    )
    def test_other_kinds(self, call, new):
        assert call("POST", "/accounts", new).json["kind"] == new["kind"]

    def test_its_models_are_listed_at_once(self, call, upstream):
        new = {"kind": "compatible", "name": "gpu", "base_url": upstream.base_url("a")}

        added = call("POST", "/accounts", new).json

        assert added["first_look"]["ok"]
        assert len(added["listed_models"]) == added["first_look"]["models"] > 0

    def test_only_if_it_answers(self, call, refused):
        new = {"kind": "compatible", "name": "gpu", "base_url": "http://127.0.0.1:1/v1"}

        assert call("POST", "/accounts", new).json["first_look"]["code"] == "upstream_unavailable"
        assert refused("POST", "/accounts", new | {"name": "b", "must_answer": True}) == (400, "base_url")
        assert [one["name"] for one in call("GET", "/accounts").json["data"]] == ["gpu"]

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({**NEW, "kind": "demo"}, "kind"),
            ({**NEW, "cap": 0}, "cap"),
            ({**NEW, "stream_upstream": "often"}, "stream_upstream"),
            ({**NEW, "credential": "a b"}, "credential"),
            ({**NEW, "base_url": "http://169.254.169.254/v1"}, "base_url"),
            ({**NEW, "odd": 1}, "odd"),
            ({"kind": "openai", "name": "main"}, "credential"),
            ({"kind": "compatible", "name": "gpu"}, "base_url"),
            ({"kind": "chatgpt", "name": "ann", "credential": "t"}, "chatgpt_account_id"),
        ],
    )
    def test_what_cannot_be(self, call, refused, body, param):
        assert refused("POST", "/accounts", body) == (400, param)
        assert call("GET", "/accounts").json["data"] == []

    @pytest.mark.parametrize("body", [{"name": "x"}, {"kind": "openai"}, {"base_url": "http://x"}])
    def test_what_is_not_changed(self, call, refused, body):
        call("POST", "/accounts", NEW)

        assert refused("PATCH", "/accounts/main", body) == (400, next(iter(body)))

    def test_a_test_call(self, call, upstream):
        call("POST", "/accounts", {**NEW, "base_url": upstream.base_url("a")})

        assert call("POST", "/accounts/main/test").json["ok"] is True
        upstream.script({"play": "http_error", "status": 503}, account="a")
        check = call("POST", "/accounts/main/test", {"model": "gpt-5"}).json
        assert (check["ok"], check["status"], check["model"]) == (False, 503, "gpt-5")
        assert check["error"]["message"]


class TestSignIns:
    def test_a_file_there_and_back(self, call, refused, issuer, redis_client):
        _, tokens = issuer.sign_in()
        file = orjson.loads(tokens.auth_json())
        made = call("POST", "/accounts/import", {"name": "ann", "auth_json": file})
        assert (made.status_code, made.json["signed_in"]) == (201, True)

        assert call("POST", "/accounts/ann/export").json["tokens"] == file["tokens"]
        assert refused("GET", "/accounts/ann/export")[0] == 405
        seen = everything_in(redis_client) + call("GET", "/audit").text + call("GET", "/accounts").text
        assert not any(one in seen for one in (tokens.access_token, tokens.refresh_token))
        assert [one["action"] for one in call("GET", "/audit?action=account.export").json["data"]] == [
            "account.export"
        ]

    @pytest.mark.parametrize("file", [{}, {"tokens": {"access_token": "x"}}, {"OPENAI_API_KEY": "sk-1"}])
    def test_a_file_without_a_sign_in(self, refused, file):
        assert refused("POST", "/accounts/import", {"name": "ann", "auth_json": file}) == (400, "auth_json")

    def test_by_device(self, call, issuer, redis_client):
        flow = call("POST", "/accounts/sign-ins/device", {"name": "ann"})
        assert flow.status_code == 201
        place = f"/accounts/sign-ins/device/{flow.json['id']}"
        assert call("POST", place).json == {"state": "pending", "account": None}

        issuer.approve(flow.json["user_code"])
        for key in redis_client.scan_iter("*:asked"):
            redis_client.delete(key)
        done = call("POST", place).json

        assert (done["state"], done["account"]["name"]) == ("done", "ann")
        assert call("POST", place).status_code == 404

    def test_by_browser(self, call, refused):
        flow = call("POST", "/accounts/sign-ins/browser", {"name": "ann"}).json
        place = f"/accounts/sign-ins/browser/{flow['id']}"
        assert refused("POST", place, {"address": "http://127.0.0.1:1455/?code=x"}) == (400, "address")
        address = requests.get(flow["page"], allow_redirects=False, timeout=30).headers["Location"]

        assert call("POST", place, {"address": address}).json["account"]["signed_in"] is True

    @pytest.mark.parametrize("way", ["device", "browser"])
    def test_the_sign_in_service_is_away(self, call, services, way):
        flow = call("POST", f"/accounts/sign-ins/{way}/flow_0", {"address": "x"} if way == "browser" else {})

        assert flow.status_code == 404
