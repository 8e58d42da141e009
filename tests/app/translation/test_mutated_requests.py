"""A changed request is either refused with the name of a field or translated for every account."""

from __future__ import annotations

import copy
import random
from typing import Any

import orjson
import pytest
from marshmallow import ValidationError

from app.accounts.kinds import KINDS
from app.errors import GatewayError
from app.relay.affinity import affinity_of, ownership_of
from app.streaming.lenient_json import without_surrogates
from app.translation.requests.account_requirements import account_requirements
from app.translation.requests.responses_input import normalize_input
from app.translation.requests.upstream_request import upstream_body
from schemas.bifrost_chat import BIFROST_CHAT_REQUEST
from schemas.chat import CHAT_REQUEST, LEGACY_CHAT_REQUEST
from schemas.openai_sdk_chat import OPENAI_SDK_CHAT_REQUEST
from schemas.responses import RESPONSES_REQUEST
from tests.app.relay.test_odd_events import change

Json = dict[str, Any]

FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
CHAT: Json = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": "u"}}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}, {"type": "custom", "custom": {"name": "g"}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Berlin"}},
    },
    "stream_options": {"include_usage": True},
    "reasoning_effort": "low",
    "stop": ["a", "b"],
    "logit_bias": {"1": 1},
    "metadata": {"a": "b"},
    "modalities": ["text"],
    "audio": {"format": "wav", "voice": "alloy"},
    "thinking": {"type": "enabled"},
}
RESPONSES: Json = {
    "model": "m",
    "instructions": "i",
    "input": [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "t"}, {"type": "input_image", "image_url": "u"}],
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "o"}]},
    ],
    "tools": [{"type": "function", **FUNCTION}, {"type": "web_search"}, {"type": "custom", "name": "g"}],
    "tool_choice": {"type": "function", "name": "f"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
    "reasoning": {"effort": "low", "summary": "auto"},
    "conversation": {"id": "conv_1"},
    "include": ["reasoning.encrypted_content"],
    "metadata": {"a": "b"},
}
ACCOUNTS = (
    *(("openai", ("chat", "responses")), ("chatgpt", ("responses",)), ("demo", ("chat", "responses"))),
    *(("compatible", ("chat",)), ("compatible", ("responses",)), ("compatible", ("chat", "responses"))),
)


@pytest.mark.parametrize("seed", range(8))
def test_no_failure_of_the_gateway(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(150):
        for endpoint, valid in (("chat", CHAT), ("responses", RESPONSES)):
            body = copy.deepcopy(valid)
            for _ in range(chance.randrange(1, 4)):
                change({"": body}, "", chance)
            body = without_surrogates(body)  # the strict parser of bodies lets none through
            for kind, wires in ACCOUNTS:
                translate(endpoint, body, kind, wires)


def translate(endpoint: str, body: Any, kind: str, wires: tuple[str, ...]) -> None:
    """Process *body* as the API does. Raises every exception for which the API would answer with a 500."""
    schemas = [RESPONSES_REQUEST] if endpoint == "responses" else [CHAT_REQUEST, BIFROST_CHAT_REQUEST]
    for schema in schemas:
        try:
            loaded = schema.load(copy.deepcopy(body))
            if endpoint == "responses":
                loaded = normalize_input(loaded)
            affinity_of("k", loaded, {})
            ownership_of("k", loaded)
            account_requirements(endpoint, loaded, ("chatgpt",))  # type: ignore[arg-type]
            orjson.dumps(upstream_body(endpoint, loaded, KINDS[kind].dialect, wires).body)  # type: ignore[arg-type]
        except (ValidationError, GatewayError):
            continue
    if endpoint == "chat":
        try:
            LEGACY_CHAT_REQUEST.load(OPENAI_SDK_CHAT_REQUEST.load(copy.deepcopy(body)))
        except ValidationError:
            return
