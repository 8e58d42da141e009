"""
State of one account in a conversation that another account continues: encrypted reasoning and ids of items.

Source: https://platform.openai.com/docs/guides/reasoning (encrypted reasoning items)
"""

from __future__ import annotations

import re
from typing import Any

from app.translation.requests.upstream_request import UpstreamRequest

NAME = "encrypted_content"  # the name under which the removed state is reported as ignored
CODE = "invalid_encrypted_content"

_UNREADABLE = re.compile(
    r"encrypted[_ ]content.{0,80}(?:could not|cannot|can't|invalid|failed|did not match)"
    r"|(?:could not|cannot|failed to) (?:be )?(?:verify|verified|decrypt|decrypted).{0,60}encrypted"
    r"|item with id '?[\w-]{1,80}'? not found"
    # A reasoning item without the item that belongs to it
    r"|provided without its required .{0,20}(?:reasoning|following)\W{1,3}item"
    r"|\binvalid '?input\[\d{1,6}\]\.id\b",  # an id in the form of another server
    re.I | re.S,
)
_NEEDED = ("compaction", "compaction_summary", "item_reference")  # items that consist of such state only


def is_unreadable(status: int | None, code: str | None, message: str) -> bool:
    """Return whether an error reports state in the request that its account cannot read."""
    return code == CODE or (status in (400, 404, 422) and _UNREADABLE.search(message) is not None)


def has_foreign_state(request: UpstreamRequest) -> bool:
    """Return whether *request* has such state and can omit it: text, calls and their results stay."""
    items = request.body.get("input")
    if request.protocol != "responses" or not isinstance(items, list):
        return False
    known = [item for item in items if isinstance(item, dict)]
    if any(item.get("type") in _NEEDED for item in known):
        return False
    return any(_is_reasoning(item) or "id" in item for item in known)


def without_foreign_state(request: UpstreamRequest) -> UpstreamRequest:
    """Return *request* without reasoning items and without ids of items."""
    items = [_without_id(item) for item in request.body["input"] if not _is_reasoning(item)]
    ignored = request.ignored if NAME in request.ignored else [*request.ignored, NAME]
    return request._replace(body={**request.body, "input": items}, ignored=ignored)


def _is_reasoning(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "reasoning"


def _without_id(item: Any) -> Any:
    if not isinstance(item, dict) or "id" not in item:
        return item
    return {key: value for key, value in item.items() if key != "id"}
