"""Gemini's compatible endpoint (R, T, P): all calls have index 0, end with `stop`; errors in an array."""

from tests.vendors.vendor import (
    CALLS,
    DONE,
    PIECES,
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

USAGE = {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}
TOKENS = Tokens(35, 74)  # thinking is in the total alone
SIGNED: Json = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
RESPONSE = VendorResponse(
    [
        chunk({"role": "assistant", "content": PIECES[0]}),
        chunk({"role": "assistant", "content": PIECES[1]}, "stop", usage=USAGE),
        DONE,
    ],
    completion({"content": TEXT}, "stop", USAGE),
    TOKENS,
)


def error(status: int, message: str, name: str) -> list[Json]:
    return [{"error": {"code": status, "message": message, "status": name}}]


VENDOR = Vendor(
    name="gemini",
    text=RESPONSE,
    tools=VendorResponse(
        [
            chunk({"role": "assistant", "tool_calls": [function_call(0, "f1", index=0, **SIGNED)]}),
            chunk({"tool_calls": [function_call(1, "f2", index=0)]}, "stop", usage=USAGE),
            DONE,
        ],
        completion(
            {"tool_calls": [function_call(0, "", **SIGNED), function_call(1, "")]}, "tool_calls", USAGE
        ),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    reasoning=RESPONSE,
    refusal=Refusal(error(400, f"Invalid JSON payload received. {REFUSED}", "INVALID_ARGUMENT")),
    failure=Failure(
        [chunk({"role": "assistant", "content": PIECES[0]}), error(500, WORDS, "INTERNAL")],
        error(500, WORDS, "INTERNAL"),
        status=500,
    ),
)
