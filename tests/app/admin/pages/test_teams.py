"""The pages of teams, and the team on the pages of keys."""

from __future__ import annotations

import re

from app.limits.limit_syntax import format_limit, parse_limit
from app.stores.records.teams import TeamState
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor
from tests.support.ledger_rows import record_request

HOME = f"/admin/p/{POOL}/teams"
KEYS = f"/admin/p/{POOL}/keys"


def row(start: str, amount: str, unit: str = "usd", period: str = "month") -> dict[str, str]:
    """Return the fields of a limit in a form."""
    return {f"{start}_amount": amount, f"{start}_unit": unit, f"{start}_period": period}


def create(services: Services, name: str, *texts: str) -> None:
    services.teams.create(POOL, name, [parse_limit(text) for text in texts])


class TestChanging:
    def test_create_and_edit(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        limits = row("limit_1", "500") | row("limit_3", "9", "requests", "minute")
        form = {"name": "red", **limits, **row("key_limit_1", "5", period="day")}
        assert inside.send(f"{HOME}/create", form).status_code == 303
        assert 'name="key_limit_1_amount" type="text" value="5"' in inside.get(f"{HOME}/red/edit").text
        form = row("key_limit_1", "1", period="day") | row("key_limit_2", "2", period="week")
        assert inside.send(f"{HOME}/red/edit", form).status_code == 303

        team = services.teams.find(POOL, "red")
        assert [format_limit(limit) for limit in team.limits] == ["500 usd/month", "9 requests/minute"]
        assert team.key_limits == ("1 usd/day", "2 usd/week")

    def test_key_limits_can_be_emptied(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        services.teams.create(POOL, "red", (), ["5 usd/day"])

        inside.send(f"{HOME}/red/edit", row("key_limit_1", ""))

        assert services.teams.find(POOL, "red").key_limits == ()

    def test_errors_are_shown_next_to_their_field(self, inside: Visitor, services: Services) -> None:
        for form, field in (
            ({"name": "a b"}, "name"),
            ({"name": "red", **row("limit_1", "much")}, "limit_1_amount"),
            ({"name": "red", **row("key_limit_5", "0")}, "key_limit_5_amount"),
        ):
            response = inside.send(f"{HOME}/create", form)
            assert (response.status_code, f'id="{field}-error"' in response.text) == (400, True)
        assert services.teams.all(POOL) == []

    def test_limits(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        create(services, "red", "5 usd/month")
        page = f"/admin/p/{POOL}/limits/of-team/red"
        (limit,) = services.teams.find(POOL, "red").limits

        inside.send(page, {"do": "add", **row("limit_1", "9", "requests", "day")})
        inside.send(page, {"do": "set", "id": limit.id, "changed": "7"})
        texts = [format_limit(limit) for limit in services.teams.find(POOL, "red").limits]
        assert texts == ["7 usd/month", "9 requests/day"]
        inside.send(f"/admin/p/{POOL}/limits/remove?team=red&id={limit.id}", {})

        assert len(services.teams.find(POOL, "red").limits) == 1
        assert inside.get(f"/admin/p/{POOL}/limits/of-team/blue").status_code == 404

    def test_disable_enable_remove(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        create(services, "red")
        pool.key("ann", team="red")

        inside.send(f"{HOME}/red/disable", {})
        assert services.teams.find(POOL, "red").state == "disabled"
        inside.send(f"{HOME}/red/enable", {}, shown_at=f"{HOME}/red")
        assert services.teams.find(POOL, "red").state == "active"
        refused = inside.send(f"{HOME}/red/remove", {})
        assert (refused.status_code, "has a key" in refused.text) == (400, True)
        services.api_keys.change(POOL, "ann", team=None)
        inside.send(f"{HOME}/red/remove", {})

        assert services.teams.all(POOL) == []

    def test_team_of_a_key(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        create(services, "red")
        assert 'value="red"' in inside.get(f"{KEYS}/create?team=red").text

        inside.send(f"{KEYS}/create", {"name": "ann", "team": "red", "on_cut": "fail"})
        assert services.api_keys.find(POOL, "ann").team == "red"
        inside.send(f"{KEYS}/ann/edit", {"team": "", "on_cut": "fail"})
        assert services.api_keys.find(POOL, "ann").team == ""
        response = inside.send(f"{KEYS}/ann/edit", {"team": "blue", "on_cut": "fail"})

        assert (response.status_code, 'id="team-error"' in response.text) == (400, True)


class TestShowing:
    def test_usage(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """The list has this month's, the page of a team that of a time span."""
        create(services, "red", "5000 usd/month")
        pool.key("ann", team="red")
        record_request(services.scripts, POOL, services.clock.now(), team="red", cost=3_210_000)

        listed = inside.get(HOME).text
        assert ("$5,000.00 per month" in listed, "$3.21" in listed) == (True, True)
        for span in ("1h", "24h", "7d", "30d", "x"):
            page = inside.get(f"{HOME}/red?span={span}").text
            assert ("$3.21" in page, ">ann</a>" in page) == (True, True)

    def test_order_and_search(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        for name in ("t10", "t2", "blue"):
            create(services, name)
        pool.key("ann", team="t10")
        record_request(services.scripts, POOL, services.clock.now(), team="t2", cost=1_000_000)
        services.teams.set_state(POOL, "blue", TeamState.DISABLED)

        for query, order in (
            ("", ["blue", "t2", "t10"]),
            ("sort=-cost", ["t2", "blue", "t10"]),
            ("sort=-keys", ["t10", "blue", "t2"]),
            ("q=T1", ["t10"]),
            ("state=disabled", ["blue"]),
            ("q=x", []),
        ):
            page = inside.get(f"{HOME}?{query}").text
            assert re.findall(r'scope="row"[^>]*><a href="[^"]*/teams/(\w+)"', page) == order, query

    def test_keys_of_a_team(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        create(services, "red", "5000 usd/month")
        pool.key("ann", team="red")
        pool.key("bob")

        page = inside.get(f"{KEYS}?team=red").text
        assert ("keys/ann" in page, "keys/bob" in page) == (True, False)
        assert f'href="{HOME}/red"' in page
        shown = inside.get(f"{KEYS}/ann").text
        assert ("$5,000.00 per month" in shown, "(team limit)" in shown) == (True, True)
        assert "Its keys are refused" not in shown
        services.teams.set_state(POOL, "red", TeamState.DISABLED)
        assert "Its keys are refused" in inside.get(f"{KEYS}/ann").text

    def test_nothing(self, inside: Visitor, pool: Furnished) -> None:
        assert "No teams yet" in inside.get(HOME).text
        assert inside.get(f"{HOME}/red").status_code == 404
