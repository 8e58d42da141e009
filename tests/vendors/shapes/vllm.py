"""vLLM (C, R): `reasoning`, usage on every chunk, null details; a failure is followed by the sentinel."""

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
    Json,
    Refusal,
    Tokens,
    Vendor,
    VendorResponse,
    chunk,
    completion,
    function_call,
)

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "prompt_tokens_details": None}
TOKENS = Tokens(11, 7)


def frame(delta: Json, finish: str | None = None, produced: int = 1) -> Json:
    running = {"prompt_tokens": 11, "completion_tokens": produced, "total_tokens": 11 + produced}
    shape = chunk(delta, finish, usage=running)
    shape["choices"][0] |= {"logprobs": None, "token_ids": None}
    return shape


FIRST = frame({"role": "assistant", "content": ""}, produced=0)
PROSE = [frame({"content": piece}) for piece in PIECES]
END = [{**SHELL, "choices": [], "usage": USAGE}, DONE]
FRAGMENTS = [
    piece
    for at, (name, _) in enumerate(CALLS)
    for piece in (
        {"index": at, "id": f"chatcmpl-tool-{at}", "type": "function", "function": {"name": name}},
        {"index": at, "function": {"arguments": ARGUMENTS[at]}},
    )
]
ERROR: Json = {"error": {"message": WORDS, "type": "InternalServerError", "param": None, "code": 500}}
VENDOR = Vendor(
    name="vllm",
    text=VendorResponse(
        [FIRST, *PROSE, frame({"content": ""}, "stop", 7), *END],
        completion({"content": TEXT, "tool_calls": [], "reasoning": None}, "stop", USAGE),
        TOKENS,
    ),
    tools=VendorResponse(
        [
            FIRST,
            *(frame({"tool_calls": [piece]}) for piece in FRAGMENTS),
            frame({"content": ""}, "tool_calls", 7),
            *END,
        ],
        completion(
            {"content": None, "tool_calls": [function_call(at, f"chatcmpl-tool-{at}") for at in (0, 1)]},
            "tool_calls",
            USAGE,
        ),
        TOKENS,
        text="",
        calls=CALLS,
    ),
    reasoning=VendorResponse(
        [FIRST, frame({"reasoning": REASONING}), *PROSE, frame({"content": ""}, "stop", 7), *END],
        completion({"content": TEXT, "reasoning": REASONING, "tool_calls": []}, "stop", USAGE),
        TOKENS,
        reasoning=REASONING,
    ),
    refusal=Refusal(
        {"object": "error", "message": REFUSED, "type": "BadRequestError", "param": None, "code": 400}
    ),
    failure=Failure([FIRST, *PROSE, ERROR, DONE], ERROR, status=500),
)
