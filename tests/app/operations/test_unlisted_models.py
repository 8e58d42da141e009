"""Models that are named and that no account lists."""

from __future__ import annotations

import pytest

from app.accounts.account import Account
from app.accounts.model_routes import NO_ROUTES
from app.limits.limit_syntax import parse_limit
from app.operations.unlisted_models import (
    UnlistedModels,
    unlisted_in_limits,
    unlisted_names,
    unlisted_targets,
)
from app.stores.records.model_routes import ModelRoute, RouteTarget

LISTED = Account("a", "main", "openai", "http://x", listed=("gpt-5-2025-08-07", "m1"))
SILENT = Account("b", "gpu1", "openai", "http://x", group=2)


@pytest.mark.parametrize(
    ("unlisted", "sentence"),
    [
        (UnlistedModels(("a", "b")), "no account lists a, b"),
        (UnlistedModels(("a",), ("main",)), "no account lists a yet; main has not listed its models"),
        (
            UnlistedModels(("a",), ("gpu1", "gpu2")),
            "no account lists a yet; gpu1, gpu2 have not listed their models",
        ),
        (UnlistedModels(tuple("abcdefg")), "no account lists a, b, c, d and 3 more"),
    ],
)
def test_sentence(unlisted: UnlistedModels, sentence: str) -> None:
    assert unlisted.sentence() == sentence


def test_an_account_that_has_listed_nothing_yet() -> None:
    """It may have the model, so the warning names it; with the model in a list there is none."""
    assert unlisted_names(["m1"], [LISTED, SILENT], NO_ROUTES) == UnlistedModels()
    assert unlisted_names(["m2"], [LISTED, SILENT], NO_ROUTES) == UnlistedModels(("m2",), ("gpu1",))


def test_a_pool_without_accounts() -> None:
    """Nothing can be listed yet, so no name is a mistake."""
    route = ModelRoute("fast", ((RouteTarget("m2"),),))

    assert not unlisted_names(["m2"], [], NO_ROUTES)
    assert not unlisted_in_limits([parse_limit("5 usd/day for m2")], [])
    assert not unlisted_targets(route, [])


def test_a_target_whose_accounts_were_removed() -> None:
    """Whether it is listed is not known: its account is what is missing."""
    gone, there = RouteTarget("m2", ("z",)), RouteTarget("m2", ("z", "a"))

    assert not unlisted_targets(ModelRoute("fast", ((gone,),)), [LISTED])
    assert unlisted_targets(ModelRoute("fast", ((gone, there),)), [LISTED]) == UnlistedModels(("m2",))


@pytest.mark.parametrize(
    ("model", "is_listed"),
    [("gpt-5", True), ("GPT-5", True), ("gpt-*", True), ("gpt-4", False), ("fast", False)],
)
def test_models_of_limits(model: str, is_listed: bool) -> None:
    """As they are counted: in any letter case, with dated snapshots, and never by the name of a route."""
    limits = [parse_limit("5 usd/day"), parse_limit(f"5 usd/day for {model}")]

    assert unlisted_in_limits(limits, [LISTED]).models == (() if is_listed else (model,))


def test_targets_of_a_route() -> None:
    """Only accounts count that the target may use: by id, by group, or any."""
    steps = ((RouteTarget("m1", ("b",)),), (RouteTarget("m1"),), (RouteTarget("m2", ("group:2",)),))

    assert unlisted_targets(ModelRoute("fast", steps), [LISTED, SILENT]) == UnlistedModels(
        ("m1", "m2"), ("gpu1",)
    )
