"""The field `reasoning_details` of chat messages, whose pieces arrive one by one."""

from __future__ import annotations

from typing import Any

from app.openai_types.chat import ChatMessage

MAX_OPEN_DETAILS = 64  # details that later pieces may continue


def add_details(message: ChatMessage, details: list[Any]) -> None:
    """Add *details*; a piece of text or a signature continues the detail with its type and index."""
    known: list[Any] = message.setdefault("reasoning_details", [])
    for detail in details:
        place = _place(detail)
        for position in range(len(known) - 1, max(-1, len(known) - MAX_OPEN_DETAILS), -1):
            if place is not None and place == _place(known[position]):
                known[position] = _joined(known[position], detail)
                break
        else:
            known.append(detail)


def _place(detail: Any) -> tuple[Any, Any] | None:
    return (detail.get("type"), detail.get("index")) if isinstance(detail, dict) else None


def _joined(before: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    out = {**before}
    for key, value in more.items():
        if key in ("text", "summary", "data") and isinstance(value, str):
            out[key] = str(before.get(key) or "") + value
        elif value is not None:
            out[key] = value
    return out
