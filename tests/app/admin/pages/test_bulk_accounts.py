"""Changes of several accounts at once."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.account import Account
from app.accounts.kinds.kind import CHAT
from app.wiring import Services
from schemas.bulk import MAX_BULK
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor, audited
from tests.support.upstream_client import ScriptedUpstream

HOME = f"/admin/p/{POOL}/accounts"
CHANGES = f"/admin/p/{POOL}/bulk/accounts"


def send(inside: Visitor, do: str, names: list[str], **more: str) -> Any:
    form: dict[str, Any] = {"do": do, "name": names, "confirmed": "yes", "back": HOME, **more}
    return inside.send(CHANGES, form, shown_at=HOME)


def states(services: Services) -> dict[str, str]:
    return {account.name: account.state for account in services.accounts.all(POOL)}


def test_nothing_is_changed_before_it_is_confirmed(
    inside: Visitor, services: Services, pool: Furnished
) -> None:
    for name in ("a", "b"):
        pool.account(name)

    page = send(inside, "remove", ["a", "b"], confirmed="").text

    assert "Remove: 2 accounts" in page
    assert page.count('name="name" value="') == 2
    assert set(states(services)) == {"a", "b"}


def test_what_a_removal_leaves_behind(inside: Visitor, pool: Furnished) -> None:
    """Warnings are about all of the selected accounts, each once, before the confirmation."""
    both = tuple(pool.account(name).id for name in ("a", "b"))
    pool.key("ann", accounts=both)
    pool.account("c")

    warning = "Note: the API key &#39;ann&#39; will have no account left, so its requests will fail."
    assert send(inside, "remove", ["a", "b"], confirmed="").text.count(warning) == 1
    assert warning not in send(inside, "remove", ["a", "c"], confirmed="").text
    assert warning not in send(inside, "pause", ["a", "b"], confirmed="").text


def test_those_that_are_as_requested_already_are_not_counted(inside: Visitor, pool: Furnished) -> None:
    for name in ("a", "b"):
        pool.account(name)
    send(inside, "pause", ["a"])

    send(inside, "pause", ["a", "b"])
    assert "1 account was paused. 1 account needed no change." in inside.get(HOME).text
    for expected in ("2 accounts were changed.", "0 accounts were changed. 2 accounts needed no change."):
        send(inside, "numbers", ["a", "b"], weight="3")
        assert expected in inside.get(HOME).text


def test_each_change_is_audited(inside: Visitor, services: Services, pool: Furnished) -> None:
    for name in ("a", "b", "c"):
        pool.account(name)

    response = send(inside, "pause", ["a", "b"], back=f"{HOME}?sort=-cost")

    assert (response.status_code, response.location) == (303, f"{HOME}?sort=-cost")
    assert states(services) == {"a": "paused", "b": "paused", "c": "active"}
    pauses = [entry["object"] for entry in audited(services) if entry["action"] == "account.pause"]
    assert sorted(pauses) == ["a", "b"]
    assert "2 accounts were paused." in inside.get(HOME).text
    send(inside, "resume", ["a"])
    assert states(services) == {"a": "active", "b": "paused", "c": "active"}


def test_all_that_the_list_showed(inside: Visitor, services: Services, pool: Furnished) -> None:
    """Those that its filters leave out stay as they are."""
    for name in ("gpu1", "gpu2", "main"):
        pool.account(name)

    send(inside, "pause", ["gpu1"], all="yes", back=f"{HOME}?q=gpu")

    assert states(services) == {"gpu1": "paused", "gpu2": "paused", "main": "active"}


def test_failures_are_shown_by_name(inside: Visitor, services: Services, pool: Furnished) -> None:
    """Those that can be removed are."""
    bound = pool.account("bound")
    pool.account("free")
    pool.key("ann", accounts=(bound.id,))

    page = send(inside, "remove", ["bound", "free", "gone"]).text

    assert "1 account was removed. 2 accounts failed." in page
    assert "keys are restricted to it: &#39;ann&#39;" in page
    assert "There is no account named &#39;gone&#39;" in page
    assert set(states(services)) == {"bound"}
    send(inside, "remove", ["bound"], force="yes")
    assert states(services) == {}


def test_numbers(inside: Visitor, services: Services, pool: Furnished) -> None:
    """What is left empty stays as it is in each account."""
    pool.account("a", cap=3, weight=2)
    pool.account("b", cap=4)

    send(inside, "numbers", ["a", "b"], weight="5", group="", cap="")

    a, b = services.accounts.all(POOL)
    assert [(one.cap, one.weight) for one in (a, b)] == [(3, 5), (4, 5)]


@pytest.mark.parametrize(
    ("numbers", "error"), [({}, "Fill in at least one number"), ({"weight": "0"}, 'id="weight-error"')]
)
def test_numbers_that_are_none(
    inside: Visitor, services: Services, pool: Furnished, numbers: dict[str, str], error: str
) -> None:
    pool.account("a", weight=2)

    response = send(inside, "numbers", ["a"], **numbers)

    assert response.status_code == 400
    assert error in response.text
    assert services.accounts.all(POOL)[0].weight == 2


def test_test(inside: Visitor, services: Services, pool: Furnished, upstream: ScriptedUpstream) -> None:
    for name in ("good", "bad"):
        account = Account("", name, "compatible", upstream.base_url(name), protocols=(CHAT,), models=("m",))
        services.accounts.add(POOL, account)
    upstream.script({"play": "http_error", "status": 401, "message": "no"}, account="bad")

    page = send(inside, "test", ["good", "bad"]).text

    assert "1 account was tested. 1 account failed." in page
    assert "m answered after" in page


def test_list_models(
    inside: Visitor, services: Services, pool: Furnished, upstream: ScriptedUpstream
) -> None:
    services.accounts.add(POOL, Account("", "gpu", "compatible", upstream.base_url(), protocols=(CHAT,)))

    page = send(inside, "models", ["gpu"]).text

    assert "reachable, " in page
    assert services.accounts.find(POOL, "gpu").listed
    assert audited(services)[-1]["action"] == "account.list_models"


def test_nothing_selected(inside: Visitor, pool: Furnished) -> None:
    pool.account("a")

    assert send(inside, "pause", []).status_code == 303
    assert "Select at least one account." in inside.get(HOME).text


@pytest.mark.parametrize(
    ("back", "query"),
    [
        *((back, "") for back in ("https://evil.test/", "//evil.test", f"{HOME}/../x", f"{HOME}?\0", "")),
        (f"{HOME}?q=\r\nX: 1", "?q=X%3A+1"),
        ("https://evil.test/?q=a&_external=1&pool=b", "?q=a&_external=1&pool=b"),
        ("?" + "&".join("abcdefghijklmnopqrstuvwxyzABCDE"), ""),
    ],
)
def test_it_returns_to_the_list_alone(inside: Visitor, pool: Furnished, back: str, query: str) -> None:
    """Only the query of an address is used, and that is encoded again."""
    pool.account("a")

    assert send(inside, "pause", ["a"], back=back).location == HOME + query


def test_more_than_can_be_changed_at_once(inside: Visitor, services: Services, pool: Furnished) -> None:
    pool.account("a")

    response = send(inside, "pause", ["a", *map(str, range(MAX_BULK))])

    assert response.status_code == 303
    assert "At most 1000 accounts can be changed at once; none was." in inside.get(response.location).text
    assert states(services) == {"a": "active"}


def test_an_unknown_change(inside: Visitor, pool: Furnished) -> None:
    pool.account("a")

    assert send(inside, "explode", ["a"]).status_code == 303
    assert "Choose what to do with the selected accounts." in inside.get(HOME).text
