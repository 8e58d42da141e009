"""Comparison of examples with real values: the same fields, and values of the same types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def absent(example: Any, real: Any, place: str = "") -> Iterator[str]:
    """Yield the places of *example* that the *real* value does not have, or has with another type."""
    if isinstance(example, dict) and isinstance(real, dict):
        for name, value in example.items():
            if name not in real:
                yield f"{place}/{name}"
            else:
                yield from absent(value, real[name], f"{place}/{name}")
    elif isinstance(example, list) and isinstance(real, list):
        for number, (value, other) in enumerate(zip(example, real, strict=False)):
            yield from absent(value, other, f"{place}/{number}")
    elif None not in (example, real) and _type(example) is not _type(real):
        yield f"{place}: {example!r} instead of {real!r}"


def _type(value: Any) -> type:
    return float if type(value) is int else type(value)
