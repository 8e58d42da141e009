"""Check whether the arguments of a tool call are complete JSON, or end inside it."""

from __future__ import annotations

import re
from typing import Any

import orjson

MAX_CHECKED_CHARS = 1000  # arguments up to this length are always parsed
MAX_SCANNED_CHARS = 64 * 1024  # of arguments that are not JSON are scanned, in some milliseconds
_BRACKET_OR_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)


def is_json(text: str) -> bool:
    """Return whether *text* is JSON; a long text is parsed only if its end looks like JSON."""
    if not text.endswith(("}", "]", '"')) and len(text) > MAX_CHECKED_CHARS:
        return False  # so that a long text is not parsed for every piece
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def is_cut(text: Any) -> bool:
    """
    Return whether *text* is JSON that ends inside an object, a list or a string.

    An empty text means no arguments. Other text that is not JSON is a model's mistake, and complete.
    """
    if type(text) is not str or not text:
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        text = text.strip()
    else:
        return False
    if not text.startswith(("{", "[", '"')):
        return False
    if len(text) > MAX_SCANNED_CHARS:
        return not text.endswith(("}", "]", '"'))
    depth = 0
    for found in _BRACKET_OR_STRING.finditer(text):
        start, end = found.span()
        mark = text[start]
        if mark == '"':
            if end - start == 1:
                return True  # the string is never closed
        else:
            depth += 1 if mark in "{[" else -1
        if depth <= 0:
            return False
    return depth > 0
