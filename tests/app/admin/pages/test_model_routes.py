"""The page of model routes."""

from __future__ import annotations

import pytest

from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor

HOME = f"/admin/p/{POOL}/settings/models"
FORM = {"name": "fast", "steps": "gpt-5-mini\na=90,b=10", "defaults": "temperature=0.5", "overrides": ""}


def test_set_change_and_remove(inside: Visitor, services: Services, pool: Furnished) -> None:
    assert "No model routes" in inside.get(HOME).text
    assert inside.send(HOME, FORM).status_code == 303

    route = services.routes.find(POOL, "fast")
    assert [[target.model for target in step] for step in route.steps] == [["gpt-5-mini"], ["a", "b"]]
    assert route.defaults == {"temperature": 0.5}
    page = inside.get(f"{HOME}?name=fast").text
    assert "gpt-5-mini, then a=90,b=10" in page
    assert "gpt-5-mini\na=90,b=10</textarea>" in page
    assert "default temperature=0.5" in page

    assert inside.send(HOME, {"do": "remove", "name": "fast"}).status_code == 303
    assert services.routes.all(POOL) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("steps", ""),
        ("steps", "m@nowhere"),
        ("steps", "a,"),
        ("defaults", "temperature"),
        ("overrides", "max_tokens=0"),
    ],
)
def test_what_cannot_be(inside: Visitor, services: Services, pool: Furnished, field: str, value: str) -> None:
    response = inside.send(HOME, FORM | {field: value})

    assert response.status_code == 400
    assert f'id="{field}-error"' in response.text
    assert services.routes.all(POOL) == {}


def test_targets_that_no_account_lists(inside: Visitor, services: Services, pool: Furnished) -> None:
    """The route is set; the notice and the list name them."""
    account = pool.account("main")
    services.accounts.list_models(POOL, account.id, ["gpt-5-mini"])

    inside.send(HOME, FORM)

    page = inside.get(HOME).text
    assert "but no account that it may use lists a, b." in page
    assert "no account lists a, b</span>" in page
