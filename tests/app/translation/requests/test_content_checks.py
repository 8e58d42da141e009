"""Contents that decide which accounts are eligible."""

from __future__ import annotations

import pytest

from app.translation.requests.content_checks import has_web_search, needs_chat, needs_responses

FILE = {"type": "file", "file": {"file_data": "QQ=="}}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], False),
        (None, False),
        ([{"role": "assistant", "audio": {"id": "a"}}], True),
        ([{"audio": None}, 7], False),
        ([{"role": "user", "content": ["a", {"type": "image_url", "image_url": {"url": "u"}}, FILE]}], False),
        ([{"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]}], True),
        ([{"role": "user", "content": [{"type": "video_url"}]}], True),
        ([{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}], False),
        ([{"role": "assistant", "content": [{"type": "brand_new"}]}], True),
        ([{"role": "tool", "content": [{"type": "brand_new"}, FILE]}], False),
        ([{"role": "tool", "content": [{"type": "file", "file": {}}]}], True),
    ],
)
def test_messages_that_only_chat_has(messages, expected):
    assert needs_chat(messages) is expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("hi", False),
        ([{"role": "user", "content": "hi"}, 7], False),
        ([{"type": "item_reference", "id": "x"}], True),
        ([{"type": "compaction", "encrypted_content": "x"}], True),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}], True),
        ([{"role": "user", "content": [{"type": "input_file", "file_data": "QQ=="}]}], False),
        ([{"role": "user", "content": [{"type": "input_file", "file_url": "https://x/a.pdf"}]}], True),
        ([{"type": "web_search_call"}, {"type": "reasoning"}], False),
        ([{"type": "shell_call", "call_id": "c"}], True),
    ],
)
def test_items_that_only_responses_has(items, expected):
    assert needs_responses(items) is expected


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
