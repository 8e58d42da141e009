"""Moonshot, Kimi (C, T): usage in the choice of the finish chunk; errors without a code."""

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
    chunk,
    completion,
    function_call,
)

USAGE = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21, "cached_tokens": 4}
TOKENS = Tokens(9, 12, 4)
FIRST = chunk({"role": "assistant", "content": ""})
THOUGHT = chunk({"reasoning_content": REASONING})
PROSE = [chunk({"content": piece}) for piece in PIECES]


def end(reason: str) -> list[Json | str]:
    return [{**SHELL, "choices": [{"index": 0, "delta": {}, "finish_reason": reason, "usage": USAGE}]}, DONE]


VENDOR = Vendor(
    name="moonshot",
    text=VendorResponse([FIRST, *PROSE, *end("stop")], completion({"content": TEXT}, "stop", USAGE), TOKENS),
    tools=VendorResponse(
        [
            FIRST,
            THOUGHT,
            *(chunk({"tool_calls": [function_call(at, f"f:{at}", index=at)]}) for at in (0, 1)),
            *end("tool_calls"),
        ],
        completion(
            {
                "content": "",
                "reasoning_content": REASONING,
                "tool_calls": [function_call(at, f"f:{at}") for at in (0, 1)],
            },
            "tool_calls",
            USAGE,
        ),
        TOKENS,
        text="",
        reasoning=REASONING,
        calls=CALLS,
    ),
    reasoning=VendorResponse(
        [FIRST, THOUGHT, *PROSE, *end("stop")],
        completion({"content": TEXT, "reasoning_content": REASONING}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal({"error": {"message": REFUSED, "type": "invalid_request_error"}}),
    # its failures inside a stream were not found: an error frame without code, as its other errors
    failure=Failure(
        [FIRST, *PROSE, {"error": {"message": WORDS, "type": "engine_overloaded_error"}}],
        {"error": {"message": WORDS, "type": "engine_overloaded_error"}},
        status=429,
    ),
)
