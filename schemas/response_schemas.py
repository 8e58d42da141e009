"""
JSON Schemas of responses, for the OpenAPI document: their fields and types, and which are always present.

Additional fields of upstreams pass through, so no schema is complete.
"""

from __future__ import annotations

from schemas.json_schema import JsonSchema

TEXT: JsonSchema = {"type": "string"}
INTEGER: JsonSchema = {"type": "integer"}
NUMBER: JsonSchema = {"type": "number"}
FLAG: JsonSchema = {"type": "boolean"}


def object_of(_required: str = "", **fields: JsonSchema) -> JsonSchema:
    """Return the schema of an object with *fields*; *_required* names those that are always present."""
    return {"type": "object", "properties": fields, "required": _required.split()}


def one_of(*values: str) -> JsonSchema:
    return {"enum": list(values)}


def array_of(schema: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": schema}


def or_null(schema: JsonSchema) -> JsonSchema:
    return {"anyOf": [schema, {"type": "null"}]}


USAGE = object_of(
    "prompt_tokens completion_tokens total_tokens",
    prompt_tokens=INTEGER,
    completion_tokens=INTEGER,
    total_tokens=INTEGER,
    prompt_tokens_details=or_null(object_of(cached_tokens=or_null(INTEGER))),
    completion_tokens_details=or_null(object_of(reasoning_tokens=or_null(INTEGER))),
)
CALL = object_of("id type", id=TEXT, type=one_of("function", "custom"))
MESSAGE = object_of(
    "role content",
    role=one_of("assistant"),
    content=or_null(TEXT),
    refusal=or_null(TEXT),
    tool_calls=or_null(array_of(CALL)),
)
CHOICE = object_of("index message finish_reason", index=INTEGER, message=MESSAGE, finish_reason=TEXT)
CHAT = object_of(
    "id object created model choices",
    id=TEXT,
    object=one_of("chat.completion"),
    created=INTEGER,
    model=TEXT,
    choices=array_of(CHOICE),
    usage=or_null(USAGE),
)
COST = object_of(
    "total_cost", input_tokens_cost=NUMBER, output_tokens_cost=NUMBER, request_cost=NUMBER, total_cost=NUMBER
)
EXTRA_FIELDS = object_of(
    "request_type model_requested model_deployment latency",
    request_type=TEXT,
    provider=TEXT,
    model_requested=TEXT,
    model_deployment=TEXT,
    latency=INTEGER,
    chunk_index=INTEGER,
    cache_debug=object_of("cache_hit cache_id", cache_hit=FLAG, cache_id=TEXT, hit_type=one_of("direct")),
)
BIFROST_CHAT = {
    **CHAT,
    "properties": {
        **CHAT["properties"],
        "usage": {**USAGE, "properties": {**USAGE["properties"], "cost": COST}},
        "extra_fields": EXTRA_FIELDS,
    },
    "required": [*CHAT["required"], "extra_fields"],
}
TOKENS = object_of(
    "input_tokens output_tokens total_tokens",
    input_tokens=INTEGER,
    output_tokens=INTEGER,
    total_tokens=INTEGER,
    input_tokens_details=or_null(object_of(cached_tokens=or_null(INTEGER))),
    output_tokens_details=or_null(object_of(reasoning_tokens=or_null(INTEGER))),
)
RESPONSE = object_of(
    "id object status output",
    id=TEXT,
    object=one_of("response"),
    status=one_of("completed", "incomplete"),
    output=array_of(object_of("type", type=TEXT)),
    usage=or_null(TOKENS),
    error={"type": "null"},
    incomplete_details=or_null(object_of("reason", reason=TEXT)),
)
COMPACTION = object_of(
    "object output",
    id=TEXT,
    object=one_of("response.compaction"),
    output=array_of(object_of("type", type=TEXT)),
)
MODEL = object_of(
    "id object created owned_by",
    id=TEXT,
    object=one_of("model"),
    created=INTEGER,
    owned_by=TEXT,
    metadata={"type": "object"},
)
MODELS = object_of("object data", object=one_of("list"), data=array_of(MODEL))
CATALOGUE = object_of(
    "models object data",
    models=array_of(object_of("slug display_name base_instructions", slug=TEXT, base_instructions=TEXT)),
    object=one_of("list"),
    data=array_of(MODEL),
)
LIMIT = object_of(
    "limit_type limit_window max_value current_value remaining_value model_filter reset_at source",
    limit_type=TEXT,
    limit_window=TEXT,
    max_value=NUMBER,
    current_value=NUMBER,
    remaining_value=NUMBER,
    model_filter=or_null(TEXT),
    reset_at=or_null(INTEGER),
    source=one_of("api_key", "pool", "upstream"),
)
KEY_USAGE = object_of(
    "request_count total_tokens cached_input_tokens total_cost_usd limits upstream_limits account_pool_usage",
    request_count=INTEGER,
    total_tokens=INTEGER,
    cached_input_tokens=INTEGER,
    total_cost_usd=NUMBER,
    limits=array_of(LIMIT),
    upstream_limits=array_of(LIMIT),
    account_pool_usage=or_null({"type": "object"}),
)
WINDOW = or_null(
    object_of(
        "used_percent",
        used_percent=INTEGER,
        limit_window_seconds=INTEGER,
        reset_after_seconds=INTEGER,
        reset_at=INTEGER,
    )
)
CODEX_USAGE = object_of(
    "plan_type rate_limit credits",
    plan_type=TEXT,
    rate_limit=object_of(
        "allowed limit_reached primary_window secondary_window",
        allowed=FLAG,
        limit_reached=FLAG,
        primary_window=WINDOW,
        secondary_window=WINDOW,
        monthly_window=WINDOW,
    ),
    credits=or_null(object_of("has_credits unlimited", has_credits=FLAG, unlimited=FLAG)),
)
HEALTH = object_of("status", status=TEXT)
DETAIL = object_of("loc msg type", loc=array_of({"type": ["string", "integer"]}), msg=TEXT, type=TEXT)
ERROR_WITH_DETAIL: JsonSchema = {
    "allOf": [
        {"$ref": "#/components/schemas/Error"},
        object_of("detail", detail={"anyOf": [TEXT, array_of(DETAIL)]}),
    ]
}
EVENT = object_of("data", event=TEXT, data=TEXT)  # one event of a stream; `data` is JSON, or [DONE]
# The response of endpoints whose responses pass through unchanged.
PASSTHROUGH: JsonSchema = {"type": "object"}
