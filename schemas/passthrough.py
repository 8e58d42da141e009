"""
Bodies of the endpoints whose requests pass through unchanged: only fields that the gateway uses are checked.

Source: https://platform.openai.com/docs/api-reference (embeddings, moderations, completions, audio, images)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from schemas.bounds import MAX_TIER_CHARS
from schemas.fields import (
    NOT_EMPTY,
    Flag,
    Integer,
    Json,
    ModelName,
    ShortText,
    Text,
    Unread,
    WireSchema,
)
from schemas.validation_errors import invalid

MAX_EDITED_IMAGES = 16  # per request, as in the Images API


class TextOrArray(Json):
    types, expected = (str, list), "a string or an array"


class PassthroughRequest(WireSchema):
    model = ModelName(required=True)
    stream = Flag()
    service_tier = ShortText(MAX_TIER_CHARS)
    user = Unread()


class EmbeddingsRequest(PassthroughRequest):
    input = TextOrArray(required=True, validate=NOT_EMPTY)


class ModerationsRequest(PassthroughRequest):
    model = ModelName(load_default="omni-moderation-latest")
    input = TextOrArray(required=True)


class CompletionsRequest(PassthroughRequest):
    prompt = TextOrArray()
    max_tokens = Integer(0)
    n = Integer(1)
    best_of = Integer(1)


class SpeechRequest(PassthroughRequest):
    input = Text(required=True)


class ImagesRequest(PassthroughRequest):
    prompt = Text(required=True)


class ImageReferences(Json):
    """An array of images, each `{"image_url": …}`, a data URL or an address, or `{"file_id": …}`."""

    types, expected = (list,), "an array of images"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        images = super()._deserialize(value, attr, data)
        if not 1 <= len(images) <= MAX_EDITED_IMAGES:
            raise invalid(f"must have 1 to {MAX_EDITED_IMAGES} images")
        for index, image in enumerate(images):
            _check_reference(image, index)
        return images


class ImageReference(Json):
    types, expected = (dict,), "an object with image_url or file_id"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        _check_reference(super()._deserialize(value, attr, data))
        return value


def _check_reference(image: Any, *index: int) -> None:
    named = [image.get(name) for name in ("image_url", "file_id")] if type(image) is dict else []
    if len([name for name in named if type(name) is str and name]) != 1:
        raise invalid("must be an object with either image_url or file_id", *index)


class JsonImageEditsRequest(PassthroughRequest):
    prompt = Text(required=True)
    images = ImageReferences()
    mask = ImageReference()

    @validates_schema
    def check_images(self, body: dict[str, Any], **_: Any) -> None:
        """Some servers take `image`, in forms of their own."""
        if "images" not in body and not body.get("image"):
            raise ValidationError("is required", "images")


class FormRequest(WireSchema):
    """The fields of a multipart form, all strings; the form's files are listed separately."""

    model = ModelName(required=True)
    service_tier = ShortText(MAX_TIER_CHARS)
    user = Unread()


class TranscriptionsRequest(FormRequest):
    file = Text(required=True)


class ImageEditsRequest(FormRequest):
    prompt = Text(required=True)


JSON_REQUESTS: dict[str, PassthroughRequest] = {
    "audio/speech": SpeechRequest(),
    "completions": CompletionsRequest(),
    "embeddings": EmbeddingsRequest(),
    "images/generations": ImagesRequest(),
    "moderations": ModerationsRequest(),
}
FORM_REQUESTS: dict[str, FormRequest] = {
    "audio/transcriptions": TranscriptionsRequest(),
    "images/edits": ImageEditsRequest(),
}
JSON_UPLOADS: dict[str, PassthroughRequest] = {  # in JSON instead of in a form
    "images/edits": JsonImageEditsRequest(),
}
