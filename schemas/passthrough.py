"""
Bodies of the endpoints whose requests pass through unchanged: only the fields we use are checked.

Source: https://platform.openai.com/docs/api-reference (embeddings, moderations, completions,
audio, images)
"""

from __future__ import annotations

from schemas.bounds import MAX_TIER_CHARS
from schemas.fields import NOT_EMPTY, Flag, Integer, Json, ModelName, ShortText, Text, Unread, WireSchema


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
