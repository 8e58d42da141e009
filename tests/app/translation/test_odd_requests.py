"""Requests of any shape are translated or refused; nothing else happens."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidRequest
from app.translation.requests.dialects import Dialect
from app.translation.requests.responses_input import normalize_input
from app.translation.requests.upstream_request import upstream_body

KEY_NAMES = """
    role content type text refusal tool_calls id function name arguments custom input call_id output image_url
    url file tool_call_id function_call tools parameters namespace format summary
"""
TYPE_NAMES = """
    user assistant system developer tool function text input_text output_text refusal image_url file
    input_file input_image function_call function_call_output custom custom_tool_call reasoning message
    additional_tools namespace web_search call_a x
"""
KEYS = st.sampled_from(KEY_NAMES.split())
WORDS = st.sampled_from(TYPE_NAMES.split())
SCALARS = st.none() | st.booleans() | st.integers(-2, 20) | WORDS
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, ANYTHING, max_size=5)


@settings(max_examples=300)
@given(st.lists(OBJECTS, max_size=3), st.lists(OBJECTS, max_size=2))
def test_chat(messages, tools):
    with contextlib.suppress(InvalidRequest):
        upstream_body(
            "chat", {"model": "m", "messages": messages, "tools": tools}, Dialect.CHATGPT, {"responses"}
        )


@settings(max_examples=300)
@given(ANYTHING, st.lists(OBJECTS, max_size=2))
def test_responses(items, tools):
    with contextlib.suppress(InvalidRequest):
        body = normalize_input({"model": "m", "input": items, "tools": tools})
        upstream_body("responses", body, Dialect.CHATGPT, {"responses"})
        upstream_body("responses", body, Dialect.COMPATIBLE, {"chat"})
