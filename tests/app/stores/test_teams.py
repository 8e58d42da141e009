"""Teams in Redis: their limits, their state, and the usage of the time that a key was in them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import orjson
import pytest

from app.errors import InvalidRequest, NotFound, TeamDisabled
from app.ledger.verify import Verification
from app.limits.limit_syntax import parse_limit
from app.stores import keys
from app.stores.api_keys import ApiKeyRepository
from app.stores.ledger import LedgerRepository
from app.stores.limits import LimitRepository, for_team
from app.stores.records.teams import TeamState
from app.stores.scripts import Scripts
from app.stores.teams import TeamRepository
from tests.support.store import StoreOfTest, limit


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


class TestTeam:
    def test_life(self, scripts: Scripts) -> None:
        teams, api_keys = TeamRepository(scripts), ApiKeyRepository(scripts)
        team = teams.create("p", "red", [parse_limit("5 usd/month")], ["10 requests/day"])
        assert (team.limits[0].scope, team.key_limits, team.is_active) == ("team", ("10 requests/day",), True)
        with pytest.raises(InvalidRequest):
            teams.create("p", "red")

        _, secret = api_keys.create("p", "ann", team="red")
        found = api_keys.authenticate(secret)
        assert (found.team, [each.scope for each in found.limits]) == ("red", ["team"])
        with pytest.raises(InvalidRequest, match="has a key"):
            teams.remove("p", "red")

        api_keys.change("p", "ann", team=None)
        assert api_keys.authenticate(secret).limits == ()
        teams.remove("p", "red")
        assert scripts.client.keys(keys.root("p") + "lim:*") == []
        assert teams.all("p") == []

    def test_disabled(self, scripts: Scripts) -> None:
        """Keys are refused at once, even if a process has the key's record in its cache."""
        teams, api_keys = TeamRepository(scripts), ApiKeyRepository(scripts)
        teams.create("p", "red")
        _, secret = api_keys.create("p", "ann", team="red")
        api_keys.authenticate(secret)
        teams.set_state("p", "red", TeamState.DISABLED)
        with pytest.raises(TeamDisabled, match="The team 'red' of this API key has been disabled"):
            api_keys.authenticate(secret)
        teams.set_state("p", "red", TeamState.ACTIVE)
        assert api_keys.authenticate(secret).team == "red"

    def test_unknown(self, scripts: Scripts) -> None:
        teams, api_keys = TeamRepository(scripts), ApiKeyRepository(scripts)
        api_keys.create("p", "ann")
        for change in (
            lambda: api_keys.create("p", "bob", team="red"),
            lambda: api_keys.change("p", "ann", team="red"),
            lambda: teams.set_state("p", "red", TeamState.DISABLED),
            lambda: teams.remove("p", "red"),
            lambda: LimitRepository(scripts).add("p", parse_limit("5 usd/day"), for_team("red")),
        ):
            with pytest.raises(NotFound, match="no team named 'red'"):
                change()
        assert [key.name for key in api_keys.all("p")] == ["ann"]


