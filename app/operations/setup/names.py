"""Names of accounts, keys and teams, made of those in the files of other programs."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._@+-]+")


def name_in(value: Any) -> str:
    """Return *value* as a name, '' where it is no text or has no character that one may have."""
    return _NOT_IN_NAMES.sub("-", value).strip("._@+-")[:64] if isinstance(value, str) else ""


def free_name(name: str, taken: Container[str]) -> str:
    """Return *name*, with a number where it is among the *taken* ones."""
    number, numbered = 1, name
    while numbered in taken:
        number += 1
        numbered = f"{name[:58]}-{number}"
    return numbered
