from __future__ import annotations

from typing import Any

import pytest

from app.streaming.tool_arguments import MAX_CHECKED_CHARS, MAX_SCANNED_CHARS, is_cut, is_json


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1',
        '{"a": "b',
        '{"a":{"b":[1]}',
        '["a",',
        '{"a":"\\"}',
        '"text',
        "{",
        '{"patch":"' + "x" * MAX_SCANNED_CHARS,
    ],
)
def test_arguments_that_are_cut(text: str) -> None:
    assert is_cut(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{}",
        '{"a":"\\"}"}',
        '{"a":"two\nlines"}',  # no JSON, but complete
        "{'a': 1}",
        '{"a":1}}',
        '{"a":1}</call>',
        "text {",
        '{"a":NaN}',
        "{'a':'" + "x" * MAX_SCANNED_CHARS + "'}",
        '{"a":1}{"b"',  # of another call, next to a whole one
        'he said "a',
        None,
        {},
    ],
)
def test_arguments_that_are_complete(text: Any) -> None:
    assert not is_cut(text)


@pytest.mark.parametrize("text", ["{}", '"a"', "7", '{"a":"' + "x" * MAX_CHECKED_CHARS + '"}'])
def test_json(text: str) -> None:
    assert is_json(text)


@pytest.mark.parametrize("text", ["", "{", "a", "'a'", "7" * (MAX_CHECKED_CHARS + 1)])
def test_no_json_or_not_worth_parsing(text: str) -> None:
    assert not is_json(text)
