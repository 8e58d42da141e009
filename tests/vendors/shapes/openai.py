"""OpenAI (PROTOCOL): fragments, usage in a chunk of its own; reasoning is counted, not shown."""

from tests.vendors.vendor import (
    ARGUMENTS,
    CALLS,
    DONE,
    PIECES,
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
    "completion_tokens": 8,
    "total_tokens": 28,
    "prompt_tokens_details": {"cached_tokens": 12},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
TOKENS = Tokens(20, 8, 12, 3)
FIRST = chunk({"role": "assistant", "content": "", "refusal": None}, usage=None)
PROSE = [chunk({"content": piece}, usage=None) for piece in PIECES]
END = [{**SHELL, "choices": [], "usage": USAGE}, DONE]
RESPONSE = VendorResponse(
    [FIRST, *PROSE, chunk({}, "stop", usage=None), *END],
    completion({"content": TEXT, "refusal": None, "annotations": []}, "stop", USAGE),
    TOKENS,
)
FRAGMENTS = [
    piece
    for position, (name, _) in enumerate(CALLS)
    for piece in (
        {
            "index": position,
            "id": f"call_{position}",
            "type": "function",
            "function": {"name": name, "arguments": ""},
        },
        {"index": position, "function": {"arguments": ARGUMENTS[position][:5]}},
        {"index": position, "function": {"arguments": ARGUMENTS[position][5:]}},
    )
]
VENDOR = Vendor(
    name="openai",
    text=RESPONSE,
    tools=VendorResponse(
        [
            chunk({"role": "assistant", "content": None}, usage=None),
            *(chunk({"tool_calls": [piece]}, usage=None) for piece in FRAGMENTS),
            chunk({}, "tool_calls", usage=None),
            *END,
        ],
        completion(
            {"content": None, "tool_calls": [function_call(0, "call_0"), function_call(1, "call_1")]},
            "tool_calls",
            USAGE,
        ),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    reasoning=RESPONSE,
    refusal=Refusal(
        {
            "error": {
                "message": f"Unsupported parameter: {REFUSED}",
                "type": "invalid_request_error",
                "param": "max_tokens",
                "code": "unsupported_parameter",
            }
        }
    ),
    failure=Failure(
        [FIRST, *PROSE, {"error": {"message": WORDS, "type": "server_error", "param": None, "code": None}}],
        {"error": {"message": WORDS, "type": "server_error", "param": None, "code": None}},
        status=500,
    ),
)
