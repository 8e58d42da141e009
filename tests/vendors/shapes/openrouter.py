"""OpenRouter (R, D, T): comments, a role in each delta, usage after the finish in a chunk with a choice."""

from typing import Any

from tests.vendors.vendor import (
    CALLS,
    DONE,
    PIECES,
    REASONING,
    REFUSED,
    SHELL,
    TEXT,
    WORDS,
    Failure,
    Json,
    Refusal,
    Tokens,
    Vendor,
    VendorResponse,
    completion,
    function_call,
)

WAITING = ": OPENROUTER PROCESSING\n\n"
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 6,
    "total_tokens": 15,
    "cost": 0.00085,
    "is_byok": False,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "cost_details": {"upstream_inference_cost": None},
    "completion_tokens_details": {"reasoning_tokens": 2, "image_tokens": 0},
}
TOKENS = Tokens(9, 6, 4, 2)
DETAILS = [{"type": "reasoning.text", "text": REASONING, "index": 0, "format": None}]


def frame(delta: Json, finish: str | None = None, **more: Any) -> Json:
    delta = {"role": "assistant", "content": "", **delta}
    choice = {
        "index": 0,
        "delta": delta,
        "finish_reason": finish,
        "native_finish_reason": finish,
        "logprobs": None,
    }
    return {**SHELL, "id": "gen-1", "provider": "P", "choices": [choice], **more}


PROSE = [frame({"content": piece}) for piece in PIECES]
END = [frame({}, usage=USAGE), DONE]
MESSAGE = {"content": TEXT, "refusal": None, "reasoning": None}
VENDOR = Vendor(
    name="openrouter",
    text=VendorResponse(
        [WAITING, WAITING, PROSE[0], WAITING, PROSE[1], frame({}, "stop"), *END],
        completion(MESSAGE, "stop", USAGE, provider="P"),
        TOKENS,
    ),
    tools=VendorResponse(
        [
            WAITING,
            *(
                frame({"content": None, "tool_calls": [function_call(at, f"aB3dE5gH{at}", index=at)]})
                for at in (0, 1)
            ),
            frame({}, "tool_calls"),
            *END,
        ],
        completion(
            {"content": "", "tool_calls": [function_call(at, f"aB3dE5gH{at}", index=at) for at in (0, 1)]},
            "tool_calls",
            USAGE,
        ),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    reasoning=VendorResponse(
        [
            WAITING,
            frame({"reasoning": REASONING, "reasoning_details": DETAILS}),
            *PROSE,
            frame({"reasoning": None}, "stop"),
            *END,
        ],
        completion({**MESSAGE, "reasoning": REASONING, "reasoning_details": DETAILS}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        {
            "error": {"code": 400, "message": REFUSED, "metadata": {"provider_name": "P", "raw": "{}"}},
            "user_id": "user_1",
        }
    ),
    failure=Failure(
        [*PROSE, frame({}, "error", error={"code": "server_error", "message": WORDS})],
        {"error": {"code": 502, "message": WORDS}},
    ),
)
