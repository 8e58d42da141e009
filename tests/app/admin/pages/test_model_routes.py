"""The page of model routes."""

from __future__ import annotations

import pytest

from app.stores.records.accounts import AccountOutcome
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor

HOME = f"/admin/p/{POOL}/settings/models"
FORM = {
    "name": "fast",
    "target_1_model": "gpt-5-mini",
    "target_2_model": "a",
    "target_2_weight": "90",
    "target_3_model": "b",
    "target_3_weight": "10",
    "target_3_order": "shared",
    "default_1_name": "temperature",
    "default_1_value": "0.5",
}


def test_set_and_change(inside: Visitor, services: Services, pool: Furnished) -> None:
    assert "No model routes" in inside.get(HOME).text
    assert inside.send(HOME, FORM).status_code == 303

    route = services.routes.find(POOL, "fast")
    assert [[target.model for target in step] for step in route.steps] == [["gpt-5-mini"], ["a", "b"]]
    assert route.defaults == {"temperature": 0.5}
    page = inside.get(f"{HOME}?name=fast").text
    assert "gpt-5-mini, then a=90,b=10" in page
    assert 'name="target_2_weight" type="text" value="90"' in page
    assert page.count('<option value="shared" selected>') == 1
    assert "default temperature=0.5" in page


def test_a_removed_account(inside: Visitor, services: Services, pool: Furnished) -> None:
    """It is named as such, and the remark is about it, not about the lists of others."""
    pool.account("main")
    other = pool.account("other")
    services.accounts.list_models(POOL, other.id, ["b"])
    inside.send(HOME, {"name": "fast", "target_1_model": "m", "target_1_accounts": "main"})
    services.accounts.remove(POOL, "main", although_bound=True)

    page = inside.get(HOME).text

    assert "m@main (removed)" in page
    assert "no account is left for m" in page
    assert "no account lists" not in page


def test_an_account_in_the_name_of_a_model(inside: Visitor, services: Services, pool: Furnished) -> None:
    """It belongs in the other field, unless an account lists a model of that name."""
    account = pool.account("cc")
    form = {"name": "fast", "target_1_model": "gamma-1@cc"}

    refused = inside.send(HOME, form)

    assert refused.status_code == 400
    error = refused.text.partition('id="target_1_model-error"')[2].partition("</span>")[0]
    assert "Enter &#39;gamma-1&#39; here, and &#39;cc&#39; under Accounts" in error
    services.accounts.list_models(POOL, account.id, ["gamma-1@cc"])
    assert inside.send(HOME, form).status_code == 303
    assert inside.send(HOME, {"name": "other", "target_1_model": "gamma-1@dd"}).status_code == 303


@pytest.mark.parametrize("address", [HOME, f"{HOME}?name=slow", f"{HOME}?name=gone"])
def test_only_the_route_of_the_page_is_replaced(
    inside: Visitor, services: Services, pool: Furnished, address: str
) -> None:
    """Another name that exists is an error at the name, which leads to the page of that route."""
    for name in ("fast", "slow"):
        inside.send(HOME, FORM | {"name": name})
    before = services.routes.all(POOL)

    refused = inside.send(address, {"name": "fast", "target_1_model": "other"})
    assert refused.status_code == 400
    error = refused.text.partition('id="name-error"')[2].partition("</span>")[0]
    assert f'exists; <a href="{HOME}?name=fast">change it on its own page</a>' in error
    assert services.routes.all(POOL) == before

    assert "Change fast</summary>" in inside.get(f"{HOME}?name=fast").text
    changed = inside.send(f"{HOME}?name=fast", {"name": "fast", "target_1_model": "other"})
    assert changed.status_code == 303
    assert len(services.routes.find(POOL, "fast").steps) == 1


@pytest.mark.parametrize("name", ["fast", "openai/gpt-*"])
def test_remove_after_a_confirmation(inside: Visitor, services: Services, pool: Furnished, name: str) -> None:
    inside.send(HOME, FORM | {"name": name})
    address = f"{HOME}/remove?name={name}"
    assert f'href="{address}"' in inside.get(HOME).text

    assert f"Remove model route {name}?" in inside.get(address).text
    assert name in services.routes.all(POOL)

    removed = inside.send(address, {})
    assert (removed.status_code, removed.location) == (303, HOME)
    assert services.routes.all(POOL) == {}
    assert inside.get(address).status_code == 404


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": " "}, "name"),
        (dict.fromkeys(FORM, "") | {"name": "fast"}, "target_1_model"),
        ({"target_3_accounts": "nowhere"}, "target_3_accounts"),
        ({"target_3_model": "", "target_3_accounts": "group:2"}, "target_3_model"),
        ({"target_2_model": "a*"}, "target_2_model"),
        ({"target_3_weight": "0"}, "target_3_weight"),
        ({"target_3_weight": "half"}, "target_3_weight"),
        ({"default_1_value": "warm"}, "default_1_value"),
        ({"default_2_name": "temperature", "default_2_value": "1"}, "default_2_name"),
        ({"default_1_name": "top_p"}, "default_1_name"),
        ({"override_1_name": "max_tokens", "override_1_value": "0"}, "override_1_value"),
    ],
)
def test_errors_are_at_their_row(
    inside: Visitor, services: Services, pool: Furnished, typed: dict[str, str], field: str
) -> None:
    response = inside.send(HOME, FORM | typed)

    assert response.status_code == 400
    assert f'id="{field}-error"' in response.text
    assert services.routes.all(POOL) == {}


def test_accounts_of_a_target(inside: Visitor, services: Services, pool: Furnished) -> None:
    """Names and groups; the first row shares with no other."""
    account = pool.account("main")
    targets = {"target_1_model": "m", "target_1_accounts": "main, group:2", "target_1_order": "shared"}

    inside.send(HOME, {"name": "fast"} | targets)

    ((target,),) = services.routes.find(POOL, "fast").steps
    assert target.accounts == (account.id, "group:2")
    assert 'value="main, group:2"' in inside.get(f"{HOME}?name=fast").text


def test_targets_that_no_account_lists(inside: Visitor, services: Services, pool: Furnished) -> None:
    """The route is set; the notice and the list name them."""
    account = pool.account("main")
    services.accounts.list_models(POOL, account.id, ["gpt-5-mini"])

    inside.send(HOME, FORM)

    page = inside.get(HOME).text
    assert "but no account that the route may use lists a, b." in page
    assert "no account lists a, b</span>" in page


@pytest.mark.parametrize("name", ["target_257_model", "default_99_name"])
def test_more_rows_than_a_form_may_have(
    inside: Visitor, services: Services, pool: Furnished, name: str
) -> None:
    """They are not left out without a word."""
    refused = inside.send(HOME, {**FORM, name: "x"})

    assert (refused.status_code, "which is the limit" in refused.text) == (400, True)
    assert services.routes.all(POOL) == {}


def test_by_which_target_each_is_served_now(inside: Visitor, services: Services, pool: Furnished) -> None:
    first, second = pool.account("aa", models=("alpha",)), pool.account("bb", models=("beta",))
    inside.send(HOME, {"name": "fast", "target_1_model": "alpha", "target_2_model": "beta"})
    assert "alpha at aa</td>" in inside.get(HOME).text

    outcome: AccountOutcome = {"model": "alpha", "why": "overloaded", "wait_ms": 60_000}
    services.accounts.observe(POOL, first.id, {}, outcome=outcome)

    assert "beta at bb (alpha: aa is overloaded for it, next try in" in inside.get(HOME).text
    services.accounts.pause(POOL, second.name)
    assert "no: alpha: aa is overloaded" in inside.get(HOME).text
