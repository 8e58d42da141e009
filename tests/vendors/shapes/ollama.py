"""Ollama (C): a time for each chunk, whole calls, usage without details; a failure is an empty chunk."""

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

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
TOKENS = Tokens(11, 7)
PROSE = [
    chunk({"role": "assistant", "content": piece}, created=at) for at, piece in enumerate(PIECES, 1764000000)
]
END = [{**SHELL, "choices": [], "usage": USAGE}, DONE]
VENDOR = Vendor(
    name="ollama",
    text=VendorResponse(
        [*PROSE, chunk({}, "stop"), *END], completion({"content": TEXT}, "stop", USAGE), TOKENS
    ),
    tools=VendorResponse(
        [
            chunk(
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [function_call(at, f"call_{at}", index=at) for at in (0, 1)],
                }
            ),
            chunk({}, "tool_calls"),
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
            chunk({"role": "assistant", "content": "", "reasoning": REASONING}),
            *(chunk({"content": piece}) for piece in PIECES),
            chunk({}, "stop"),
            *END,
        ],
        completion({"content": TEXT, "reasoning": REASONING}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        {"error": {"message": REFUSED, "type": "invalid_request_error", "param": None, "code": None}}
    ),
    failure=Failure(
        [*PROSE, chunk({"content": ""})],
        {"error": {"message": WORDS, "type": "api_error", "param": None, "code": None}},
        status=500,
        words="",
    ),
)
