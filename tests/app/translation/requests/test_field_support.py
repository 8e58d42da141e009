"""The table of request fields is complete, and translation follows it."""

from __future__ import annotations

import pytest

from app.accounts.kinds import KINDS
from app.translation.requests.chatgpt_body import CHATGPT_FIELDS
from app.translation.requests.dialects import Dialect
from app.translation.requests.field_support import (
    CHAT,
    IGNORED,
    MAX_IGNORED_NAMES,
    RESPONSES,
    Support,
    ignored_fields,
    support_for,
)

# Every field of the chat API, and those that other gateways and clients send.
CHAT_FIELDS = """
    model messages tools tool_choice parallel_tool_calls functions function_call stream stream_options
    temperature top_p max_completion_tokens max_tokens n stop presence_penalty frequency_penalty logit_bias
    logprobs top_logprobs seed response_format reasoning_effort verbosity modalities audio prediction
    web_search_options metadata store service_tier prompt_cache_key prompt_cache_options
    prompt_cache_retention safety_identifier user moderation fallbacks reasoning cache_control text include
    client_metadata promptCacheKey reasoningEffort reasoningSummary textVerbosity thinking enable_thinking
"""

# Every field of the Responses API, and those that clients send besides.
RESPONSES_FIELDS = """
    model input messages instructions previous_response_id conversation store stream stream_options tools
    tool_choice parallel_tool_calls max_tool_calls reasoning text include max_output_tokens temperature top_p
    top_logprobs metadata service_tier prompt_cache_key prompt_cache_options prompt_cache_retention
    safety_identifier user moderation truncation background prompt context_management image access_programs
    client_metadata prompt_cache_breakpoint promptCacheKey reasoningEffort reasoningSummary textVerbosity
    verbosity thinking enable_thinking reasoning_effort
"""


class TestCompleteness:
    @pytest.mark.parametrize("field", CHAT_FIELDS.split())
    def test_chat(self, field):
        assert field in CHAT

    @pytest.mark.parametrize("field", RESPONSES_FIELDS.split())
    def test_responses(self, field):
        assert field in RESPONSES

    def test_chatgpt_fields(self):
        """What the table sends to the ChatGPT backend is what the backend's list lets through."""
        set_there = {"store", "stream"}
        sent = {name for name, row in RESPONSES.items() if row.chatgpt is Support.SENT}

        assert sent - set_there == set(CHATGPT_FIELDS)


class TestFate:
    @pytest.mark.parametrize(
        ("endpoint", "field", "kind", "wires", "expected"),
        [
            ("chat", "temperature", "openai", None, Support.SENT),
            ("chat", "temperature", "compatible", None, Support.SENT),
            ("chat", "temperature", "compatible", {"responses"}, Support.TRANSLATED),
            ("chat", "temperature", "chatgpt", None, Support.IGNORED),
            ("chat", "max_tokens", "chatgpt", None, Support.HONOURED),
            ("chat", "max_tokens", "compatible", {"responses"}, Support.TRANSLATED),
            ("chat", "stop", "chatgpt", None, Support.HONOURED),
            ("chat", "stop", "compatible", {"responses"}, Support.HONOURED),
            ("chat", "stop", "demo", None, Support.SENT),
            ("chat", "n", "chatgpt", None, Support.NATIVE),
            ("responses", "max_output_tokens", "chatgpt", None, Support.HONOURED),
            ("responses", "metadata", "openai", None, Support.SENT),
            ("responses", "metadata", "compatible", None, Support.TRANSLATED),
            ("responses", "truncation", "openai", None, Support.REFUSED),
            ("chat", "thinking", "openai", None, Support.TRANSLATED),
            ("chat", "thinking", "compatible", None, Support.SENT),
            ("chat", "include", "openai", None, Support.IGNORED),
            ("chat", "reasoningEffort", "compatible", None, Support.TRANSLATED),
            ("responses", "prompt_cache_breakpoint", "openai", None, Support.IGNORED),
            ("chat", "unheard_of", "openai", None, Support.SENT),
            ("chat", "unheard_of", "chatgpt", None, Support.IGNORED),
        ],
    )
    def test_fate(self, endpoint, field, kind, wires, expected):
        assert support_for(endpoint, field, KINDS[kind].dialect, wires or KINDS[kind].protocols) is expected


class TestIgnored:
    BODY = {
        "model": "m",
        "messages": [],
        "seed": 1,
        "temperature": 0,
        "unheard_of": 1,
        "user": None,
        "presence_penalty": 0,
        "n": 1,
        "store": False,
        "fallbacks": ["a/b"],
    }

    def test_chatgpt(self):
        """In the client's order; null and values without effect are not listed."""
        assert ignored_fields("chat", Dialect.CHATGPT, self.BODY, ()) == ["seed", "temperature", "unheard_of"]

    def test_native(self):
        assert ignored_fields("chat", Dialect.OPENAI, self.BODY, ("chat",)) == []

    def test_translated(self):
        assert ignored_fields("chat", Dialect.COMPATIBLE, self.BODY, {"responses"}) == ["seed", "unheard_of"]

    def test_names_are_safe_in_a_header(self):
        """A caller can write neither arbitrary headers nor long ones."""
        body = {"a\r\nb: c": 1, "naïve": 1, "x" * 65: 1, "": 1, "fine": 1}

        assert ignored_fields("chat", Dialect.CHATGPT, body, ()) == ["fine"]
        assert (
            len(ignored_fields("chat", Dialect.CHATGPT, {f"x{n}": 1 for n in range(99)}, ()))
            == MAX_IGNORED_NAMES
        )


def test_every_ignored_field_can_be_named():
    fields = [name for table in (CHAT, RESPONSES) for name, row in table.items() if IGNORED in row]

    assert all(name.isidentifier() for name in fields)
