"""Metrics by API key: what is counted, for how many keys, and by which processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.api.key_metrics import OTHER, KeyMetrics
from app.stores.records.api_keys import ApiKey
from tests.support.metrics import sample

POOL = "pool-of-key-metrics"
ENTRY: dict[str, Any] = {"status": 200, "input_tokens": 7, "output_tokens": 0, "cost": 1_500_000}


def key(name: str, team: str = "") -> ApiKey:
    return ApiKey(f"key_{name}", name, POOL, team=team)


def requests_of(name: str, outcome: str = "ok", team: str = "") -> float | None:
    return sample("poolgate_key_requests_total", pool=POOL, key=name, team=team, outcome=outcome)


def test_a_request() -> None:
    counted, ann = KeyMetrics(1, None), key("ann", "red")

    for entries, is_refused in (([ENTRY], False), ([{"status": 503}], False), ([], True), ([], False)):
        counted.observe(ann, entries, is_refused=is_refused)

    assert [requests_of("ann", outcome, "red") for outcome in ("ok", "error", "refused")] == [1, 1, 1]
    labels = {"pool": POOL, "key": "ann", "team": "red"}
    assert sample("poolgate_key_tokens_total", what="input_tokens", **labels) == 7
    assert sample("poolgate_key_tokens_total", what="output_tokens", **labels) is None
    assert sample("poolgate_key_cost_dollars_total", **labels) == 1.5


def test_a_request_that_a_later_model_answered() -> None:
    """It is one, with the tokens and cost of both models."""
    counted = KeyMetrics(1, None)

    counted.observe(key("bob"), [ENTRY | {"status": 502, "output_tokens": 3}, ENTRY], is_refused=False)

    assert [requests_of("bob", outcome) for outcome in ("ok", "error")] == [1, None]
    labels = {"pool": POOL, "key": "bob", "team": ""}
    assert sample("poolgate_key_tokens_total", what="input_tokens", **labels) == 14
    assert sample("poolgate_key_tokens_total", what="output_tokens", **labels) == 3
    assert sample("poolgate_key_cost_dollars_total", **labels) == 3


def test_all_further_keys_are_one() -> None:
    counted = KeyMetrics(2, None)
    before = requests_of(OTHER) or 0

    for name in ("b1", "b2", "b3", "b4", "b2", "b3"):
        counted.observe(key(name, "red"), [ENTRY], is_refused=False)

    assert [requests_of(name, team="red") for name in ("b1", "b2", "b3", "b4")] == [1, 2, None, None]
    assert (requests_of(OTHER) or 0) - before == 3


def test_a_key_that_changes_its_team_stays_one_of_those_counted() -> None:
    counted = KeyMetrics(1, None)
    for team in ("red", "blue"):
        counted.observe(key("c1", team), [ENTRY], is_refused=False)

    assert [requests_of("c1", team=team) for team in ("red", "blue")] == [1, 1]


def test_processes_agree_on_the_keys(tmp_path: Path) -> None:
    """Each is an object here; a third one finds what the others have taken."""
    names = tmp_path / "keys"
    first, second, third = (KeyMetrics(2, names) for _ in range(3))

    first.observe(key("d1"), [ENTRY], is_refused=False)
    second.observe(key("d2"), [ENTRY], is_refused=False)
    second.observe(key("d1"), [ENTRY], is_refused=False)
    third.observe(key("d3"), [ENTRY], is_refused=False)
    third.observe(key("d2"), [ENTRY], is_refused=False)

    assert [requests_of(name) for name in ("d1", "d2", "d3")] == [2, 2, None]
    assert names.read_text().splitlines() == [f"{POOL} d1", f"{POOL} d2"]

    names.unlink()  # once there is no room, it is not read again, and no further key is remembered
    third.observe(key("d4"), [ENTRY], is_refused=False)
    assert not names.exists()


def test_without_a_file_to_write_a_key_is_one_of_the_others(tmp_path: Path) -> None:
    """The request ends as always, and the key is counted by itself once there is room."""
    folder = tmp_path / "gone"
    counted = KeyMetrics(1, folder / "keys")
    counted.observe(key("e1"), [ENTRY], is_refused=False)
    assert requests_of("e1") is None

    folder.mkdir()
    counted.observe(key("e1"), [ENTRY], is_refused=False)

    assert requests_of("e1") == 1
