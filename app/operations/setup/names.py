"""Names of accounts, keys and teams, derived from those in files of other programs."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._@+-]+")


def name_in(value: Any) -> str:
    """Return *value* as a valid name, '' if it is no text, or no character of a name is left."""
    return _NOT_IN_NAMES.sub("-", value).strip("._@+-")[:64] if isinstance(value, str) else ""


def free_name(name: str, taken: Container[str]) -> str:
    """Return *name*, with a number added if it is *taken*."""
    number, numbered = 1, name
    while numbered in taken:
        number += 1
        numbered = f"{name[:58]}-{number}"
    return numbered
