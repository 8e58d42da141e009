"""LM Studio (T): errors are a text; a crash ends the stream without a word."""

from tests.vendors.vendor import (
    ARGUMENTS,
    CALLS,
    DONE,
    PIECES,
    REASONING,
    REFUSED,
    SHELL,
    TEXT,
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
PROSE = [chunk({"role": "assistant", "content": piece}) for piece in PIECES]
END = [{**SHELL, "choices": [], "usage": USAGE}, DONE]
FRAGMENTS = [
    piece
    for at, (name, _) in enumerate(CALLS)
    for piece in (
        {"index": at, "id": f"31415926{at}", "type": "function", "function": {"name": name, "arguments": ""}},
        {"index": at, "type": "function", "function": {"name": "", "arguments": ARGUMENTS[at]}},
    )
]
VENDOR = Vendor(
    name="lm-studio",
    text=VendorResponse(
        [*PROSE, chunk({}, "stop"), *END], completion({"content": TEXT}, "stop", USAGE), TOKENS
    ),
    tools=VendorResponse(
        [*(chunk({"tool_calls": [piece]}) for piece in FRAGMENTS), chunk({}, "tool_calls"), *END],
        completion(
            {"tool_calls": [function_call(at, f"31415926{at}") for at in (0, 1)]}, "tool_calls", USAGE
        ),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    # the name of its reasoning field depends on a setting (K)
    reasoning=VendorResponse(
        [chunk({"role": "assistant", "reasoning_content": REASONING}), *PROSE, chunk({}, "stop"), *END],
        completion({"content": TEXT, "reasoning_content": REASONING}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal({"error": f"'response_format.type' must be 'json_schema' or 'text'. {REFUSED}"}),
    failure=Failure(
        PROSE,
        {"error": "The model has crashed without additional information."},
        status=400,
        words="",
    ),
)
