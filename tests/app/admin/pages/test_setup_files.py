"""The pages of set-up files: a file, what it would change, what it changed."""

from __future__ import annotations

import hashlib
import re
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from app.admin.pages import setup_files
from app.operations.api_keys import ApiKeyOperations
from app.stores.errors import StoreUnavailable
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import PASSWORD, Visitor

HOME = f"/admin/p/{POOL}/settings/setup"
LITELLM = f"{HOME}/litellm"
CONFIG = (Path(__file__).parents[3] / "support" / "litellm_config.yaml").read_text()
DOCUMENT = """
limits: [500 usd/month]
accounts:
  - {name: main, kind: openai, api_key_env: MAIN_KEY, cap: 20}
keys: [{name: ann, accounts: [main]}]
"""


def preview(inside: Visitor, path: str = HOME, **form: Any) -> tuple[int, str]:
    response = inside.send(path, {"do": "preview", **form})
    return response.status_code, unescape(response.text)


def apply(inside: Visitor, page: str, path: str = HOME, **form: str) -> tuple[int, str]:
    sealed = re.search(r'name="sealed" value="([^"]+)"', page)
    assert sealed, page
    response = inside.send(path, {"do": "apply", "sealed": sealed[1], **form})
    return response.status_code, unescape(response.text)


