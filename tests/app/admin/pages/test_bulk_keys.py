"""The change of several keys at once."""

from __future__ import annotations

from typing import Any

import pytest

from app.admin.pages import bulk
from app.errors import StoreUnavailable
from app.stores.api_keys import ApiKeyRepository
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor, audited
from tests.support.ledger_rows import record_request

LIST = f"/admin/p/{POOL}/keys"
BULK = f"/admin/p/{POOL}/bulk/keys"


@pytest.fixture
def three(pool: Furnished, services: Services) -> None:
    """The keys k1, k2 and k10; k2 has a label."""
    for name in ("k1", "k2", "k10"):
        pool.key(name, labels={"env": "test"} if name == "k2" else {})


def send(inside: Visitor, do: str, *names: str, **more: str) -> Any:
    form: dict[str, Any] = {"csrf_token": inside.csrf_token(LIST), "do": do, "name": list(names), **more}
    return inside.post(BULK, form)


def confirmed(inside: Visitor, do: str, *names: str, **more: str) -> Any:
    return send(inside, do, *names, confirmed="yes", **more)


def keys(services: Services) -> dict[str, Any]:
    return {key.name: key for key in services.api_keys.all(POOL)}


@pytest.mark.usefixtures("three")
class TestChanging:
    def test_nothing_is_changed_before_the_confirmation(self, inside: Visitor, services: Services) -> None:
        """Its page lists the names, and leads back to the same list."""
        page = send(inside, "disable", "k1", "k10", back="/x/keys?q=k&sort=-cost").text

        assert "Disable: 2 keys" in page
        assert ("<li>k1<" in page, "<li>k2<" in page, "<li>k10<" in page) == (True, False, True)
        assert f'href="{LIST}?q=k&amp;sort=-cost"' in page
        assert {key.state for key in keys(services).values()} == {"active"}

    def test_each_key_is_an_operation_of_its_own(self, inside: Visitor, services: Services) -> None:
        response = confirmed(inside, "disable", "k1", "k10")

        assert (response.status_code, response.headers["Location"]) == (303, LIST)
        assert {name: key.state for name, key in keys(services).items()} == {
            "k1": "disabled",
            "k2": "active",
            "k10": "disabled",
        }
        assert [entry["object"] for entry in audited(services) if entry["action"] == "key.disable"] == [
            "k1",
            "k10",
        ]
        assert "2 keys were disabled." in inside.get(LIST).text
        confirmed(inside, "enable", "k1")
        assert keys(services)["k1"].state == "active"

    def test_fields(self, inside: Visitor, services: Services) -> None:
        services.teams.create(POOL, "red")
        confirmed(inside, "team", "k1", "k2", team="red")
        confirmed(inside, "label", "k1", "k2", label_1_name="tier", label_1_value="2")
        confirmed(inside, "label", "k2", label_1_name="env")
        confirmed(inside, "expiry", "k1", expires="2031-01-01")
        confirmed(inside, "limit", "k1", "k2", limit_1_amount="5", limit_1_unit="usd", limit_1_period="day")

        found = keys(services)
        assert [found[name].team for name in ("k1", "k2", "k10")] == ["red", "red", ""]
        assert (found["k1"].labels, found["k2"].labels) == ((("tier", "2"),), (("tier", "2"),))
        assert (found["k1"].expires_at, found["k2"].expires_at) == (1_924_992_000, None)
        limits = [found[name].limits[0] for name in ("k1", "k2")]
        assert {limit.label for limit in limits} == {"$5.00 per day"}
        assert limits[0].id != limits[1].id

        page = confirmed(
            inside, "limit", "k2", "k10", limit_1_amount="7", limit_1_unit="usd", limit_1_period="day"
        )
        assert page.status_code == 200
        assert "2 keys were changed." in page.text
        assert page.text.count("these limits count the same") == 1
        assert ">k10</a>" not in page.text
        page = confirmed(inside, "limit", "k2", limit_1_amount="7", limit_1_unit="usd", limit_1_period="day")
        assert "0 keys were changed. 1 key needed no change." in page.text
        assert "it has this limit already" in page.text
        assert ">unchanged</span>" in page.text
        confirmed(inside, "team", "k1", team="")
        assert keys(services)["k1"].team == ""

    def test_errors_are_shown_at_their_fields(self, inside: Visitor, services: Services) -> None:
        for do, typed, wrong in (
            ("team", {"team": "blue"}, "team"),
            ("label", {"label_1_name": "a b"}, "label_1_name"),
            ("label", {"label_1_name": "a", "label_1_value": "b,c"}, "label_1_value"),
            ("expiry", {"expires": "soon"}, "expires"),
            ("expiry", {"expires_in": "8"}, "expires_in"),
            ("limit", {}, "limit_1_amount"),
            ("limit", {"limit_1_amount": "much"}, "limit_1_amount"),
        ):
            response = confirmed(inside, do, "k1", **typed)
            assert (response.status_code, f'id="{wrong}-error"' in response.text) == (400, True), do
        assert keys(services)["k1"].limits == ()

    def test_those_that_fail_are_named(self, inside: Visitor, services: Services) -> None:
        response = confirmed(inside, "remove", "k1", "gone", "k2")

        assert response.status_code == 409
        assert "2 keys were removed. 1 key failed." in response.text
        assert ">gone</a></th>" in response.text
        assert ">k1</a></th>" not in response.text
        assert list(keys(services)) == ["k10"]

    def test_all_that_match(self, inside: Visitor, services: Services) -> None:
        """The names are listed, so that what is confirmed is what is changed."""
        key_id = keys(services)["k1"].id
        record_request(services.scripts, POOL, services.clock.now(), key=key_id)

        for query, listed in (("q=k1", ["k1", "k10"]), ("q=k1&use=never", ["k10"]), ("labels=env", ["k2"])):
            page = send(inside, "disable", back=f"{LIST}?{query}&page=2", all="yes").text
            assert [name for name in ("k1", "k2", "k10") if f"<li>{name}<" in page] == listed
        assert "Select at least one key" in follow(
            inside, send(inside, "disable", back="?labels=a+b", all="yes")
        )

    def test_what_is_no_change(self, inside: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "Select at least one key" in follow(inside, send(inside, "disable"))
        assert "Choose what to do" in follow(inside, send(inside, "explode", "k1", back="//evil.test/?x=1"))
        monkeypatch.setattr(bulk, "MAX_BULK", 1)
        assert "At most 1 keys" in follow(inside, confirmed(inside, "remove", "k1", "k2"))

    def test_without_the_store_the_rest_is_left(
        self, inside: Visitor, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each further key would wait for the store."""
        tried = []

        def unavailable(_: ApiKeyRepository, pool: str, name: str) -> None:
            tried.append(name)
            raise StoreUnavailable("The store is away")

        monkeypatch.setattr(ApiKeyRepository, "disable", unavailable)
        response = confirmed(inside, "disable", "k1", "k2")

        assert tried == ["k1"]
        assert "0 keys were disabled. 2 keys failed." in response.text


def follow(inside: Visitor, response: Any) -> str:
    assert response.status_code == 303
    assert response.headers["Location"].startswith(LIST)
    return inside.get(response.headers["Location"]).text
