"""GLM, Z.ai (R, T, K): a role in each delta, no finish key until the last frame, codes of digits."""

from tests.vendors.vendor import (
    CALLS,
    DONE,
    PIECES,
    REASONING,
    REFUSED,
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
    "prompt_tokens": 13,
    "completion_tokens": 564,
    "total_tokens": 577,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 561},
}
TOKENS = Tokens(13, 564, 0, 561)


def frame(delta: Json) -> Json:
    return chunk({"role": "assistant", **delta}, ...)


def end(reason: str) -> list[Json | str]:
    return [chunk({"role": "assistant", "content": ""}, reason, usage=USAGE), DONE]


PROSE = [frame({"content": piece}) for piece in PIECES]
THOUGHT = frame({"reasoning_content": REASONING})
VENDOR = Vendor(
    name="glm",
    content_type="text/event-stream;charset=UTF-8",
    text=VendorResponse(
        [*PROSE, *end("stop")], completion({"content": TEXT}, "stop", USAGE, request_id="1"), TOKENS
    ),
    tools=VendorResponse(
        [
            *(frame({"tool_calls": [function_call(at, f"call_{at}", index=at)]}) for at in (0, 1)),
            *end("tool_calls"),
        ],
        completion(
            {"content": "", "tool_calls": [function_call(at, f"call_{at}", index=at) for at in (0, 1)]},
            "tool_calls",
            USAGE,
        ),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    reasoning=VendorResponse(
        [THOUGHT, *PROSE, *end("stop")],
        completion({"content": TEXT, "reasoning_content": REASONING}, "stop", USAGE, request_id="1"),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        {"error": {"code": "1210", "message": REFUSED}}, content_type="application/json;charset=UTF-8"
    ),
    failure=Failure(
        [*PROSE, *end("network_error")],
        {"error": {"code": "1234", "message": WORDS}},
        status=500,
        words="",
    ),
)
