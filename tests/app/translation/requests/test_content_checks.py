"""Contents that decide which accounts are eligible."""

from __future__ import annotations

import pytest

from app.translation.requests.content_checks import (
    has_audio,
    has_hosted_tools,
    has_references,
    has_web_search,
)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], False),
        (None, False),
        ([{"role": "assistant", "audio": {"id": "a"}}], True),
        ([{"audio": None}, 7], False),
    ],
)
def test_audio(messages, expected):
    assert has_audio(messages) is expected


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ([], False),
        ([{"name": "f"}, {"type": "function"}, {"type": "custom"}, {"type": "namespace"}], False),
        ([{"type": "function"}, {"type": "mcp"}], True),
    ],
)
def test_hosted_tools(tools, expected):
    assert has_hosted_tools(tools) is expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("hi", False),
        ([{"role": "user", "content": "hi"}], False),
        ([{"type": "item_reference", "id": "x"}], True),
        ([{"type": "compaction", "encrypted_content": "x"}], True),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}], True),
        ([{"role": "user", "content": [{"type": "input_file", "file_id": ""}]}], False),
    ],
)
def test_references(items, expected):
    assert has_references(items) is expected


@pytest.mark.parametrize(
    ("body", "searches"),
    [
        ({}, False),
        ({"tools": None}, False),
        ({"tools": [{"type": "function"}, {"type": "web_search_preview"}]}, True),
    ],
)
def test_searches_the_web(body, searches):
    assert has_web_search(body) is searches
