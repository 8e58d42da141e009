"""
Chat chunks and answers with what other gateways tell beside the API's own fields.

`log_probs` says again what `logprobs` says, `reasoning` has `reasoning_details` and the other
way round, and usage is told with all of its details.

Source: https://docs.getbifrost.ai (chat completions, OpenAI format)
"""

from __future__ import annotations

from typing import Any

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
    """Return a chunk or an answer extended; *cost* stands in its usage, if it has one."""
    choices = payload.get("choices")
    told = choices if isinstance(choices, list) else ()
    out = {**payload, "choices": [_choice(choice) for choice in told if isinstance(choice, dict)]}
    usage = payload.get("usage")
    if usage and isinstance(usage, dict):
        out["usage"] = _usage(usage) | ({"cost": cost} if cost else {})
    return {**out, "extra_fields": extra_fields}


def _choice(choice: Payload) -> Payload:
    out = dict(choice)
    if choice.get("logprobs"):
        out["log_probs"] = choice["logprobs"]
    for said in ("message", "delta"):
        if isinstance(choice.get(said), dict):
            out[said] = _with_reasoning(choice[said])
    return out


def _with_reasoning(said: Payload) -> Payload:
    """Return a message or delta whose thoughts are told as one text and in detail."""
    details = said.get("reasoning_details")
    text = said.get("reasoning") or said.get("reasoning_content")
    if not text and isinstance(details, list):
        told = [d.get("text") or d.get("summary") for d in details if isinstance(d, dict)]
        text = "".join(one for one in told if isinstance(one, str))
    if not text:
        return said
    if not details:
        details = [{"index": 0, "type": "reasoning.text", "text": text}]
    return {**said, "reasoning": text, "reasoning_details": details}


def _usage(usage: Payload) -> Payload:
    """Return *usage* in full: what is not told of tokens counts as none, and the rest is text."""
    out = dict(usage)
    for side, names in DETAILS.items():
        given = usage.get(f"{side}_tokens_details")
        told = {name: n for name, n in given.items() if n is not None} if isinstance(given, dict) else {}
        details = dict.fromkeys(names, 0) | told
        other = sum(_count(details[name]) for name in NOT_TEXT[side])
        details.setdefault("text_tokens", max(0, _count(usage.get(f"{side}_tokens")) - other))
        out[f"{side}_tokens_details"] = details
    return out


def _count(value: Any) -> int:
    return value if type(value) is int else 0
