"""xAI (R, T, C): absent keys, reasoning beside the completion; errors of two sentences, also in a 200."""

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

USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 2,
    "total_tokens": 354,
    "prompt_tokens_details": {"text_tokens": 12, "cached_tokens": 11},
    "completion_tokens_details": {"reasoning_tokens": 340},
    "num_sources_used": 0,
    "cost_in_usd_ticks": 1721250,
}
TOKENS = Tokens(12, 342, 11, 340)
PROSE = [chunk({"content": piece}, ...) for piece in PIECES]
THOUGHT = chunk({"reasoning_content": REASONING, "role": "assistant"}, ...)
ERROR: Json = {"code": "The service is currently unavailable", "error": WORDS}


def end(reason: str) -> list[Json | str]:
    return [chunk({}, reason), {**SHELL, "choices": [], "usage": USAGE}, DONE]


VENDOR = Vendor(
    name="xai",
    text=VendorResponse(
        [chunk({"role": "assistant", "content": PIECES[0]}, ...), PROSE[1], *end("stop")],
        completion({"content": TEXT}, "stop", USAGE),
        TOKENS,
    ),
    tools=VendorResponse(
        [
            THOUGHT,
            *(chunk({"tool_calls": [function_call(at, f"call_{at}", index=at)]}, ...) for at in (0, 1)),
            *end("tool_calls"),
        ],
        completion(
            {
                "content": "",
                "reasoning_content": REASONING,
                "tool_calls": [function_call(at, f"call_{at}") for at in (0, 1)],
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
        [THOUGHT, *PROSE, *end("stop")],
        completion({"content": TEXT, "reasoning_content": REASONING}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal({"code": "Client specified an invalid argument", "error": REFUSED}),
    failure=Failure([*PROSE, ERROR], ERROR),
)
