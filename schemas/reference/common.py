"""Fields that several requests share."""

from __future__ import annotations

from schemas.json_schema import JsonSchema
from schemas.reference.types import flag, note, struct, text

MODEL = note(
    "The name of a model or of a model route of the pool. `GET /v1/models` lists those that the key may use."
)
STREAM = note("Send the response as server-sent events while it is made.")
FALLBACKS = note("Models to try in this order if the requested one fails before its first event.")
SERVICE_TIER = note(
    "The upstream's tier, such as `auto`, `default`, `flex` or `priority`. It may change the price."
)
PROMPT_CACHE_KEY = note(
    "Requests with the same value go to the same account while it is available, so that the upstream's"
    " prompt cache is used."
)
METADATA = {
    **note("Pairs that are sent to the upstream: at most 16, keys of 64 and values of 512 characters."),
    "type": "object",
}
USER = {**note("Deprecated upstream: an id of the end user."), "type": "string"}
SAFETY_IDENTIFIER = {
    **note("An id of the end user, such as a hash, for the upstream's abuse checks."),
    "type": "string",
}
OF_EVERY_REQUEST: dict[str, JsonSchema] = {
    "model": MODEL,
    "stream": STREAM,
    "service_tier": SERVICE_TIER,
    "user": USER,
}
STRICT = flag("Whether arguments must follow the schema exactly.")
JSON_SCHEMA_FORMAT = {
    "name": text("1 to 64 letters, digits, `_` or `-`."),
    "description": text("What the format is for."),
    "schema": struct("JSON Schema"),
    "strict": flag("Whether the response must follow the schema exactly."),
}
LOCATION = struct(
    "place", city=text(), region=text(), country=text("ISO 3166, two letters."), timezone=text("IANA name.")
)
