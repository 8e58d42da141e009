"""Citations of both protocols."""

from __future__ import annotations

import pytest

from app.translation.events.annotations import chat_annotations, responses_annotations

FIELDS = {"start_index": 1, "end_index": 2, "url": "u", "title": "t"}
FLAT = {"type": "url_citation", **FIELDS}
NESTED = {"type": "url_citation", "url_citation": FIELDS}


def test_there_and_back():
    assert chat_annotations([FLAT]) == [NESTED]
    assert responses_annotations([NESTED]) == [FLAT]


def test_missing_fields():
    """Responses requires all of them."""
    assert responses_annotations([{"url_citation": {"url": "u", "title": None}}]) == [
        {"type": "url_citation", "start_index": 0, "end_index": 0, "url": "u", "title": ""}
    ]


@pytest.mark.parametrize("annotations", [None, "x", [7, None], [{"type": "file_citation"}]])
def test_others(annotations):
    assert chat_annotations(annotations) == responses_annotations(annotations) == []
