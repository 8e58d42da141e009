"""A change of several objects: one that fails does not stop the others, an outage does."""

from __future__ import annotations

import threading

import pytest

from app.errors import InvalidRequest, StoreUnavailable
from app.operations.each import Unchanged, apply_each, unless_equal

NAMES = [str(number) for number in range(20)]


@pytest.mark.parametrize("workers", [1, 4])
def test_each_by_itself(workers):
    def apply(name: str) -> object:
        if name == "3":
            raise InvalidRequest("is refused")
        return f"did {name}"

    results = apply_each(apply, NAMES, workers=workers)

    assert [one.name for one in results] == NAMES
    assert [one.name for one in results if not one.ok] == ["3"]
    assert (results[3].text, results[4].text) == ("is refused", "did 4")


@pytest.mark.parametrize("workers", [1, 4])
def test_without_the_store_the_rest_is_not_tried(workers):
    tried, lock = [], threading.Lock()

    def apply(name: str) -> object:
        with lock:
            tried.append(name)
        raise StoreUnavailable("is away")

    results = apply_each(apply, NAMES, workers=workers)

    assert {one.text for one in results} == {"is away"}
    assert len(tried) <= workers


@pytest.mark.parametrize(("stored", "sent", "is_change"), [(1, 1, False), (1, 2, True)])
def test_what_is_as_requested_is_read_once(stored: int, sent: int, is_change: bool):
    """The change returns the object as stored afterwards: only the one before has to be read."""
    read_names = []

    def read(name: str) -> int:
        read_names.append(name)
        return stored

    changed = unless_equal(read, lambda _: sent)("ann")

    assert changed == (sent if is_change else Unchanged(value=sent))
    assert read_names == ["ann"]


def test_only_a_part_of_the_objects_is_compared():
    changed = unless_equal(lambda _: (1, "before"), lambda _: (1, "after"), lambda value: value[0])

    assert changed("ann") == Unchanged(value=(1, "after"))
