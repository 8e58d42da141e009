from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TypedDict

import pytest

from app.records import public_fields, record


@record
class Point:
    x: int
    y: int = 0


def test_records_with_equal_fields_are_equal_and_hash_alike() -> None:
    assert Point(1, 2) == Point(1, 2) != Point(1)
    assert {Point(1): "a"}[Point(1)] == "a"


def test_a_record_has_its_fields_and_no_others() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 2  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Point(1, z=2)  # type: ignore[call-arg]


def test_a_changed_record_is_a_copy() -> None:
    first = Point(1)
    assert replace(first, x=2) == Point(2)
    assert first == Point(1)


def test_public_fields() -> None:
    """The fields of the shape alone, in its order, and some by another name."""

    class Shape(TypedDict):
        name: str
        wires: int

    source = SimpleNamespace(protocols=2, name="a", secret="s")

    assert list(public_fields(source, Shape, wires="protocols").items()) == [("name", "a"), ("wires", 2)]
