"""The id of the call that a tool message answers; clients use different names for the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = ("tool_call_id", "toolCallId", "call_id")  # the first non-empty value counts


def call_id_of(message: Mapping[str, Any]) -> str | None:
    """Return the id of the call that *message* answers, None if it has none."""
    return next((text for name in NAMES if isinstance(text := message.get(name), str) and text), None)
