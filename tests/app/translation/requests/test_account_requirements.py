"""Which accounts support all fields of a request."""

from __future__ import annotations

import pytest

from app.accounts.kinds import KINDS
from app.translation.requests.account_requirements import account_requirements, native_only_field


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
