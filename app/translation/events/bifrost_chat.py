"""
Add Bifrost's additional fields to chat chunks and completions.

`log_probs` repeats `logprobs`, `reasoning` and `reasoning_details` are derived from each other, and
usage has all of its details.

Source: https://docs.getbifrost.ai (chat completions, OpenAI format)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from app.openai_types.chat import ChatChoice, ChatUsage

Message = TypeVar("Message", bound=Mapping[str, Any])  # a message or a delta
Payload = dict[str, Any]

DETAILS = {
    "prompt": ("cached_tokens", "audio_tokens", "image_tokens"),
    "completion": (
        *("reasoning_tokens", "audio_tokens", "image_tokens"),
        *("accepted_prediction_tokens", "rejected_prediction_tokens"),
    ),
}
NOT_TEXT = {
    "prompt": ("audio_tokens", "image_tokens"),
    "completion": ("reasoning_tokens", "audio_tokens", "image_tokens"),
}


def extend(payload: Payload, *, cost: Payload | None, extra_fields: Payload) -> Payload:
    """Return a chunk or completion with *extra_fields*, and *cost* in its usage if it has one."""
    choices = payload.get("choices")
    known = choices if isinstance(choices, list) else ()
    out = {**payload, "choices": [_choice(choice) for choice in known if isinstance(choice, dict)]}
    usage = payload.get("usage")
    if usage and isinstance(usage, dict):
        out["usage"] = {**_usage(usage), **({"cost": cost} if cost else {})}
    return {**out, "extra_fields": extra_fields}


def _choice(choice: Payload) -> ChatChoice:
    out = dict(choice)
    if choice.get("logprobs"):
        out["log_probs"] = choice["logprobs"]
    for key in ("message", "delta"):
        if isinstance(choice.get(key), dict):
            out[key] = _with_reasoning(choice[key])
    return cast(ChatChoice, out)


def _with_reasoning(message: Message) -> Message:
    """Return a message or delta with its reasoning both as one text and as details."""
    details = message.get("reasoning_details")
    text = message.get("reasoning") or message.get("reasoning_content")
    if not text and isinstance(details, list):
        pieces = [d.get("text") or d.get("summary") for d in details if isinstance(d, dict)]
        text = "".join(piece for piece in pieces if isinstance(piece, str))
    if not text:
        return message
    if not details:
        details = [{"index": 0, "type": "reasoning.text", "text": text}]
    return cast(Message, {**message, "reasoning": text, "reasoning_details": details})


def _usage(usage: Payload) -> ChatUsage:
    """Return *usage* with all details: absent counts are 0, and the remaining tokens are text."""
    out = dict(usage)
    for side, names in DETAILS.items():
        reported = usage.get(f"{side}_tokens_details")
        known = (
            {name: n for name, n in reported.items() if n is not None} if isinstance(reported, dict) else {}
        )
        details = dict.fromkeys(names, 0) | known
        other = sum(_count(details[name]) for name in NOT_TEXT[side])
        details.setdefault("text_tokens", max(0, _count(usage.get(f"{side}_tokens")) - other))
        out[f"{side}_tokens_details"] = details
    return cast(ChatUsage, out)


def _count(value: Any) -> int:
    return value if type(value) is int else 0
