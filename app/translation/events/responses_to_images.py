"""
Turn the events of a response whose model called the image tool into those of the Images API.

Source: https://platform.openai.com/docs/api-reference/images-streaming and
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import StreamIncomplete, UpstreamError, UpstreamProtocolError, UpstreamRejected
from app.streaming.events import Event
from app.streaming.upstream_errors import rejection_from_event
from app.streaming.usage import Usage, image_tool_usage
from app.streaming.usage_shapes import images_usage
from app.translation.requests.parts import as_list, text_of

JsonObject = dict[str, Any]

IMAGE_CALL = "image_generation_call"
PARTIAL = "response.image_generation_call.partial_image"
ITEM_DONE = "response.output_item.done"
TERMINAL = ("response.completed", "response.incomplete")
SETTINGS = ("background", "output_format", "quality", "size")  # settings with which an image was produced
DEFAULTS = {"background": "auto", "output_format": "png", "quality": "auto", "size": "auto"}
MAX_QUOTED_CHARS = 500  # of the text that a model wrote in place of an image


class ResponsesToImages:
    """
    Translates the events of one response.

    *requested* are the fields of the request, *name* is `image_generation` or `image_edit`, *created_at*
    in Unix seconds. `images` are the finished images, as the tool's items; `tool_usage` is what the tool
    used, None where the upstream did not report it.
    """

    def __init__(self, requested: Mapping[str, Any], name: str, created_at: int) -> None:
        self.images: list[JsonObject] = []
        self.tool_usage: Usage | None = None
        self.created_at = created_at
        self._settings = {key: requested.get(key) or default for key, default in DEFAULTS.items()}
        self._name = name
        self._done: list[Any] = []  # finished items in their order
        self._calls: dict[str | int, JsonObject] = {}  # calls of the tool, by id or output index

    def translate(self, events: Sequence[Event]) -> list[Event]:
        """Return the events of partial images. Raises UpstreamError where the response has no image."""
        return [partial for event in events if (partial := self._translate(event)) is not None]

    def completed_event(self, image: Mapping[str, Any], usage: Usage | None) -> Event:
        """Return the last event of *image*, with the *usage* of everything that produced it."""
        payload = {**self._event("completed", image["result"], image), **_revised(image)}
        if (reported := images_usage(usage)) is not None:
            payload["usage"] = reported
        return Event(payload)

    def _translate(self, event: Event) -> Event | None:
        payload = event.payload
        if event.type == PARTIAL:
            return self._partial(payload)
        if event.type == "response.created":
            self._note_created(payload.get("response"))
        elif event.type == ITEM_DONE:
            self._done.append(payload.get("item"))
            self._note_call(payload.get("item"), payload.get("output_index"))
        elif event.type in TERMINAL:
            self._end(event.type, payload.get("response"))
        return None

    def _partial(self, payload: JsonObject) -> Event | None:
        image = payload.get("partial_image_b64")
        if not isinstance(image, str) or not image:
            return None
        index = payload.get("partial_image_index")
        made = self._event("partial_image", image, payload)
        return Event({**made, "partial_image_index": index if type(index) is int else 0})

    def _event(self, stage: str, image: str, produced: Mapping[str, Any]) -> JsonObject:
        return {
            "type": f"{self._name}.{stage}",
            "b64_json": image,
            "created_at": self.created_at,
            **self._settings,
            **settings_of(produced),
        }

    def _note_created(self, response: Any) -> None:
        created_at = response.get("created_at") if isinstance(response, dict) else None
        if isinstance(created_at, int | float) and created_at > 0:
            self.created_at = int(created_at)

    def _note_call(self, item: Any, output_index: Any) -> None:
        if not isinstance(item, dict) or item.get("type") != IMAGE_CALL:
            return
        item_id = item.get("id")
        index = output_index if isinstance(output_index, int) else len(self._calls)
        key = item_id if isinstance(item_id, str) else index
        if key not in self._calls or has_result(item):
            self._calls[key] = item

    def _end(self, kind: str, response: Any) -> None:
        response = response if isinstance(response, dict) else {}
        output = as_list(response.get("output")) or self._done
        for index, item in enumerate(output):
            self._note_call(item, index)
        self.tool_usage = image_tool_usage(response)
        self.images = [item for item in self._calls.values() if has_result(item)]
        if not self.images:
            raise _no_image(kind, response, list(self._calls.values()), output)


def images_response(images: Sequence[Mapping[str, Any]], usage: Usage | None, created_at: int) -> JsonObject:
    """Return the response of the Images API with *images*, which are items of the tool."""
    body: JsonObject = {
        "created": created_at,
        "data": [{"b64_json": image["result"], **_revised(image)} for image in images],
    }
    if images:  # `auto` is not a value of a response
        body |= {name: value for name, value in settings_of(images[0]).items() if value != "auto"}
    if (reported := images_usage(usage)) is not None:
        body["usage"] = reported
    return body


def has_result(item: Mapping[str, Any]) -> bool:
    """Return whether *item* has an image. The status is not checked: servers leave it outdated."""
    result = item.get("result")
    return isinstance(result, str) and bool(result)


def settings_of(produced: Mapping[str, Any]) -> JsonObject:
    """Return the settings of an image that the upstream reports."""
    return {name: value for name in SETTINGS if isinstance(value := produced.get(name), str) and value}


def _revised(image: Mapping[str, Any]) -> JsonObject:
    prompt = image.get("revised_prompt")
    return {"revised_prompt": prompt} if isinstance(prompt, str) and prompt else {}


def _no_image(
    kind: str, response: Mapping[str, Any], calls: list[JsonObject], output: list[Any]
) -> UpstreamError:
    """Return why a response has no image: the tool's error, the model's text, or how the response ended."""
    for call in calls:
        if isinstance(error := call.get("error"), dict):
            return rejection_from_event({"error": error})
    if written := _written(output):
        return UpstreamRejected(
            f"The model produced no image. It wrote: {written}",
            status=400,
            type="invalid_request_error",
            code="image_generation_failed",
        )
    if kind == "response.completed":
        return UpstreamProtocolError("The upstream's response has no image")
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if reason == "content_filter":
        return rejection_from_event(
            {"error": {"code": "content_filter", "message": "The image was stopped by a content filter"}}
        )
    return StreamIncomplete("The upstream's response ended before its image was complete")


def _written(output: list[Any]) -> str:
    """Return the beginning of the text or the refusal in *output*."""
    parts = [part for item in output if isinstance(item, dict) for part in as_list(item.get("content"))]
    texts = [
        text_of(part) or part.get("refusal") for part in parts if isinstance(part, dict) and "type" in part
    ]
    return " ".join(text for text in texts if isinstance(text, str))[:MAX_QUOTED_CHARS].strip()
