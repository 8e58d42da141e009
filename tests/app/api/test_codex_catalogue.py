"""The list of models in the format of the Codex CLI."""

from __future__ import annotations

from app.api.codex_catalogue import DEFAULTS, catalogue_of

OFFERED = [{"id": "m", "object": "model", "metadata": {"context_window": 5}}, {"id": "n", "object": "model"}]


def test_each_entry_has_every_required_field() -> None:
    models = catalogue_of(OFFERED, [])["models"]

    assert [model["slug"] for model in models] == ["m", "n"]
    assert all(set(DEFAULTS) <= set(model) for model in models)


def test_the_first_upstream_that_reports_a_field_wins() -> None:
    reported = [{"m": {"priority": 1}}, {"m": {"priority": 2}, "n": {"visibility": "hide"}}]
    first, second = catalogue_of(OFFERED, reported)["models"]

    assert (first["priority"], first["context_window"]) == (1, 5)
    assert second["visibility"] == "hide"


def test_websockets_are_preferred_where_the_gateway_takes_them() -> None:
    reported = [{"m": {"prefer_websockets": True}}]

    assert not any(model["prefer_websockets"] for model in catalogue_of(OFFERED, reported)["models"])
    on = catalogue_of(OFFERED, reported, websockets=True)["models"]
    assert all(model["prefer_websockets"] for model in on)


def test_the_openai_list_is_in_it() -> None:
    assert catalogue_of(OFFERED, [])["data"] is OFFERED
