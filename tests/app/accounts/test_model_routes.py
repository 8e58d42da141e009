"""Which route a name means, and in which order its targets are tried."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from app.accounts import model_routes
from app.accounts.model_routes import (
    MAX_KNOWN,
    NO_ROUTES,
    PoolRoutes,
    RouteTable,
    is_weighted,
    targets_of,
)
from app.patterns import matches
from app.stores.accounts import AccountHashes
from app.stores.model_routes import ModelRouteRepository
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.stores.scripts import Scripts


def route(name: str, *steps: dict[str, int]) -> ModelRoute:
    return ModelRoute(
        name,
        tuple(
            tuple(RouteTarget(model, weight=weight) for model, weight in step.items())
            for step in steps or ({"m": 1},)
        ),
    )


class TestPrecedence:
    TABLE = RouteTable(
        map(route, ["*", "gpt-*", "gpt-4*", "*4o", "gpt-4o", "gpt-4*mini", "gpt-4**", "a-*", "*-a"])
    )

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("gpt-4o", "gpt-4o"),  # the exact name, although longer patterns exist
            ("gpt-4.1", "gpt-4*"),  # the longest pattern, with the fewest stars
            ("gpt-4.1-mini", "gpt-4*mini"),
            ("gpt-5", "gpt-*"),
            ("chat-4o", "*4o"),
            ("llama", "*"),
            ("a-a", "a-*"),  # equally long: the later name
        ],
    )
    def test_order(self, name: str, expected: str) -> None:
        found = self.TABLE.find(name)

        assert found is not None
        assert found.name == expected
        assert self.TABLE.matching(name)[0] is found

    def test_a_model(self) -> None:
        """A name that no route matches is the model of that name."""
        table = RouteTable([route("fast"), route("gpt-*")])

        assert table.find("llama") is None
        assert table.matching("llama") == []
        assert NO_ROUTES.find("fast") is None

    def test_a_name_is_compared_with_patterns_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Requests cost the same with 500 routes; what a table remembers of names is bounded."""
        compared: list[str] = []
        monkeypatch.setattr(
            model_routes,
            "matches",
            lambda pattern, name: bool(compared.append(name)) or matches(pattern, name),
        )
        table = RouteTable(route(f"other-{number}-*") for number in range(500))
        for name in ("llama", "other-7-x") * 10:
            table.find(name)
        assert len(compared) <= 1000

        for number in range(MAX_KNOWN):
            table.find(f"{number}")
        compared.clear()
        assert table.find("llama") is None
        assert len(compared) == 500

    def test_all_that_match(self) -> None:
        names = [found.name for found in self.TABLE.matching("gpt-4o")]

        assert names == ["gpt-4o", "gpt-4*", "gpt-4**", "gpt-*", "*4o", "*"]


class TestTargets:
    def test_steps_in_order(self) -> None:
        chain = route("fast", {"a": 1}, {"b": 1}, {"c": 1})

        assert [target.model for target in targets_of(chain, "any")] == ["a", "b", "c"]
        assert not is_weighted(chain)

    def test_each_step_is_complete_before_the_next(self) -> None:
        chain = route("fast", {"a": 1, "b": 1}, {"c": 1, "d": 1})
        models = [target.model for target in targets_of(chain, "any")]

        assert (set(models[:2]), set(models[2:])) == ({"a", "b"}, {"c", "d"})
        assert is_weighted(chain)

    def test_weights(self) -> None:
        """Of 2,000 conversations about 90 % begin with the target of weight 90."""
        chain = route("fast", {"a": 90, "b": 10})
        first = Counter(targets_of(chain, str(number))[0].model for number in range(2000))

        assert 1720 < first["a"] < 1880

    def test_a_conversation_stays(self) -> None:
        """The same conversation has the same order, also when another target is added or weights change."""
        before, after = route("fast", {"a": 50, "b": 50}), route("fast", {"a": 50, "b": 50, "c": 50})
        for number in range(200):
            first = targets_of(before, str(number))[0]
            assert targets_of(before, str(number))[0] == first
            assert targets_of(after, str(number))[0].model in (first.model, "c")


class TestPoolRoutes:
    @pytest.fixture
    def routes(self, redis_client: Any) -> PoolRoutes:
        scripts = Scripts(redis_client)
        return PoolRoutes(ModelRouteRepository(scripts), AccountHashes(scripts))

    def test_read_once_per_change(self, routes: PoolRoutes) -> None:
        assert routes.table("p", "0") is NO_ROUTES
        routes.put("p", route("fast"))
        first = routes.table("p", "1")
        routes.put("p", route("slow"))

        assert first.find("slow") is None
        assert routes.table("p", "1") is first
        assert routes.table("p", "2").find("slow") is not None

    def test_current(self, routes: PoolRoutes) -> None:
        routes.put("p", route("fast"))
        assert routes.current("p").find("fast") is not None

        assert routes.remove("p", "fast")
        assert not routes.remove("p", "fast")
        assert routes.all("p") == {}

    def test_an_empty_group(self, routes: PoolRoutes) -> None:
        """It is no account at all, not any account."""
        routes.put("p", ModelRoute("fast", ((RouteTarget("m", ("group:2",)),),)))

        found = routes.current("p").find("fast")

        assert found is not None
        assert found.accounts() == {"group:2"}
