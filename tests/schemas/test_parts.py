from __future__ import annotations

import pytest
from marshmallow import ValidationError

from schemas.parts import check_content

TEXT = {"type": "text", "text": "hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
FILE = {"type": "file", "file": {"file_data": "aGk=", "filename": "a.txt"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}
REFUSAL = {"type": "refusal", "refusal": "no"}
CONTENT = {"type": "output_text", "text": "hi"}
INPUT_TEXT = {"type": "input_text", "text": "hi"}
BARE_TEXT = {"text": "hi"}
THINKING = {"type": "thinking", "thinking": [TEXT]}
BARE_IMAGE = {"type": "image_url", "image_url": "https://example.com/a.png"}


def place_of(error: ValidationError) -> tuple:
    """Follow the one path of *error* down to its text."""
    place, found = [], error.messages
    while isinstance(found, dict):
        ((step, found),) = found.items()
        place.append(step)
    return tuple(place)


@pytest.mark.parametrize(
    ("role", "content"),
    [
        *[
            (role, content)
            for role in ("system", "developer", "user", "assistant")
            for content in (None, "", "hi", TEXT, BARE_TEXT, [], [TEXT], ["hi", INPUT_TEXT, BARE_TEXT])
        ],
        ("system", [CONTENT]),
        ("system", {"type": None, "text": "hi"}),
        ("user", IMAGE),
        ("user", [TEXT, IMAGE, FILE, "hi"]),
        ("user", [{"type": "image_url", "image_url": {"url": ""}}]),
        ("user", [{"type": "file", "file": {}}]),
        ("user", [{"type": "file", "file": {"file_id": "", "data": "aGk=", "mime_type": None}}]),
        ("user", [{"type": "file", "file": {"file_id": None, "file_url": "https://example.com/a"}}]),
        ("assistant", [TEXT, REFUSAL, CONTENT]),
        ("assistant", [THINKING]),
        ("tool", ""),
        ("tool", "22 degrees"),
        ("tool", []),
        ("tool", ["hi"]),
        ("tool", [TEXT, CONTENT, BARE_TEXT]),
        ("tool", [IMAGE, TEXT]),
    ],
)
def test_accepted(role, content):
    check_content(role, content)


@pytest.mark.parametrize(
    ("role", "content", "place"),
    [
        *[
            (role, content, ("content", *place))
            for role in ("system", "developer", "user", "assistant")
            for content, *place in (
                (5,),
                (True,),
                ([5], 0),
                ([None], 0),
                ([TEXT, [TEXT]], 1),
                ([{}], 0, "text"),
                ([{"type": "text"}], 0, "text"),
                ({"type": "text", "text": None}, 0, "text"),
                ([{"type": "text", "text": 5}], 0, "text"),
                ([{"type": 5, "text": "hi"}], 0, "type"),
                ([{"type": ["text"], "text": "hi"}], 0, "type"),
                ([AUDIO], 0, "type"),
                ([TEXT, {"type": "file", "file": {"file_id": "file-1"}}], 1, "file", "file_id"),
                ([{"file": {"file_id": "file-1"}}], 0, "file", "file_id"),
                ([{**TEXT, "file": {"file_id": 5}}], 0, "file", "file_id"),
            )
        ],
        ("system", [IMAGE], ("content", 0, "type")),
        ("system", [FILE], ("content", 0, "type")),
        ("developer", [REFUSAL], ("content", 0, "type")),
        ("user", [CONTENT], ("content", 0, "type")),
        ("user", [REFUSAL], ("content", 0, "type")),
        ("user", [{"type": "video_url", "video_url": {"url": "x"}}], ("content", 0, "type")),
        ("user", [BARE_IMAGE], ("content", 0, "image_url")),
        ("user", [{"type": "image_url"}], ("content", 0, "image_url")),
        ("user", [{"type": "image_url", "image_url": {}}], ("content", 0, "image_url", "url")),
        ("user", [{"type": "image_url", "image_url": {"url": 5}}], ("content", 0, "image_url", "url")),
        ("user", [{"type": "file"}], ("content", 0, "file")),
        ("user", [{"type": "file", "file": "aGk="}], ("content", 0, "file")),
        ("user", [{"type": "file", "file": {"file_data": 5}}], ("content", 0, "file", "file_data")),
        ("user", [{"type": "file", "file": {"filename": ["a"]}}], ("content", 0, "file", "filename")),
        ("assistant", [{"type": "refusal", "refusal": None}], ("content", 0, "refusal")),
        ("assistant", [{"type": "output_text", "text": 5}], ("content", 0, "text")),
        ("tool", None, ("content",)),
        ("tool", 5, ("content",)),
        ("tool", TEXT, ("content",)),
        ("tool", [IMAGE], ("content",)),
        ("tool", [5], ("content",)),
        ("tool", ["hi", 5], ("content", 1)),
        ("tool", [{"type": "text", "text": 5}], ("content", 0, "text")),
        ("tool", ["hi", AUDIO], ("content", 1, "type")),
        ("tool", ["hi", {"type": "file", "file": {"file_id": "f"}}], ("content", 1, "file", "file_id")),
    ],
)
def test_refused(role, content, place):
    with pytest.raises(ValidationError) as caught:
        check_content(role, content)

    assert place_of(caught.value) == place
