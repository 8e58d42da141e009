"""Read some members of a large JSON object without parsing the others. Pure."""

from __future__ import annotations

from collections.abc import Collection
from json import JSONDecoder
from typing import Any

import orjson

FEW = 8  # for more members, parsing the entire object (of some hundred) is faster

_decode_at = JSONDecoder().raw_decode


def parse_members(text: str, names: Collection[str] | None) -> dict[str, Any]:
    """
    Return the members *names* of the JSON object *text*, all with None.

    *text* is as orjson writes it, and no value in it contains an object.
    """
    if names is None or len(names) > FEW:
        members: dict[str, Any] = orjson.loads(text)
        return {name: members[name] for name in names if name in members} if names is not None else members
    found = {}
    for name in names:
        mark = f"{orjson.dumps(name).decode()}:"
        at = text.find(mark)
        while at > 0 and text[at - 1] not in "{,":  # the end of a longer name with a quotation mark
            at = text.find(mark, at + 1)
        if at > 0:
            found[name], _ = _decode_at(text, at + len(mark))
    return found
