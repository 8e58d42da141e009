"""Citations of both protocols."""

from __future__ import annotations

import pytest

from app.translation.events.annotations import chat_annotations, part_annotations, responses_annotations

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


class TestParts:
    def test_positions_follow_the_text_before(self):
        part = {"type": "tool_reference", "url": "u", "title": "t", "text_offset": 2}

        assert part_annotations([part], 3) == [{**FLAT, "start_index": 5, "end_index": 5}]

    def test_each_number_is_a_document(self):
        (one, two) = part_annotations([{"type": "reference", "reference_ids": [4, "x", None]}], 0)

        assert [one["file_id"], two["file_id"]] == ["4", "x"]
        assert one == {"type": "file_citation", "file_id": "4", "filename": "", "index": 0}

    @pytest.mark.parametrize(
        "parts", [None, 7, [7], [{"type": "reference", "reference_ids": 7}], [{"type": "tool_reference"}]]
    )
    def test_of_no_shape(self, parts):
        assert part_annotations(parts, 0) == []
