"""Cerebras (R, T, C): errors without an envelope. The place of usage was not found: OpenAI's is scripted."""

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
    Refusal,
    Tokens,
    Vendor,
    VendorResponse,
    chunk,
    completion,
    function_call,
)

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 15,
    "total_tokens": 35,
    "prompt_tokens_details": {"cached_tokens": 0},
}
TOKENS = Tokens(20, 15)
FIRST = chunk({"role": "assistant"})
PROSE = [chunk({"content": piece}) for piece in PIECES]
END = [{**SHELL, "choices": [], "usage": USAGE, "time_info": {"total_time": 0.1}}, DONE]
VENDOR = Vendor(
    name="cerebras",
    text=VendorResponse(
        [FIRST, *PROSE, chunk({}, "stop"), *END], completion({"content": TEXT}, "stop", USAGE), TOKENS
    ),
    tools=VendorResponse(
        [
            FIRST,
            *(chunk({"tool_calls": [function_call(at, f"c0ffee{at}", index=at)]}) for at in (0, 1)),
            chunk({}, "tool_calls"),
            *END,
        ],
        completion({"tool_calls": [function_call(at, f"c0ffee{at}") for at in (0, 1)]}, "tool_calls", USAGE),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    reasoning=VendorResponse(
        [FIRST, chunk({"reasoning": REASONING}), *PROSE, chunk({}, "stop"), *END],
        completion({"content": TEXT, "reasoning": REASONING}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        {"message": REFUSED, "type": "invalid_request_error", "param": "p", "code": "wrong_api_format"}
    ),
    failure=Failure(
        [
            FIRST,
            *PROSE,
            {
                "error": {"message": WORDS, "type": "server_error", "param": "", "code": "", "id": ""},
                "status_code": 503,
            },
        ],
        {"message": WORDS, "type": "server_error", "param": "", "code": ""},
        status=503,
    ),
)
