"""Groq (R): a call comes whole, usage on the finish chunk in two places, failures as `event: error`."""

from tests.vendors.vendor import (
    CALLS,
    DONE,
    PIECES,
    REASONING,
    REFUSED,
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
    "queue_time": 0.04,
    "prompt_tokens": 20,
    "completion_tokens": 15,
    "total_tokens": 35,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 10},
}
TOKENS = Tokens(20, 15, 8, 10)
FIRST = chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_1", "seed": 1})
PROSE = [chunk({"content": piece}) for piece in PIECES]
ERROR = (
    f'{{"error":{{"message":"{WORDS}","type":"invalid_request_error","code":"tool_use_failed",'
    '"failed_generation":"<f>","status_code":400}}'
)


def end(reason: str) -> list:
    return [chunk({}, reason, x_groq={"id": "req_1", "usage": USAGE}, usage=USAGE), DONE]


VENDOR = Vendor(
    name="groq",
    text=VendorResponse([FIRST, *PROSE, *end("stop")], completion({"content": TEXT}, "stop", USAGE), TOKENS),
    tools=VendorResponse(
        [
            chunk({"role": "assistant", "content": None}, x_groq={"id": "req_1"}),
            *(chunk({"tool_calls": [function_call(at, f"ab12cd34{at}", index=at)]}) for at in (0, 1)),
            *end("tool_calls"),
        ],
        completion(
            {"tool_calls": [function_call(at, f"ab12cd34{at}") for at in (0, 1)]}, "tool_calls", USAGE
        ),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    reasoning=VendorResponse(
        [FIRST, chunk({"reasoning": REASONING, "channel": "analysis"}), *PROSE, *end("stop")],
        completion({"content": TEXT, "reasoning": REASONING}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        {"error": {"message": f"property 'x' is unsupported: {REFUSED}", "type": "invalid_request_error"}}
    ),
    failure=Failure(
        [FIRST, *PROSE, f"event: error\ndata: {ERROR}\n\n"],
        {"error": {"message": WORDS, "type": "invalid_request_error", "code": "tool_use_failed"}},
        status=400,
    ),
)
