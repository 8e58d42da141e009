"""
What our answers look like, for the document of the API: what is always there, and of which type.

Upstreams may tell more, which passes on, so nothing here is the whole of an answer.
"""

from __future__ import annotations

from typing import Any

JsonSchema = dict[str, Any]

TEXT: JsonSchema = {"type": "string"}
WHOLE: JsonSchema = {"type": "integer"}
NUMBER: JsonSchema = {"type": "number"}
FLAG: JsonSchema = {"type": "boolean"}


def made_of(_required: str = "", **fields: JsonSchema) -> JsonSchema:
    """Return the schema of an object with *fields*; *_required* names those that are always there."""
    return {"type": "object", "properties": fields, "required": _required.split()}


def one_of(*values: str) -> JsonSchema:
    return {"enum": list(values)}


def array_of(schema: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": schema}


def or_null(schema: JsonSchema) -> JsonSchema:
    return {"anyOf": [schema, {"type": "null"}]}


USAGE = made_of(
    "prompt_tokens completion_tokens total_tokens",
    prompt_tokens=WHOLE,
    completion_tokens=WHOLE,
    total_tokens=WHOLE,
    prompt_tokens_details=or_null(made_of(cached_tokens=or_null(WHOLE))),
    completion_tokens_details=or_null(made_of(reasoning_tokens=or_null(WHOLE))),
)
CALL = made_of("id type", id=TEXT, type=one_of("function", "custom"))
MESSAGE = made_of(
    "role content",
    role=one_of("assistant"),
    content=or_null(TEXT),
    refusal=or_null(TEXT),
    tool_calls=or_null(array_of(CALL)),
)
CHOICE = made_of("index message finish_reason", index=WHOLE, message=MESSAGE, finish_reason=TEXT)
CHAT = made_of(
    "id object created model choices",
    id=TEXT,
    object=one_of("chat.completion"),
    created=WHOLE,
    model=TEXT,
    choices=array_of(CHOICE),
    usage=or_null(USAGE),
)
COST = made_of(
    "total_cost", input_tokens_cost=NUMBER, output_tokens_cost=NUMBER, request_cost=NUMBER, total_cost=NUMBER
)
EXTRA_FIELDS = made_of(
    "request_type model_requested model_deployment latency",
    request_type=TEXT,
    provider=TEXT,
    model_requested=TEXT,
    model_deployment=TEXT,
    latency=WHOLE,
    chunk_index=WHOLE,
    cache_debug=made_of("cache_hit cache_id", cache_hit=FLAG, cache_id=TEXT, hit_type=one_of("direct")),
)
EXTENDED_CHAT = {
    **CHAT,
    "properties": {
        **CHAT["properties"],
        "usage": {**USAGE, "properties": {**USAGE["properties"], "cost": COST}},
        "extra_fields": EXTRA_FIELDS,
    },
    "required": [*CHAT["required"], "extra_fields"],
}
TOKENS = made_of(
    "input_tokens output_tokens total_tokens",
    input_tokens=WHOLE,
    output_tokens=WHOLE,
    total_tokens=WHOLE,
    input_tokens_details=or_null(made_of(cached_tokens=or_null(WHOLE))),
    output_tokens_details=or_null(made_of(reasoning_tokens=or_null(WHOLE))),
)
RESPONSE = made_of(
    "id object status output",
    id=TEXT,
    object=one_of("response"),
    status=one_of("completed", "incomplete"),
    output=array_of(made_of("type", type=TEXT)),
    usage=or_null(TOKENS),
    error={"type": "null"},
    incomplete_details=or_null(made_of("reason", reason=TEXT)),
)
COMPACTION = made_of(
    "object output",
    id=TEXT,
    object=one_of("response.compaction"),
    output=array_of(made_of("type", type=TEXT)),
)
MODEL = made_of(
    "id object created owned_by",
    id=TEXT,
    object=one_of("model"),
    created=WHOLE,
    owned_by=TEXT,
    metadata={"type": "object"},
)
MODELS = made_of("object data", object=one_of("list"), data=array_of(MODEL))
CATALOGUE = made_of(
    "models object data",
    models=array_of(made_of("slug display_name base_instructions", slug=TEXT, base_instructions=TEXT)),
    object=one_of("list"),
    data=array_of(MODEL),
)
LIMIT = made_of(
    "limit_type limit_window max_value current_value remaining_value model_filter reset_at source",
    limit_type=TEXT,
    limit_window=TEXT,
    max_value=NUMBER,
    current_value=NUMBER,
    remaining_value=NUMBER,
    model_filter=or_null(TEXT),
    reset_at=or_null(WHOLE),
    source=one_of("api_key", "pool", "upstream"),
)
KEY_USAGE = made_of(
    "request_count total_tokens cached_input_tokens total_cost_usd limits upstream_limits account_pool_usage",
    request_count=WHOLE,
    total_tokens=WHOLE,
    cached_input_tokens=WHOLE,
    total_cost_usd=NUMBER,
    limits=array_of(LIMIT),
    upstream_limits=array_of(LIMIT),
    account_pool_usage=or_null({"type": "object"}),
)
WINDOW = or_null(
    made_of(
        "used_percent",
        used_percent=WHOLE,
        limit_window_seconds=WHOLE,
        reset_after_seconds=WHOLE,
        reset_at=WHOLE,
    )
)
CODEX_USAGE = made_of(
    "plan_type rate_limit credits",
    plan_type=TEXT,
    rate_limit=made_of(
        "allowed limit_reached primary_window secondary_window",
        allowed=FLAG,
        limit_reached=FLAG,
        primary_window=WINDOW,
        secondary_window=WINDOW,
        monthly_window=WINDOW,
    ),
    credits=or_null(made_of("has_credits unlimited", has_credits=FLAG, unlimited=FLAG)),
)
HEALTH = made_of("status", status=TEXT)
DETAIL = made_of("loc msg type", loc=array_of({"type": ["string", "integer"]}), msg=TEXT, type=TEXT)
DETAILED: JsonSchema = {
    "allOf": [
        {"$ref": "#/components/schemas/Error"},
        made_of("detail", detail={"anyOf": [TEXT, array_of(DETAIL)]}),
    ]
}
EVENT = made_of("data", event=TEXT, data=TEXT)  # each one of a stream; `data` is JSON, or [DONE]
# Of endpoints whose answers pass through as they come.
PASSED_ON: JsonSchema = {"type": "object"}