class TestApply:
    def test_the_preview_shows_probable_mistakes(self, inside: Visitor, pool: Furnished) -> None:
        """Of the pool as it would be: a model that an account of the document lists is none."""
        document = """
accounts: [{name: gpu1, kind: compatible, base_url: "http://10.0.0.5/v1", models: [llama-4]}]
keys: [{name: ann, models: [llama-4]}, {name: bob, models: [lama-4]}]
"""
        _, page = preview(inside, document=document)

        assert "API key 'bob': no account lists lama-4 (did you mean 'llama-4'?)." in page
        assert "API key 'ann':" not in page

    def test_the_changes_come_first(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        status, page = preview(inside, document=DOCUMENT)

        assert status == 200
        assert "Would add 2 and change 1; 0 unchanged." in page
        assert "account 'main'" in page
        assert "cap: 20" in page
        assert services.accounts.all(POOL) == []
        assert services.limits.all(POOL) == []
        status, page = apply(inside, page, **{"secret-MAIN_KEY": "sk-main-secret"})
        assert status == 200
        assert "Added 2 and changed 1" in page
        assert services.accounts.find(POOL, "main").credential == "sk-main-secret"
        (secret,) = re.findall(r"sk-pg-[\w-]+", page)
        assert services.api_keys.authenticate(secret).name == "ann"
        assert "sk-main-secret" not in page
        assert {entry["via"] for entry in services.audit.page().entries} == {"page"}

    def test_a_file(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """A file counts before the text next to it."""
        file = (BytesIO(b"limits: [7 usd/day]"), "setup.yaml")

        _, page = preview(inside, document="limits: [8 usd/day]", file=file)

        assert "7 usd/day" in page
        apply(inside, page)
        assert services.limits.all(POOL)[0].max == 7_000_000

    def test_again(self, inside: Visitor, pool: Furnished) -> None:
        """Where nothing changes, secrets can still be replaced."""
        apply(inside, preview(inside, document=DOCUMENT)[1], **{"secret-MAIN_KEY": "sk-1"})

        _, page = preview(inside, document=DOCUMENT)

        assert "Would add 0 and change 0; 3 unchanged." in page
        assert "Empty: the stored one stays." in page
        assert "changed 1" in apply(inside, page, **{"secret-MAIN_KEY": "sk-2"})[1]

    def test_a_missing_secret(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        status, page = apply(inside, preview(inside, document=DOCUMENT)[1])

        assert status == 400
        assert "is needed for a new account or webhook" in page
        assert services.accounts.all(POOL) == []
        assert apply(inside, page, **{"secret-MAIN_KEY": "sk-1"})[0] == 200

    def test_a_pool_that_has_changed(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """What was not shown is not made."""
        _, page = preview(inside, document="teams: [{name: a, key_limits: [5 usd/day]}]")
        services.teams.create(POOL, "a", (), ("9 usd/day",))

        status, page = apply(inside, page)

        assert status == 400
        assert "The pool has changed in the meantime" in page
        assert "9 usd/day" in page
        assert services.teams.find(POOL, "a").key_limits == ("9 usd/day",)
        assert apply(inside, page)[0] == 200

    def test_a_failure_between_two_changes(
        self, inside: Visitor, pool: Furnished, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create, names = ApiKeyOperations.create, []

        def fail_second(self: Any, pool: str, fields: Any, limits: Any = ()) -> Any:
            names.append(fields["name"])
            if len(names) == 2:
                raise StoreUnavailable("The store is away")
            return create(self, pool, fields, limits)

        _, page = preview(inside, document="keys: [{name: a}, {name: b}]")
        monkeypatch.setattr(ApiKeyOperations, "create", fail_second)
        status, page = apply(inside, page)

        assert status == 400
        assert "A change failed, and those after it were not made." in page
        assert len(re.findall(r"sk-pg-[\w-]+", page)) == 1

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "choose a file, or paste its content"),
            ("a: [", "cannot be read: line 1"),
            ("- 1", "The file must be a mapping of sections"),
            ("accounts: [{name: a, kind: x}]", "accounts[0].kind must be"),
            ("#" * (setup_files.MAX_FILE_BYTES + 1), ""),
        ],
    )
    def test_faults(self, inside: Visitor, pool: Furnished, text: str, message: str) -> None:
        status, page = preview(inside, document=text)

        assert status in (400, 413)
        assert message in page

    def test_a_huge_file(self, inside: Visitor, pool: Furnished, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(setup_files, "MAX_FILE_BYTES", 10)

        status, page = preview(inside, file=(BytesIO(b"#" * 11), "setup.yaml"))

        assert (status, "is larger than 10 bytes" in page) == (400, True)


class TestSealed:
    """The second step does what the first one showed, to the same operator, for an hour."""

    def test_another_operator(self, inside: Visitor, app: Any, services: Services, pool: Furnished) -> None:
        services.operator_stores.operators.create("bob", PASSWORD)
        bob = Visitor(app, "192.0.2.3")
        bob.sign_in("bob")

        status, page = apply(bob, preview(inside, document="limits: [5 usd/day]")[1])

        assert (status, "begin again" in page) == (400, True)
        assert services.limits.all(POOL) == []

    def test_another_pool(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        services.pools.ensure("team")

        _, page = preview(inside, document="limits: [5 usd/day]")

        assert apply(inside, page, "/admin/p/team/settings/setup")[0] == 400

    def test_too_late(
        self, inside: Visitor, services: Services, pool: Furnished, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, page = preview(inside, document="limits: [5 usd/day]")
        monkeypatch.setattr("app.admin.pages.sealed_forms.MAX_SECONDS", -1)

        assert apply(inside, page)[0] == 400

    @pytest.mark.parametrize("sealed", ["", "x", "é", "gAAAAAB" + "A" * 100])
    def test_something_else(self, inside: Visitor, pool: Furnished, sealed: str) -> None:
        response = inside.send(HOME, {"do": "apply", "sealed": sealed})

        assert response.status_code == 400
        assert "begin again" in response.text

    def test_a_stored_secret(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """Keys of pages are others than those of credentials."""
        assert inside.send(HOME, {"do": "apply", "sealed": services.vault.seal("{}")}).status_code == 400


class TestLiteLLM:
    def test_the_report_and_the_changes(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        status, page = preview(inside, LITELLM, document=CONFIG, variables="QWEN_BASE = https://q.example/v1")

        assert status == 200
        assert "anthropic has another API" in page
        assert "Would add 23 and change 2" in page
        names = set(re.findall(r'name="(secret-\w+)"', page))
        assert names == {
            f"secret-{name}" for name in ("OPENAI_KEY_A", "OPENAI_KEY_B", "AZURE_KEY", "QWEN_KEY")
        } | {"secret-OPENROUTER_KEY", "secret-GW_KEY"}
        status, page = apply(inside, page, LITELLM, **dict.fromkeys(names, "sk-typed"))
        assert status == 200, page
        assert len(services.routes.all(POOL)) == 12
        assert services.accounts.find(POOL, "acme-eu").credential == "sk-typed"

    def test_a_secret_in_the_file(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """It is on no page, and used when the changes are made."""
        config = "model_list: [{model_name: a, litellm_params: {model: openai/a, api_key: sk-in-file}}]"

        _, page = preview(inside, LITELLM, file=(BytesIO(config.encode()), "config.yaml"))

        assert "sk-in-file" not in page
        assert apply(inside, page, LITELLM)[0] == 200
        assert services.accounts.all(POOL)[0].name == "openai"
        assert services.accounts.find(POOL, "openai").credential == "sk-in-file"

    def test_keys_and_teams(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        secret = "sk-ABCdef1234567890ghijkl"
        token = hashlib.sha256(secret.encode()).hexdigest()
        keys = orjson.dumps({"keys": [{"token": token, "key_alias": "ann", "team_id": "t"}]})
        teams = orjson.dumps([{"team_id": "t", "team_alias": "research"}])
        config = "model_list: [{model_name: a, litellm_params: {model: openai/a, api_key: sk-in-file}}]"

        files = {"keys": (BytesIO(keys), "keys.json"), "teams": (BytesIO(teams), "teams.json")}
        _, page = preview(inside, LITELLM, document=config, **files)
        apply(inside, page, LITELLM)

        assert services.api_keys.authenticate(secret).team == "research"

    @pytest.mark.parametrize(
        ("form", "message"),
        [
            ({"document": ""}, "choose a file"),
            ({"document": "model_list: {}"}, "must be a list"),
            ({"document": "model_list: []"}, "has no deployment that can be imported"),
            ({"document": CONFIG, "keys": (BytesIO(b"{"), "keys.json")}, "is not JSON"),
            ({"document": CONFIG, "teams": (BytesIO(b"[1]"), "teams.json")}, "must be a list of objects"),
        ],
    )
    def test_faults(self, inside: Visitor, pool: Furnished, form: Any, message: str) -> None:
        status, page = preview(inside, LITELLM, **form)

        assert status == 400
        assert message in page


def test_download(inside: Visitor, pool: Furnished) -> None:
    apply(inside, preview(inside, document=DOCUMENT)[1], **{"secret-MAIN_KEY": "sk-main-secret"})

    response = inside.get(f"{HOME}/download")

    assert response.headers["Content-Disposition"] == 'attachment; filename="default.yaml"'
    assert yaml.safe_load(response.text)["accounts"][0]["name"] == "main"
    assert "sk-main-secret" not in response.text
