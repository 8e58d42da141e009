"""The change of several teams at once."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores.records.teams import TeamState
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor, audited

LIST = f"/admin/p/{POOL}/teams"


@pytest.fixture(autouse=True)
def three(pool: Furnished, services: Services) -> None:
    """The teams red, blue and bluish; ann is a key of red."""
    for name in ("red", "blue", "bluish"):
        services.teams.create(POOL, name)
    pool.key("ann", team="red")


def send(inside: Visitor, do: str, *names: str, **more: str) -> Any:
    form: dict[str, Any] = {"do": do, "name": list(names), **more}
    return inside.send(f"/admin/p/{POOL}/bulk/teams", form, shown_at=LIST)


def confirmed(inside: Visitor, do: str, *names: str, **more: str) -> Any:
    return send(inside, do, *names, confirmed="yes", **more)


def states(services: Services) -> dict[str, str]:
    return {team.name: team.state for team in services.teams.all(POOL)}


def test_each_is_an_operation_of_its_own(inside: Visitor, services: Services) -> None:
    assert "Disable: 2 teams" in send(inside, "disable", "red", "blue").text
    assert set(states(services).values()) == {"active"}

    response = confirmed(inside, "disable", "red", "blue", back=f"{LIST}?state=active")

    assert (response.status_code, response.location) == (303, f"{LIST}?state=active")
    assert states(services) == {"red": "disabled", "blue": "disabled", "bluish": "active"}
    assert [one["object"] for one in audited(services) if one["action"] == "team.disable"] == ["red", "blue"]
    assert "2 teams were disabled." in inside.get(LIST).text
    confirmed(inside, "enable", "red")
    assert states(services)["red"] == "active"


def test_limits(inside: Visitor, services: Services) -> None:
    for do, number in (("limit", 1), ("key_limits", 7)):
        row = f"limit_{number}"
        typed = {f"{row}_amount": "5", f"{row}_unit": "usd", f"{row}_period": "day"}
        assert confirmed(inside, do, "red", "blue", **typed).status_code == 303

    red, blue, bluish = (services.teams.find(POOL, name) for name in ("red", "blue", "bluish"))
    assert {limit.label for limit in (*red.limits, *blue.limits)} == {"$5.00 per day"}
    assert red.limits[0].id != blue.limits[0].id
    assert (list(red.key_limits), list(bluish.key_limits)) == (["5 usd/day"], [])
    assert confirmed(inside, "key_limits", "red").status_code == 303
    assert list(services.teams.find(POOL, "red").key_limits) == []


@pytest.mark.parametrize(
    ("do", "typed", "field"),
    [
        ("limit", {}, "limit_1_amount"),
        ("key_limits", {"limit_7_amount": "much"}, "limit_7_amount"),
    ],
)
def test_errors_are_shown_at_their_fields(
    inside: Visitor, services: Services, do: str, typed: dict[str, str], field: str
) -> None:
    response = confirmed(inside, do, "red", **typed)

    assert (response.status_code, f'id="{field}-error"' in response.text) == (400, True)
    assert services.teams.find(POOL, "red").limits == ()


def test_a_team_with_keys_stays(inside: Visitor, services: Services) -> None:
    response = confirmed(inside, "remove", "red", "blue")

    assert response.status_code == 409
    assert "1 team was removed. 1 team failed." in response.text
    assert set(states(services)) == {"red", "bluish"}


def test_all_that_match(inside: Visitor, services: Services) -> None:
    services.teams.set_state(POOL, "bluish", TeamState.DISABLED)

    for query, listed in (("q=BLU&page=1", ["blue", "bluish"]), ("q=blu&state=disabled", ["bluish"])):
        page = send(inside, "enable", back=f"{LIST}?{query}", all="yes").text
        assert [name for name in ("red", "blue", "bluish") if f"<li>{name}<" in page] == listed


def test_a_viewer_has_no_changes(inside: Visitor, services: Services) -> None:
    services.operator_stores.operators.create("eve", "correct horse battery", role="viewer")
    viewer = Visitor(inside.client.application, "192.0.2.9")
    viewer.sign_in("eve")

    assert "bulk" not in viewer.get(LIST).text
    assert viewer.post(f"/admin/p/{POOL}/bulk/teams", {"do": "disable", "name": "red"}).status_code == 403
