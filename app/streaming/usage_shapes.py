"""
Usage and log probabilities in the format of each protocol.

Source: https://platform.openai.com/docs/api-reference/chat/object and
https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from typing import Any

from app.openai_types.chat import ChatUsage, TokenLogprob, TopLogprob
from app.openai_types.responses import ResponsesUsage
from app.openai_types.token_details import InputTokensDetails, OutputTokensDetails
from app.streaming.usage import CHAT, RESPONSES, Usage

JsonObject = dict[str, Any]

_NUMBERS = (int, float)
_SHARED = frozenset(
    ("total_tokens", *CHAT, *RESPONSES, *(f"{name}_details" for name in (*CHAT, *RESPONSES)))
)  # fields that are written from the parsed usage


def chat_usage(usage: Usage | None) -> ChatUsage | None:
    """Return the `usage` of a chat completion, without details that the upstream did not report."""
    if usage is None:
        return None
    fields: ChatUsage = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    input_details, output_details = _details(usage)
    if input_details:
        fields["prompt_tokens_details"] = input_details
    if output_details:
        fields["completion_tokens_details"] = output_details
    return fields


def responses_usage(usage: Usage | None) -> ResponsesUsage | None:
    """Return the `usage` of a response; its details are never absent, as SDKs read them."""
    if usage is None:
        return None
    input_details, output_details = _details(usage)
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, **input_details},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0, **output_details},
        "total_tokens": usage.total_tokens,
    }


def usage_for_chat(usage: Any, parsed: Usage | None) -> Any:
    """
    Return the *usage* of a chat server in the form that chat clients read; unchanged if it has that form.

    *parsed* is the usage that was read from it. None if it could not be read: then None is returned.
    """
    return _in_format(usage, CHAT, RESPONSES, chat_usage(parsed)) if _is_odd(usage, parsed, CHAT) else usage


def usage_for_responses(usage: Any, parsed: Usage | None) -> Any:
    """Do what `usage_for_chat` does, for a Responses server and a Responses client."""
    if not _is_odd(usage, parsed, RESPONSES):
        return usage
    return _in_format(usage, RESPONSES, CHAT, responses_usage(parsed))


def _is_odd(usage: Any, parsed: Usage | None, names: tuple[str, str]) -> bool:
    """Return whether *usage* is unreadable, has other names than *names*, or numbers as texts."""
    if parsed is None:
        return usage is not None
    input_name, output_name = names
    return (
        type(usage.get(input_name)) not in _NUMBERS
        or type(usage.get(output_name)) not in _NUMBERS
        or type(usage.get("total_tokens")) is str
        or (not usage[input_name] and parsed.input_tokens > 0)
        or (not usage[output_name] and parsed.output_tokens > 0)
    )


def _in_format(usage: Any, own: tuple[str, str], other: tuple[str, str], parsed: Any) -> Any:
    """Return *parsed* in the format, with those fields of *usage* that *parsed* does not cover."""
    if parsed is None:
        return None
    fields: JsonObject = {key: value for key, value in usage.items() if key not in _SHARED}
    for name, twin in zip(own, other, strict=True):
        holder = usage.get(f"{name}_details") or usage.get(f"{twin}_details")
        details = parsed.get(f"{name}_details")
        if isinstance(holder, dict) and details:
            fields[f"{name}_details"] = holder | details
    return parsed | fields


def images_usage(usage: Usage | None) -> JsonObject | None:
    """Return the `usage` of an Images API response; tokens that are not of images count as text."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": _images_and_text(usage.input_tokens, usage.image_input_tokens),
        "output_tokens": usage.output_tokens,
        "output_tokens_details": _images_and_text(usage.output_tokens, usage.image_output_tokens),
        "total_tokens": usage.total_tokens,
    }


def _images_and_text(tokens: int, image_tokens: int | None) -> JsonObject:
    image_tokens = min(image_tokens or 0, tokens)
    return {"image_tokens": image_tokens, "text_tokens": tokens - image_tokens}


def _details(usage: Usage) -> tuple[InputTokensDetails, OutputTokensDetails]:
    input_details = {
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "audio_tokens": usage.audio_input_tokens,
        "image_tokens": usage.image_input_tokens,
    }
    output_details = {
        "reasoning_tokens": usage.reasoning_tokens,
        "audio_tokens": usage.audio_output_tokens,
        "image_tokens": usage.image_output_tokens,
    }
    return _known(input_details), _known(output_details)


def _known(details: dict[str, int | None]) -> Any:
    return {name: count for name, count in details.items() if count is not None}


def chat_logprobs(tokens: list[Any]) -> list[TokenLogprob]:
    """Return an event's logprobs with the field `bytes`, which only chat has."""
    return [
        {**_with_bytes(token), "top_logprobs": [_with_bytes(top) for top in token.get("top_logprobs") or ()]}
        for token in tokens
    ]


def _with_bytes(token: Any) -> TopLogprob:
    text = token.get("token", "")
    return {"token": text, "logprob": token.get("logprob"), "bytes": list(text.encode("utf-8", "replace"))}
