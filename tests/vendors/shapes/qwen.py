"""Qwen, DashScope (R, P): later fragments repeat `id:""`; failures as one SSE line, without a sentinel."""

import json

from tests.vendors.vendor import (
    ARGUMENTS,
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
    "prompt_tokens": 295,
    "completion_tokens": 22,
    "total_tokens": 317,
    "prompt_tokens_details": {"cached_tokens": 128},
    "completion_tokens_details": {"reasoning_tokens": 9},
}
TOKENS = Tokens(295, 22, 128, 9)
FIRST = chunk({"role": "assistant", "content": None}, usage=None)
PROSE = [chunk({"content": piece}, usage=None) for piece in PIECES]
END = [{"choices": [], **SHELL, "usage": USAGE}, DONE]
FRAGMENTS = [
    piece
    for at, (name, _) in enumerate(CALLS)
    for piece in (
        {"index": at, "id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": ""}},
        {"index": at, "id": "", "type": "function", "function": {"arguments": ARGUMENTS[at][:4]}},
        {"index": at, "id": "", "type": "function", "function": {"arguments": ARGUMENTS[at][4:]}},
    )
]
FLAGGED = {
    "error": {
        "message": WORDS,
        "type": "data_inspection_failed",
        "code": "data_inspection_failed",
        "param": None,
    }
}
VENDOR = Vendor(
    name="qwen",
    text=VendorResponse(
        [FIRST, *PROSE, chunk({"content": ""}, "stop", usage=None), *END],
        completion({"content": TEXT}, "stop", USAGE),
        TOKENS,
    ),
    tools=VendorResponse(
        [
            *(chunk({"content": None, "tool_calls": [piece]}, usage=None) for piece in FRAGMENTS),
            chunk({}, "tool_calls", usage=None),
            *END,
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
        [
            FIRST,
            chunk({"content": None, "reasoning_content": REASONING}, ..., usage=None),
            *(chunk({"content": piece, "reasoning_content": None}, usage=None) for piece in PIECES),
            chunk({"content": ""}, "stop", usage=None),
            *END,
        ],
        completion({"content": TEXT, "reasoning_content": REASONING}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        "data: "
        + json.dumps(
            {
                "error": {
                    "code": "invalid_parameter_error",
                    "message": REFUSED,
                    "param": None,
                    "type": "invalid_request_error",
                },
                "request_id": "r",
            }
        ),
        content_type="text/event-stream",
    ),
    failure=Failure([FIRST, *PROSE, FLAGGED], FLAGGED, status=400),
)