class TestAdmission:
    def test_disabled(self, store: StoreOfTest) -> None:
        store.account("a")
        store.team("red", state="disabled")
        store.key("k", team="red")
        reply = store.admit()
        assert (reply["refused"], reply["why"]) == ("team", "red")

    def test_no_field_for_keys_without_a_team(self, store: StoreOfTest) -> None:
        store.account("a")
        store.key("k")
        request_id = store.admit()["id"]
        assert "team" not in store.open_request(request_id)
        store.settle(request_id)
        assert "team" not in store.rows()[0]
        assert store.names("teamroll:*") == set()

    def test_refusal_names_the_team_whose_limit_it_is(self, store: StoreOfTest) -> None:
        """At admission it is the key's team; at a further attempt, the team of the admission."""
        store.account("a")
        store.team("red", limit("red", "total_tokens", "ever", 30, scope="team"))
        store.team("blue", limit("blue", "total_tokens", "ever", 9, scope="team"))
        store.key("k", limit("own", "requests", "ever", 1), team="red")
        first = store.admit(input_tokens=10)["id"]
        spent = store.admit(input_tokens=10)
        assert (spent["limit"]["id"], "team" in spent) == ("own", False)
        store.scripts.run("change_key", store.pool, "k", orjson.dumps({"team": "blue", "limits": "[]"}))
        assert store.admit(input_tokens=10)["team"] == "blue"
        charge = {"account": "a", "input_tokens": 25, "output_tokens": 0, "cost": 0}
        bounds = {"input_tokens": 10, "output_tokens": 0, "cost": 0}
        assert store.report(first, 1, charge=charge, bounds=bounds)["team"] == "red"

    def test_key_that_moves(self, store: StoreOfTest) -> None:
        """What is in flight stays with its team; the next request counts for the new one."""
        store.account("a")
        for team in ("red", "blue"):
            store.team(team, limit(team, "total_tokens", "ever", 1000, scope="team"))
        store.key("k", team="red")
        first = store.admit(input_tokens=10)["id"]
        store.scripts.run("change_key", store.pool, "k", orjson.dumps({"team": "blue"}))
        second = store.admit(input_tokens=20)["id"]
        assert [store.counters(team)["h"] for team in ("red", "blue")] == [10, 20]
        store.report(
            first,
            1,
            charge={"account": "a", "input_tokens": 3, "output_tokens": 0, "cost": 0},
            bounds={"input_tokens": 10, "output_tokens": 0, "cost": 0},
        )
        store.settle(first, input_tokens=7)
        store.settle(second, input_tokens=5)
        assert [store.counters(team)["s"] for team in ("red", "blue")] == [7, 5]
        assert [store.counters(team)["h"] for team in ("red", "blue")] == [0, 0]
        assert [row["team"] for row in store.rows()] == ["red", "blue"]
        verification = Verification(LedgerRepository(store.scripts), store.pool)
        assert verification.differences() == []

    def test_new_limit_counts_the_usage_of_the_team(self, store: StoreOfTest) -> None:
        """And reservations of what is open; other teams and keys do not count."""
        store.account("a")
        for team in ("red", "blue"):
            store.team(team)
        store.key("k", team="red")
        store.key("j", team="blue")
        for key, tokens in (("k", 4), ("j", 90)):
            request_id = store.admit(key=key, input_tokens=tokens)["id"]
            store.settle(request_id, key=key, input_tokens=tokens)
            store.admit(key=key, input_tokens=tokens + 1)
        args = {"key": "", "team": "red", "was": "[]", "list": "[]", "days": [], "calendar": store.calendar()}
        args["added"] = limit("new", "input_tokens", "day", 1000, scope="team")
        assert store.scripts.run_json("set_limits", store.pool, args)["done"]
        assert (store.counters("new")["s"], store.counters("new")["h"]) == (4, 5)

    def test_lease_that_runs_out(self, store: StoreOfTest) -> None:
        """It is charged to its team, and corrected by a late settlement."""
        store.account("a")
        store.team("red", limit("red", "input_tokens", "ever", 1000, scope="team"))
        store.key("k", team="red")
        request_id = store.admit(input_tokens=10)["id"]
        store.advance(60_000)
        store.renew()
        assert (store.counters("red")["s"], store.rows()[0]["team"]) == (10, "red")
        store.settle(request_id, input_tokens=4)
        assert (store.counters("red")["s"], store.counters("red")["h"]) == (4, 0)

    def test_admission_that_a_failover_lost(self, store: StoreOfTest) -> None:
        store.account("a")
        store.team("red", limit("red", "input_tokens", "ever", 1000, scope="team"))
        store.key("k", team="red")
        store.settle("lost", input_tokens=4, team="red")
        assert store.counters("red")["s"] == 4


class TestRemovalInARace:
    @pytest.mark.parametrize("join", ["create", "change"])
    def test_with_a_key_that_joins(self, scripts: Scripts, join: str) -> None:
        """Either the key is in the team and that stays, or the team is gone and the key is not in it."""
        teams, api_keys = TeamRepository(scripts), ApiKeyRepository(scripts)
        start = Barrier(2)

        def add_key(name: str) -> bool:
            start.wait()
            try:
                if join == "create":
                    api_keys.create("p", name, team="red")
                else:
                    api_keys.change("p", name, team="red")
            except NotFound:
                return False
            return True

        def remove() -> bool:
            start.wait()
            try:
                teams.remove("p", "red")
            except InvalidRequest:
                return False
            return True

        with ThreadPoolExecutor(2) as threads:
            for number in range(20):
                name = f"key{number}"
                teams.create("p", "red")
                if join == "change":
                    api_keys.create("p", name)
                adding, removing = threads.submit(add_key, name), threads.submit(remove)
                assert adding.result() != removing.result()
                members = [key.name for key in api_keys.all("p") if key.team == "red"]
                assert (members, bool(teams.all("p"))) == (([name], True) if adding.result() else ([], False))
                if adding.result():
                    api_keys.remove("p", name)
                    teams.remove("p", "red")
