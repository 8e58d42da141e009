"""
The finish reasons of chat: those of the API, other servers' names for them, and broken-off responses.

Sources: https://platform.openai.com/docs/api-reference/chat-streaming,
https://docs.mistral.ai/api (`model_length`, `error`),
https://api-docs.deepseek.com/api/create-chat-completion (`insufficient_system_resource`),
https://docs.z.ai/api-reference/llm/chat-completion (`sensitive`, `network_error`),
https://docs.together.ai/reference/chat-completions (`eos`), and the code of vLLM and SGLang (`abort`).
"""

from __future__ import annotations

_ABSENT = ("", "null", "none")
FINISH_REASONS = frozenset(("stop", "length", "tool_calls", "content_filter", "function_call"))
# With any other reason the response is incomplete
COMPLETE = frozenset(("stop", "tool_calls", "function_call"))
_OTHER_NAMES = {
    **dict.fromkeys(("eos", "eos_token", "end_turn", "stop_sequence", "complete"), "stop"),
    **dict.fromkeys(
        ("max_tokens", "model_length", "max_output_tokens", "model_context_window_exceeded"), "length"
    ),
    **dict.fromkeys(("tool_use", "tool_call"), "tool_calls"),
    **dict.fromkeys(
        ("sensitive", "safety", "recitation", "prohibited_content", "blocklist", "refusal"), "content_filter"
    ),
}
_BROKEN_OFF = frozenset(
    ("error", "abort", "aborted", "cancelled", "canceled", "insufficient_system_resource", "network_error")
)


def standard_reason(reason: str) -> str:
    """
    Return the API's name for *reason*; one that reports a failure stays as it is.

    An unknown one becomes `length`: nothing shows that the response is complete.
    """
    if reason in FINISH_REASONS or is_broken_off(reason):
        return reason
    return _OTHER_NAMES.get(reason.lower(), "length")


def is_known(reason: str) -> bool:
    """Return whether *reason* is a known end or failure."""
    return reason in FINISH_REASONS or reason.lower() in _OTHER_NAMES or is_broken_off(reason)


def is_absent(reason: str) -> bool:
    """Return whether *reason* is absent: empty, or a word for null."""
    return reason.lower() in _ABSENT


def is_broken_off(reason: object) -> bool:
    """Return whether *reason* reports a failure instead of an end."""
    return isinstance(reason, str) and reason.lower() in _BROKEN_OFF
