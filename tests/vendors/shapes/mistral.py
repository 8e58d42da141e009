"""Mistral (R, T): content as lists of parts, calls without index and type; citations among the parts (D)."""

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
)

USAGE = {"prompt_tokens": 124, "total_tokens": 146, "completion_tokens": 22, "num_cached_tokens": 64}
TOKENS = Tokens(124, 22, 64)
FIRST = chunk({"role": "assistant", "content": ""})
CALLED: list[Json] = [
    {"id": f"gAbCdEfG{at}", "function": {"name": name, "arguments": ARGUMENTS[at]}}
    for at, (name, _) in enumerate(CALLS)
]
CITED = [
    {"type": "reference", "reference_ids": [1, 7]},
    {"type": "tool_reference", "tool": "web_search", "title": "Sums", "url": "https://example.com/sums"},
]
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": REASONING}]}
VENDOR = Vendor(
    name="mistral",
    content_type="text/event-stream; charset=utf-8",
    text=VendorResponse(
        [
            FIRST,
            chunk({"content": PIECES[0]}),
            chunk({"content": CITED[:1]}),
            chunk({"content": [{"type": "text", "text": PIECES[1]}, CITED[1]]}),
            chunk({"content": ""}, "stop", usage=USAGE),
            DONE,
        ],
        completion(
            {
                "content": [
                    {"type": "text", "text": PIECES[0]},
                    CITED[0],
                    {"type": "text", "text": PIECES[1]},
                    CITED[1],
                ],
                "tool_calls": None,
            },
            "stop",
            USAGE,
        ),
        TOKENS,
        sources=("1", "7", "https://example.com/sums"),
    ),
    tools=VendorResponse(
        [FIRST, chunk({"content": None, "tool_calls": CALLED}, "tool_calls", usage=USAGE), DONE],
        completion({"content": "", "tool_calls": CALLED}, "tool_calls", USAGE),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    reasoning=VendorResponse(
        [
            FIRST,
            chunk({"content": [THOUGHT]}),
            chunk({"content": [{"type": "text", "text": PIECES[0]}]}),
            chunk({"content": PIECES[1]}),
            chunk({"content": ""}, "stop", usage=USAGE),
            DONE,
        ],
        completion(
            {"content": [{**THOUGHT, "closed": True}, {"type": "text", "text": TEXT}], "tool_calls": None},
            "stop",
            USAGE,
        ),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        {
            "object": "error",
            "message": f"Tool call id was x: {REFUSED}",
            "type": "invalid_function_call",
            "param": None,
            "code": "3280",
        }
    ),
    failure=Failure(
        [FIRST, chunk({"content": PIECES[0]}), chunk({"content": ""}, "error", usage=USAGE), DONE],
        completion({"content": PIECES[0]}, "error", USAGE),
        words="",
    ),
)
