"""
Examples of the bodies and responses of the admin API, by operation ID.

`python -m tests.support.admin_examples` records them from calls on a real store; a test compares them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypedDict

import orjson

FILE = Path(__file__).with_name("examples.json")


class Example(TypedDict, total=False):
    """`request` is missing for operations without a body."""

    request: Any
    response: Any


@cache
def read_examples() -> dict[str, Example]:
    examples: dict[str, Example] = orjson.loads(FILE.read_bytes())
    return examples
