"""
The `input` of a Responses request: a string, or items.

Source: https://platform.openai.com/docs/api-reference/responses/create (`input`)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.call_ids import call_id_of
from schemas.fields import Json
from schemas.parts import count_parts, file_id_of
from schemas.plain_messages import roles_of_plain
from schemas.validation_errors import invalid
from schemas.work_bounds import MAX_ITEMS, MAX_PARTS

PARTS_IN = ("content", "output")
COUNTED_IN = (*PARTS_IN, "summary")


class Input(Json):
    """
    A string, or an array of items, possibly empty.

    An item is checked only for what every upstream requires: it is an object, refers to no stored file, and
    names the call if it is a tool's output.
    """

    types, expected = (str, list), "a string or an array of items"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(super()._deserialize(value, attr, data)) is list:
            if len(value) > MAX_ITEMS:
                raise invalid(f"must have at most {MAX_ITEMS} items")
            if (roles := roles_of_plain(value)) is not None and "tool" not in roles:
                return value
            if count_parts(value, COUNTED_IN) > MAX_PARTS:
                raise invalid(f"must have at most {MAX_PARTS} content parts in all")
            for index, item in enumerate(value):
                _check_item(item, index, last=index == len(value) - 1)
        return value


def _check_item(item: Any, index: int, *, last: bool) -> None:
    if type(item) is not dict:
        raise invalid("must be an object", index)
    if item.get("role") == "tool" and call_id_of(item) is None:
        raise invalid("must be a non-empty string", index, "tool_call_id")
    if item.get("type") == "compaction_trigger" and not last:
        raise invalid("must be the last item, and the only compaction_trigger", index)
    _check_file(item, index)
    for name in PARTS_IN:
        content = item.get(name)
        for part in content if type(content) is list else (content,):
            if type(part) is dict:
                _check_file(part, index)


def _check_file(part: dict[str, Any], index: int) -> None:
    if part.get("type") == "input_file" and file_id_of(part) is not None:
        raise invalid("has a file_id, which is not supported: send file_data or file_url", index)
