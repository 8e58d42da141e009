"""A change of several objects: one that fails does not stop the others, an outage does."""

from __future__ import annotations

import threading

import pytest

from app.errors import InvalidRequest, StoreUnavailable
from app.operations.each import apply_each

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
