"""DeepSeek (R, C): both texts in each delta, one null; usage on the finish chunk; octet-stream errors."""

from tests.vendors.vendor import (
    ARGUMENTS,
    CALLS,
    DONE,
    PIECES,
    REASONING,
    REFUSED,
    TEXT,
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
    "prompt_tokens": 18,
    "completion_tokens": 219,
    "total_tokens": 237,
    "prompt_tokens_details": {"cached_tokens": 16},
    "completion_tokens_details": {"reasoning_tokens": 205},
    "prompt_cache_hit_tokens": 16,
    "prompt_cache_miss_tokens": 2,
}
TOKENS = Tokens(18, 219, 16, 205)
QUEUED = ": keep-alive\n\n"


def texts(content: str | None, reasoning: str | None) -> Json:
    return chunk({"content": content, "reasoning_content": reasoning}, usage=None)


FIRST = chunk({"role": "assistant", "content": None, "reasoning_content": ""}, usage=None)
THOUGHT = texts(None, REASONING)
PROSE = [texts(piece, None) for piece in PIECES]
LAST = {"content": "", "reasoning_content": None}
FRAGMENTS = [
    piece
    for at, (name, _) in enumerate(CALLS)
    for piece in (
        {"index": at, "id": f"call_0{at}_x", "type": "function", "function": {"name": name, "arguments": ""}},
        {"index": at, "function": {"arguments": ARGUMENTS[at]}},
    )
]
MESSAGE = {"content": TEXT, "reasoning_content": REASONING}
VENDOR = Vendor(
    name="deepseek",
    text=VendorResponse(
        [
            QUEUED,
            chunk({"role": "assistant", "content": ""}, usage=None),
            *PROSE,
            chunk(LAST, "stop", usage=USAGE),
            DONE,
        ],
        completion({"content": TEXT}, "stop", USAGE),
        TOKENS,
    ),
    tools=VendorResponse(
        [
            FIRST,
            THOUGHT,
            *(chunk({"tool_calls": [piece]}, usage=None) for piece in FRAGMENTS),
            chunk(LAST, "tool_calls", usage=USAGE),
            DONE,
        ],
        completion(
            {
                "content": "",
                "reasoning_content": REASONING,
                "tool_calls": [function_call(at, f"call_0{at}_x", index=at) for at in (0, 1)],
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
        [QUEUED, FIRST, THOUGHT, *PROSE, chunk(LAST, "stop", usage=USAGE), DONE],
        completion(MESSAGE, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        {
            "error": {
                "message": f"Failed to deserialize the JSON body into the target type: {REFUSED}",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_request_error",
            }
        },
        content_type="application/octet-stream",
    ),
    failure=Failure(
        [FIRST, *PROSE, chunk(LAST, "insufficient_system_resource", usage=USAGE), DONE],
        completion({"content": TEXT}, "insufficient_system_resource", USAGE),
        words="",
    ),
)
