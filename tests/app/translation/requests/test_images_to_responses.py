"""Requests of the Images API as requests that call the image tool."""

from __future__ import annotations

import base64
import string
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.errors import InvalidRequest
from app.translation.requests.images_to_responses import (
    MAX_IMAGES,
    TOOL_FIELDS,
    UNCARRIED,
    ImageFile,
    image_count,
    images_to_responses,
    is_streamed,
    uncarried_field,
)

PNG = b"\x89PNG\r\n\x1a\n..."
MAIN = "gpt-5.5"
FIELDS: dict[str, Any] = {"model": "gpt-image-2", "prompt": "A cat"}


def tool_of(fields: dict[str, Any], *files: ImageFile, is_edit: bool = False) -> dict[str, Any]:
    (tool,) = images_to_responses({**FIELDS, **fields}, files, MAIN, is_edit=is_edit).body["tools"]
    return tool  # type: ignore[no-any-return]


def ignored(fields: dict[str, Any], *files: ImageFile) -> list[str]:
    return images_to_responses({**FIELDS, **fields}, files, MAIN, is_edit=bool(files)).ignored


def test_generation() -> None:
    body, left_out = images_to_responses(FIELDS, (), MAIN, is_edit=False)

    assert body["model"] == MAIN
    assert body["tools"] == [{"type": "image_generation", "model": "gpt-image-2", "action": "generate"}]
    assert body["tool_choice"] == {"type": "image_generation"}
    assert body["input"][0]["content"] == [{"type": "input_text", "text": "A cat"}]
    assert left_out == []


def test_edit() -> None:
    """Images are parts of the message in their order, the mask is the tool's."""
    files = (ImageFile("image[]", "", PNG), ImageFile("mask", "", PNG), ImageFile("image[]", "", b"GIF89a"))
    body = images_to_responses(FIELDS, files, MAIN, is_edit=True).body

    png = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert body["tools"][0]["action"] == "edit"
    assert body["tools"][0]["input_image_mask"] == {"image_url": png}
    images = [part["image_url"] for part in body["input"][0]["content"][1:]]
    assert images == [png, "data:image/gif;base64,R0lGODlh"]


def test_edit_without_image() -> None:
    with pytest.raises(InvalidRequest, match="at least one image"):
        tool_of({}, ImageFile("mask", "", PNG), is_edit=True)


@pytest.mark.parametrize(
    ("data", "given_type", "expected"),
    [
        (b"\x89PNG", "application/octet-stream", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/png", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBP", "", "image/webp"),
        (b"unknown", "image/avif", "image/avif"),
        (b"", "text/plain", "image/png"),
    ],
)
def test_type_of_an_image(data: bytes, given_type: str, expected: str) -> None:
    """Its first bytes decide: clients send files with a wrong type, or none."""
    tool = tool_of({}, ImageFile("image", "", PNG), ImageFile("mask", given_type, data), is_edit=True)

    assert tool["input_image_mask"]["image_url"].startswith(f"data:{expected};base64,")


def test_numbers_of_a_form() -> None:
    """A form has texts; the tool takes numbers."""
    tool = tool_of({"output_compression": "80", "stream": "true", "partial_images": "2", "size": "auto"})

    assert (tool["output_compression"], tool["partial_images"], tool["size"]) == (80, 2, "auto")


def test_partial_images_are_those_of_a_stream() -> None:
    assert "partial_images" not in tool_of({"partial_images": 2})
    assert ignored({"partial_images": 2}) == ["partial_images"]
    assert ignored({"partial_images": 0}) == []
    assert tool_of({"partial_images": 2, "stream": True})["partial_images"] == 2


def test_response_format() -> None:
    """Images are always sent in Base64, as by all models of that family."""
    assert ignored({"response_format": "b64_json"}) == []
    assert ignored({"response_format": "url"}) == ["response_format"]


def test_an_image_that_is_no_file() -> None:
    assert ignored({"image": "https://example.com/a.png"}) == ["image"]


def test_files_without_a_place() -> None:
    files = ImageFile("image", "", PNG), ImageFile("depth", "", PNG)

    assert ignored({"image": "a.png", "depth": "b.png"}, *files) == ["depth"]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        *((None, 1), (1, 1), ("3", 3), (MAX_IMAGES, MAX_IMAGES), (0, None), (11, None)),
        *(("x", None), (True, None), (1.0, None), ([], None), ("", None)),
    ],
)
def test_number_of_images(value: Any, count: int | None) -> None:
    assert image_count({"n": value}) == count
    assert uncarried_field({"n": value}) == (None if count else "n")


@pytest.mark.parametrize("name", [*UNCARRIED, "svg[model]"])
def test_fields_that_change_the_image(name: str) -> None:
    assert uncarried_field({**FIELDS, name: "x"}) == name.partition("[")[0]
    assert uncarried_field({**FIELDS, name: None}) is None


@pytest.mark.parametrize(("value", "streams"), [(True, True), ("true", True), ("1", True), (False, False)])
def test_stream(value: Any, streams: bool) -> None:
    assert is_streamed({"stream": value}) is streams
    assert not is_streamed({})


VALUES = st.none() | st.booleans() | st.integers(0, 100) | st.text(max_size=5) | st.lists(st.integers())
NAMES = st.sampled_from(
    [*TOOL_FIELDS, "n", "stream", "partial_images", "style", "user", "response_format", "service_tier"]
) | st.text(string.ascii_lowercase + "_", min_size=1, max_size=12)


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_nothing_is_lost_in_silence(fields: dict[str, Any]) -> None:
    """Every field with an effect is sent or named, but for those that decide how the caller is answered."""
    fields = {name: value for name, value in fields.items() if name not in ("model", "prompt")}
    assume(uncarried_field(fields) is None)  # another account gets these, or none
    body, left_out = images_to_responses({**FIELDS, **fields}, (), MAIN, is_edit=False)
    (tool,) = body["tools"]

    for name, value in fields.items():
        if value is None or value == "" or name in ("n", "stream") or (name, value) == ("images", []):
            continue
        is_sent = name in tool or name in body
        is_default = (name, value) in (("response_format", "b64_json"), ("partial_images", 0))
        is_falsy_tier = name == "service_tier" and not value
        assert is_sent or name in left_out or is_default or is_falsy_tier or not name.isidentifier(), name
    assert set(tool) <= {"type", "model", "action", "partial_images", *TOOL_FIELDS}
    assert len(set(left_out)) == len(left_out)
