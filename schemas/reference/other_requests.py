"""
The fields of the pass-through endpoints, by their path below /v1.

Source: https://platform.openai.com/docs/api-reference (embeddings, moderations, completions, audio, images)
"""

from __future__ import annotations

from schemas.json_schema import JsonSchema
from schemas.reference import common
from schemas.reference.chat import STRING
from schemas.reference.types import array, flag, integer, note, number, text, union

TOKENS: JsonSchema = array({"type": "integer"})
COMMON, FORM = common.OF_EVERY_REQUEST, {k: v for k, v in common.OF_EVERY_REQUEST.items() if k != "stream"}
IMAGE: dict[str, JsonSchema] = {
    "model": note("Such as `gpt-image-1`; `GET /v1/models` lists those that the key may use."),
    "prompt": note("What the image shows."),
    "n": integer("The number of images."),
    "size": text("", "auto", "1024x1024", "1536x1024", "1024x1536"),
    "quality": text("", "auto", "low", "medium", "high"),
    "background": text("", "auto", "transparent", "opaque"),
    "output_format": text("", "png", "jpeg", "webp"),
    "output_compression": integer("From 0 to 100, of `jpeg` and `webp`."),
    "moderation": text("", "auto", "low"),
}
FIELDS: dict[str, dict[str, JsonSchema]] = {
    "embeddings": {
        **COMMON,
        "input": {
            **note("What to embed: a text, several, or their tokens."),
            **union(STRING, array(union(STRING, {"type": "integer"}, TOKENS))),
        },
        "dimensions": integer("The length of the vectors, where the model can shorten them."),
        "encoding_format": text("", "float", "base64"),
    },
    "moderations": {
        **COMMON,
        "input": {
            **note("What to classify: a text, or texts and images."),
            **union(STRING, array(union(STRING, {"type": "object"}))),
        },
    },
    "completions": {
        **COMMON,
        "prompt": {
            **note("The text to continue."),
            **union(STRING, array(union(STRING, {"type": "integer"}, TOKENS))),
        },
        "max_tokens": note("The largest number of tokens of each completion."),
        "n": note("The number of completions."),
        "best_of": note("How many completions the upstream makes to choose from; all are billed."),
        "temperature": number(),
        "top_p": number(),
        "stop": union(STRING, array(STRING)),
        "suffix": text("The text behind the completion."),
        "echo": flag("Whether the response begins with the prompt."),
        "logprobs": integer(),
    },
    "audio/speech": {
        **COMMON,
        "input": note("The text to speak."),
        "voice": text("Required by upstreams.", "alloy", "echo", "nova"),
        "instructions": text("How to speak."),
        "response_format": text("", "mp3", "opus", "aac", "flac", "wav", "pcm"),
        "speed": number("From 0.25 to 4."),
    },
    "images/generations": {**COMMON, **IMAGE},
    "images/edits": {
        **FORM,
        **IMAGE,
        "image": {**note("The image to edit; several as `image[]`."), "type": "string", "format": "binary"},
        "mask": {**note("A PNG whose transparent parts are edited."), "type": "string", "format": "binary"},
    },
    "audio/transcriptions": {
        **FORM,
        "file": {**note("The sound, such as an mp3, wav, m4a or webm."), "format": "binary"},
        "language": text("ISO 639-1."),
        "prompt": text("Words to expect, or the text before."),
        "response_format": text("", "json", "text", "srt", "verbose_json", "vtt"),
        "temperature": number(),
        "stream": text("`true`: as server-sent events."),
    },
}
