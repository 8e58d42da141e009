"""Events of a response that called the image tool, as those of the Images API."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import (
    ImageEditCompletedEvent,
    ImageEditPartialImageEvent,
    ImageGenCompletedEvent,
    ImageGenPartialImageEvent,
    ImagesResponse,
)

from app.errors import StreamIncomplete, UpstreamError, UpstreamProtocolError, UpstreamRejected
from app.streaming.events import Event
from app.streaming.usage import Usage
from app.translation.events.responses_to_images import ResponsesToImages, images_response
from tests.support.upstream_images import CREATED_AT, IMAGE, image_events

USAGE = Usage(10, 20, 30, image_input_tokens=4, image_output_tokens=15)


def translated(
    play: dict[str, Any], name: str = "image_generation", **requested: Any
) -> tuple[ResponsesToImages, list[dict[str, Any]]]:
    translator = ResponsesToImages(requested, name, 5)
    events = [Event(payload) for payload in image_events(play, {})]
    return translator, [event.payload for event in translator.translate(events)]


def error_of(play: dict[str, Any]) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        translated(play)
    return raised.value


def test_the_image_of_the_tools_item() -> None:
    """The final response of the ChatGPT backend has no output."""
    translator, partials = translated({})

    (image,) = translator.images
    assert (image["result"], partials, translator.created_at) == (IMAGE, [], CREATED_AT)
    assert translator.tool_usage is not None
    assert translator.tool_usage.image_output_tokens == 1056


def test_the_image_of_the_final_response() -> None:
    """Other servers send the item there alone, or there as well."""
    item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "Zmlu"}
    alone, _ = translated({"item": None, "response": {"output": [item]}})
    both, _ = translated({"response": {"output": [item]}})

    assert [image["result"] for image in alone.images] == ["Zmlu"]
    assert [image["result"] for image in both.images] == ["Zmlu"]


def test_an_item_without_its_image_does_not_replace_it() -> None:
    item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": None}
    translator, _ = translated({"response": {"output": [item]}})

    assert [image["result"] for image in translator.images] == [IMAGE]


@pytest.mark.parametrize(
    ("name", "partial", "completed"),
    [
        ("image_generation", ImageGenPartialImageEvent, ImageGenCompletedEvent),
        ("image_edit", ImageEditPartialImageEvent, ImageEditCompletedEvent),
    ],
)
def test_events_are_those_of_the_sdk(name: str, partial: Any, completed: Any) -> None:
    translator, partials = translated({"partials": ["cGFydA==", "bW9yZQ=="]}, name)

    events = [partial.model_validate(payload) for payload in partials]
    assert [event.partial_image_index for event in events] == [0, 1]
    last = completed.model_validate(translator.completed_event(translator.images[0], USAGE).payload)
    assert (last.b64_json, last.usage.total_tokens, last.size) == (IMAGE, 30, "1024x1024")


def test_settings_that_are_not_reported_are_those_requested() -> None:
    translator = ResponsesToImages({"size": "1536x1024", "quality": None}, "image_edit", 5)
    payload = {"type": "response.image_generation_call.partial_image", "partial_image_b64": "cA=="}

    (event,) = translator.translate([Event(payload)])

    assert event.payload == {
        "type": "image_edit.partial_image",
        "b64_json": "cA==",
        "created_at": 5,
        "background": "auto",
        "output_format": "png",
        "quality": "auto",
        "size": "1536x1024",
        "partial_image_index": 0,
    }


def test_the_response_is_that_of_the_sdk() -> None:
    translator, _ = translated({})
    made = ImagesResponse.model_validate(images_response(translator.images, USAGE, 7))

    assert made.data is not None
    assert made.usage is not None
    assert (made.created, made.data[0].b64_json, made.size) == (7, IMAGE, "1024x1024")
    assert made.usage.input_tokens_details.text_tokens == 6
    assert made.usage.output_tokens_details is not None
    assert made.usage.output_tokens_details.text_tokens == 5


def test_what_is_not_known_is_absent() -> None:
    assert images_response([{"result": "aQ==", "background": "auto"}], None, 7) == {
        "created": 7,
        "data": [{"b64_json": "aQ=="}],
    }


class TestWithoutAnImage:
    def test_the_tools_error(self) -> None:
        item = {"result": None, "error": {"code": "moderation_blocked", "message": "No.", "type": "x"}}
        error = error_of({"item": item})

        assert (error.status, error.code, error.message, error.type) == (
            400,
            "moderation_blocked",
            "No.",
            "x",
        )

    def test_words(self) -> None:
        error = error_of({"item": None, "text": "I do not draw that."})

        assert isinstance(error, UpstreamRejected)
        assert (error.status, error.code) == (400, "image_generation_failed")
        assert error.message.endswith("It wrote: I do not draw that.")

    def test_nothing(self) -> None:
        assert isinstance(error_of({"item": None}), UpstreamProtocolError)
        assert isinstance(error_of({"item": {"result": ""}}), UpstreamProtocolError)

    @pytest.mark.parametrize(
        ("reason", "kind", "status"),
        [("content_filter", UpstreamRejected, 400), ("max_output_tokens", StreamIncomplete, 502)],
    )
    def test_incomplete(self, reason: str, kind: type[UpstreamError], status: int) -> None:
        error = error_of(
            {
                "item": None,
                "end": "response.incomplete",
                "response": {"incomplete_details": {"reason": reason}},
            }
        )

        assert isinstance(error, kind)
        assert error.status == status

    def test_an_incomplete_response_with_an_image_has_it(self) -> None:
        translator, _ = translated({"end": "response.incomplete"})

        assert len(translator.images) == 1


ODD = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
ODD_CALLS = st.fixed_dictionaries(
    {"type": st.just("image_generation_call")},
    optional={"id": ODD | st.lists(ODD), "result": ODD, "error": ODD | st.dictionaries(st.just("code"), ODD)},
)
ODD_OBJECTS = ODD_CALLS | st.dictionaries(
    st.sampled_from(["type", "id", "result", "error", "content", "output", "tool_usage", "created_at"]),
    ODD | st.lists(ODD | st.dictionaries(st.just("type"), ODD), max_size=2),
    max_size=4,
)
ODD_EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                *("response.created", "response.output_item.done", "response.completed"),
                *("response.incomplete", "response.image_generation_call.partial_image"),
            ]
        )
    },
    optional={
        "item": ODD | ODD_OBJECTS,
        "response": ODD | ODD_OBJECTS | st.fixed_dictionaries({"output": st.lists(ODD | ODD_OBJECTS)}),
        "output_index": ODD | st.lists(ODD),
        "partial_image_b64": ODD,
        "partial_image_index": ODD,
    },
)


@given(st.lists(ODD_EVENTS, max_size=5))
def test_odd_events_are_the_upstreams_fault(payloads: list[dict[str, Any]]) -> None:
    """Whatever members have which types: images, events, or an error of the upstream."""
    translator = ResponsesToImages({}, "image_generation", 5)
    try:
        made = translator.translate([Event(payload) for payload in payloads])
    except UpstreamError:
        return
    assert all(isinstance(event.payload["b64_json"], str) for event in made)
    assert all(isinstance(image["result"], str) for image in translator.images)
