"""llama.cpp (T, P): arguments as an object (2026-03), failures as SSE field `error:` (2025)."""

import json

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
)

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
TOKENS = Tokens(11, 7)
TIMINGS = {"prompt_n": 11, "predicted_n": 7, "predicted_ms": 4.5}
CALLED: list[Json] = [
    {"index": at, "id": f"call{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
    for at, (name, arguments) in enumerate(CALLS)
]
FIRST = chunk({"role": "assistant", "content": None})
PROSE = [chunk({"content": piece}) for piece in PIECES]
END = [{**SHELL, "choices": [], "usage": USAGE, "timings": TIMINGS}, DONE]
ERROR: Json = {"code": 500, "message": WORDS, "type": "server_error"}
VENDOR = Vendor(
    name="llama.cpp",
    text=VendorResponse(
        [FIRST, *PROSE, chunk({}, "stop"), *END],
        completion({"content": TEXT}, "stop", USAGE, timings=TIMINGS),
        TOKENS,
    ),
    tools=VendorResponse(
        [FIRST, *(chunk({"tool_calls": [call]}) for call in CALLED), chunk({}, "tool_calls"), *END],
        completion({"content": None, "tool_calls": CALLED}, "tool_calls", USAGE, timings=TIMINGS),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    reasoning=VendorResponse(
        [FIRST, chunk({"reasoning_content": REASONING}), *PROSE, chunk({}, "stop"), *END],
        completion({"content": TEXT, "reasoning_content": REASONING}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        {
            "error": {
                "code": 400,
                "message": REFUSED,
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9412,
                "n_ctx": 8192,
            }
        }
    ),
    failure=Failure([FIRST, *PROSE, f"error: {json.dumps(ERROR)}\n\n", DONE], {"error": ERROR}),
)
