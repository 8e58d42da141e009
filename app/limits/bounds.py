"""
Upper bounds and estimates of what a request uses, before it is sent.

A token has at least one byte of text, and JSON never encodes a text in fewer bytes than the text has, so the
size of the body bounds the tokens of its text. Images have maxima (`media`). The content of a file, an audio
clip or a stored item is not known here: the model's context window is the bound. With a hosted tool the
upstream calls the model repeatedly with its results; nothing bounds that.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any

import orjson

from app.limits.media import FILE_BYTES_PER_TOKEN, Media
from app.limits.output_lengths import LENGTH_FIELDS, MIN_RESPONSES_LENGTH, length_bound
from app.limits.prices import Price, ceiling_cost
from app.limits.references import EXTENDING, adding_field, passed_adding, passed_reference, stored_field
from app.limits.token_estimates import BYTES_PER_TOKEN
from app.records import record
from app.streaming.usage import Usage
from schemas.bounds import parse_integer

REQUEST_OVERHEAD_TOKENS = 64  # tokens that an upstream adds to a request, its tools and its format
MAX_TOKENS = 10**13  # larger than any limit
MESSAGE_OVERHEAD_TOKENS = 8  # tokens of the role and separators of a message
TOOL_OVERHEAD_TOKENS = 16

ESTIMATED_OUTPUT_TOKENS = 1024

MAX_AMOUNT = 2**53  # up to which the store's integers are exact; a larger amount is no bound
UPLOADS = ("audio/transcriptions", "images/edits")
WITHOUT_OUTPUT = ("embeddings", "moderations")  # endpoints without output tokens
INSTRUCTION_ROLES = ("system", "developer")  # their messages become `instructions`


@record
class Bounds:
    """
    Amounts by limit unit; one that cannot be bounded is absent.

    `upper_bound` holds for accounts that enforce the output length that the request names, `unenforced`
    for those that may bill more: there the model's maximum bounds the output.
    """

    upper_bound: dict[str, int]
    estimate: dict[str, int]
    unenforced: dict[str, int] = field(default_factory=dict)
    sent_length: int = 0  # length that must be sent so that `upper_bound` holds; 0: none
    referring: str = ""  # the field that refers to input outside the body; empty: none


@record
class ModelSize:
    """The maximum tokens that a model accepts and produces; None: not known."""

    context: int | None = None
    max_output: int | None = None
    assumed_output: int | None = None  # from the pool's settings, if the maximum is unknown

    @classmethod
    def from_price(
        cls, price: Price | None, context: int | None = None, output: int | None = None
    ) -> ModelSize:
        """Return the size in *price*; *context* and *output* are assumed if it has none."""
        known = price.max_output if price else None
        return cls(
            context=(price.context if price else None) or context,
            max_output=known,
            assumed_output=None if known else output,
        )


def compute_bounds(
    client_protocol: str,
    body: dict[str, Any],
    body_bytes: int,
    price: Price | None = None,
    size: ModelSize | None = None,
) -> Bounds:
    """
    Return the bounds of one request whose JSON had *body_bytes* bytes.

    *price* is that of its model; without it the cost has no bound. *size* is as in the price by default.
    """
    size = size or ModelSize.from_price(price)
    turns = body.get("messages") if client_protocol == "chat" else body.get("input") or body.get("messages")
    items = turns if isinstance(turns, list) else []
    tools = body.get("tools") or []
    media = Media(price)
    media.scan(items)
    text_bytes = body_bytes - media.bytes + _repeated_bytes(body)
    overhead = (
        REQUEST_OVERHEAD_TOKENS + MESSAGE_OVERHEAD_TOKENS * len(items) + TOOL_OVERHEAD_TOKENS * len(tools)
    )
    visible = text_bytes + media.tokens + overhead
    adding = adding_field(body, items, has_other_items=media.has_other_items)
    referring = adding or stored_field(body)
    if referring is None and not media.bounded:
        referring = "messages" if turns is body.get("messages") else "input"
    max_input = None if adding else size.context if referring else visible
    requested, choices = length_bound(client_protocol, body), _choices(body)
    prediction = body_bytes if body.get("prediction") else 0  # rejected tokens are billed as output
    enforced, sent_length = _longest_output(client_protocol, requested, size)
    if body.get(EXTENDING):
        enforced = size.max_output
    max_output = _total_output(enforced, choices, prediction)
    unenforced_output = _total_output(size.max_output, choices, prediction)
    estimated_input = text_bytes // BYTES_PER_TOKEN + media.estimated_tokens + overhead
    estimated_output = (requested or ESTIMATED_OUTPUT_TOKENS) * choices
    estimated_output = min(ESTIMATED_OUTPUT_TOKENS, estimated_output, max_output or ESTIMATED_OUTPUT_TOKENS)
    tier = body.get("service_tier")
    return Bounds(
        _upper_bound(max_input, max_output, tier, price),
        _estimate(estimated_input, estimated_output, tier, price),
        _upper_bound(max_input, unenforced_output, tier, price),
        sent_length,
        referring or "",
    )


def compute_passthrough_bounds(
    endpoint: str,
    body: dict[str, Any],
    body_bytes: int,
    price: Price | None,
    size: ModelSize | None = None,
) -> Bounds:
    """
    Return the bounds of a request that is passed through to *endpoint* unchanged.

    A text is bounded by its bytes; the content of an uploaded file is not known here, nor how many
    tokens audio or an image consists of.
    """
    uploads = endpoint in UPLOADS
    size = size or ModelSize.from_price(price)
    adding = "" if uploads else passed_adding(body)
    referring = "" if uploads else adding or passed_reference(body)
    max_input = size.context if uploads or referring else body_bytes + REQUEST_OVERHEAD_TOKENS
    if adding:
        max_input = None
    estimated_input = body_bytes // (FILE_BYTES_PER_TOKEN if uploads else BYTES_PER_TOKEN)
    max_output = unenforced_output = size.max_output
    if endpoint in WITHOUT_OUTPUT:
        max_output = unenforced_output = 0
    elif endpoint == "completions":
        max_output = _completion_tokens(body, length_bound(endpoint, body) or size.max_output)
        unenforced_output = _completion_tokens(body, size.max_output)
    elif max_output is not None:
        max_output = unenforced_output = max_output * _choices(body)  # number of images
    estimated_output = (
        ESTIMATED_OUTPUT_TOKENS if max_output is None else min(ESTIMATED_OUTPUT_TOKENS, max_output)
    )
    return Bounds(
        _upper_bound(max_input, max_output, None, price),
        _estimate(estimated_input, estimated_output, None, price),
        _upper_bound(max_input, unenforced_output, None, price),
        referring=referring,
    )


def compute_image_bounds(
    endpoint: str,
    body: dict[str, Any],
    body_bytes: int,
    price: Price | None,
    size: ModelSize | None = None,
    *,
    tool_output: int,
) -> Bounds:
    """
    Return the bounds of a request for images.

    Where a model calls a tool for them, that model produces up to *tool_output* tokens for each image in
    addition. As with any tool that an upstream runs, nothing bounds the input.
    """
    bounds = compute_passthrough_bounds(endpoint, body, body_bytes, price, size)
    max_output = (size or ModelSize.from_price(price)).max_output
    if max_output is not None:
        max_output = min((max_output + tool_output) * _choices(body), MAX_TOKENS)
    return replace(bounds, unenforced=_upper_bound(None, max_output, None, price))


def _completion_tokens(body: dict[str, Any], max_per_response: int | None) -> int | None:
    """
    Return the tokens of all responses with up to *max_per_response* each.

    Without a length OpenAI's API produces 16 tokens, other servers up to the model's maximum.
    """
    if max_per_response is None:
        return None
    prompt = body.get("prompt")
    has_several = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    return max_per_response * (len(prompt) if has_several and prompt else 1) * _choices(body)


def _choices(body: dict[str, Any]) -> int:
    """Return how many responses are produced and billed; fewer may be returned."""
    choices = 1
    for name in ("n", "best_of"):
        count = body.get(name)
        if isinstance(count, str):  # in a form, numbers are texts
            count = parse_integer(count)
        if type(count) is int and count > choices:
            choices = count
    return choices


def _longest_output(client_protocol: str, requested: int | None, size: ModelSize) -> tuple[int | None, int]:
    """
    Return the upper bound (tokens) of one response where it is enforced, and the length to send for it.

    A length below the minimum of the Responses API is raised for accounts that have only that.
    """
    if requested is not None:
        longest = max(requested, MIN_RESPONSES_LENGTH) if client_protocol == "chat" else requested
        return min(longest, size.max_output or longest), 0
    if size.max_output is None and size.assumed_output and client_protocol in LENGTH_FIELDS:
        return size.assumed_output, size.assumed_output
    return size.max_output, 0


def _total_output(tokens: int | None, choices: int, prediction: int) -> int | None:
    """Return the upper bound of *choices* responses of up to *tokens* each, plus a rejected *prediction*."""
    return None if tokens is None else min(tokens * choices + prediction, MAX_TOKENS)


def _repeated_bytes(body: dict[str, Any]) -> int:
    """
    Return how many bytes may be sent twice: in JSON mode instructions are repeated in the input.

    See translation.requests.upstream_request; in chat they are the system and developer messages.
    """
    text = body.get("text")
    form = body.get("response_format") or (text.get("format") if isinstance(text, dict) else None)
    if not isinstance(form, dict) or form.get("type") != "json_object":
        return 0
    turns = body.get("messages") or body.get("input")
    instructions = [
        turn
        for turn in (turns if isinstance(turns, list) else ())
        if isinstance(turn, dict) and turn.get("role") in INSTRUCTION_ROLES
    ]
    return len(orjson.dumps([body.get("instructions"), instructions]))


def _upper_bound(
    input_tokens: int | None, output_tokens: int | None, tier: str | None, price: Price | None
) -> dict[str, int]:
    amounts = {}
    if input_tokens is not None and input_tokens < MAX_AMOUNT:
        amounts["input_tokens"] = input_tokens
    if output_tokens is not None and output_tokens < MAX_AMOUNT:
        amounts["output_tokens"] = output_tokens
    if price and input_tokens is not None and output_tokens is not None:
        cost = price.max_cost(input_tokens, output_tokens, tier)
        if cost < MAX_AMOUNT:
            amounts["cost"] = cost
    return amounts


def _estimate(input_tokens: int, output_tokens: int, tier: str | None, price: Price | None) -> dict[str, int]:
    usage = Usage(input_tokens, output_tokens, input_tokens + output_tokens)
    cost = price.cost(usage, tier) if price else ceiling_cost(usage)
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, "cost": min(cost, MAX_AMOUNT)}
