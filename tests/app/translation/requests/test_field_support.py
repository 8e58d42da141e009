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
    account_requirements,
    ignored_fields,
    native_only_field,
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


class TestNeedsNative:
    @pytest.mark.parametrize(
        ("endpoint", "body", "field"),
        [
            ("chat", {"n": 2}, "n"),
            ("chat", {"n": 1}, None),
            ("chat", {"n": None}, None),
            ("chat", {"logprobs": True}, "logprobs"),
            ("chat", {"logprobs": False, "top_logprobs": 0}, None),
            ("chat", {"modalities": ["text"]}, None),
            ("chat", {"modalities": ["text", "audio"]}, "modalities"),
            ("chat", {"audio": {"format": "wav"}}, None),
            ("chat", {"audio": {"format": "wav"}, "modalities": ["text", "audio"]}, "audio"),
            ("chat", {"moderation": {"model": "m"}}, "moderation"),
            ("chat", {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages"),
            ("chat", {"messages": [{"role": "assistant", "audio": None}]}, None),
            ("chat", {"tools": [{"type": "web_search"}], "seed": 1, "unheard_of": 1}, None),
            ("responses", {"tools": [{"type": "web_search"}]}, "tools"),
            ("responses", {"tools": [{"type": "web_search"}, {"type": "custom"}]}, None),
            (
                *("responses", {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}),
                "tool_choice",
            ),
            ("responses", {"tools": [{"type": "function"}, {"type": "custom"}, {"type": "namespace"}]}, None),
            ("responses", {"input": [{"type": "item_reference", "id": "x"}]}, "input"),
            ("responses", {"input": [{"type": "compaction_trigger"}]}, "input"),
            ("responses", {"input": [{"role": "user", "content": [{"file_id": "f"}]}]}, "input"),
            ("responses", {"input": "hi"}, None),
            ("responses", {"conversation": "conv_1"}, "conversation"),
            ("responses", {"background": True}, "background"),
            ("responses", {"background": False}, None),
            ("responses", {"prompt": {"id": "p"}}, "prompt"),
            ("responses", {"temperature": 1, "metadata": {}}, None),
        ],
    )
    def test_any_account(self, endpoint, body, field):
        assert account_requirements(endpoint, body, ("chatgpt",)).field == field

    @pytest.mark.parametrize(
        ("endpoint", "body", "kind", "wires", "field"),
        [
            ("chat", {"logprobs": True}, "chatgpt", None, "logprobs"),
            ("chat", {"logprobs": True}, "openai", None, None),
            ("chat", {"logprobs": True}, "compatible", {"responses"}, None),
            ("chat", {"messages": [{"audio": {}}]}, "compatible", {"chat"}, None),
            ("responses", {"tools": [{"type": "web_search"}]}, "chatgpt", None, None),
            ("responses", {"tools": [{"type": "web_search"}]}, "compatible", {"chat"}, "tools"),
            (
                *("responses", {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}),
                *("compatible", {"chat"}, "tool_choice"),
            ),
            ("responses", {"conversation": "c"}, "chatgpt", None, None),
            ("responses", {"prompt": {"id": "p"}}, "chatgpt", None, "prompt"),
        ],
    )
    def test_one_account(self, endpoint, body, kind, wires, field):
        assert native_only_field(endpoint, body, KINDS[kind].dialect, wires or KINDS[kind].protocols) == field


class TestFit:
    @pytest.mark.parametrize(
        ("endpoint", "body", "wire", "ineligible_kinds"),
        [
            ("chat", {"n": 2}, "chat", ("chatgpt",)),
            ("chat", {"logprobs": True}, None, ("chatgpt",)),
            ("chat", {"seed": 1}, None, ()),
            ("responses", {"background": True}, "responses", ("chatgpt",)),
            ("responses", {"tools": [{"type": "web_search"}]}, "responses", ()),
            ("responses", {"top_logprobs": 3}, None, ("chatgpt",)),
        ],
    )
    def test_who_is_ruled_out(self, endpoint, body, wire, ineligible_kinds):
        """Accounts are excluded by a protocol that lacks the field, or by a kind that refuses it."""
        assert account_requirements(endpoint, body, ("chatgpt",))[1:3] == (wire, ineligible_kinds)


@pytest.mark.parametrize(
    ("body", "is_preference"),
    [
        ({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}, True),
        (
            {
                "tools": [{"type": "function", "name": "f"}],
                "input": [{"type": "additional_tools", "tools": [{"type": "tool_search"}]}],
            },
            True,
        ),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "local_shell"}]}, False),
        ({"tools": [{"type": "web_search"}], "background": True}, False),
    ],
)
def test_accounts_that_run_the_tools_are_preferred(body, is_preference):
    """They serve the request where there are any, else it is served without these tools."""
    fit = account_requirements("responses", body, ("chatgpt",))

    assert fit.is_preference is is_preference
    assert (fit.protocol == "responses") is (is_preference or "background" in body)


def test_every_ignored_field_can_be_named():
    fields = [name for table in (CHAT, RESPONSES) for name, row in table.items() if IGNORED in row]

    assert all(name.isidentifier() for name in fields)
