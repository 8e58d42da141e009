"""
How much a request may use at most, and how much it will probably use, before it is sent.

A token never has less than one byte of text, and JSON never says a text in fewer bytes than it
has, so the size of the body bounds its text without looking at it. Images are billed by size
and detail, at most the model's ceiling each. What a file, an audio clip or a stored item holds
cannot be seen from here: there the model's context window is the bound. A hosted tool lets the
model be asked again and again with what it found; nothing bounds that.

Source: https://developers.openai.com/api/docs/guides/images-vision (image tokens)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from app.limits.output_lengths import LENGTH_FIELDS, MIN_RESPONSES_LENGTH, length_bound
from app.limits.prices import Price, ceiling_cost
from app.limits.token_estimates import BYTES_PER_TOKEN
from app.streaming.usage import Usage

REQUEST_OVERHEAD_TOKENS = 64  # what an upstream wraps around a request, its tools and its format
UNBELIEVABLE_TOKENS = 10**13  # more than any limit: a larger wish need not be told apart from it
MESSAGE_OVERHEAD_TOKENS = 8  # role and separators
TOOL_OVERHEAD_TOKENS = 16

ESTIMATED_OUTPUT_TOKENS = 1024
ESTIMATED_IMAGE_TOKENS = 1024
FILE_BYTES_PER_TOKEN = 16  # of base64: pages are compressed and full of fonts

MAX_AMOUNT = 2**53  # more is no bound, and the store's numbers end there
OWN_TOOLS = (None, "function", "custom", "namespace")  # the caller runs them, not the upstream
UPLOADS = ("audio/transcriptions", "images/edits")
WITHOUT_OUTPUT = ("embeddings", "moderations")  # no tokens come out of them
STORED = ("conversation", "previous_response_id")  # the upstream adds what it kept
TEXT_PARTS = ("text", "input_text", "output_text", "refusal", "reasoning_text", "summary_text")
IMAGE_PARTS = ("image_url", "input_image")
TEXT_ITEMS = (
    *(None, "message", "reasoning", "compaction", "function_call", "function_call_output"),
    *("custom_tool_call", "custom_tool_call_output", "local_shell_call", "local_shell_call_output"),
)
INSTRUCTING = ("system", "developer")  # roles whose messages become `instructions`
DATA_FIELDS = ("file_data", "data")
DETAILS = {"low": 0, "high": 1}  # column of `Price.image`; any other may become the dearest
DEAREST_DETAIL = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    Amounts by limit name; one that cannot be bounded is absent.

    `most` holds where an account keeps the length that the request names, `unenforced` where what
    it bills may exceed that: there the model's maximum is the bound of its output.
    """

    most: dict[str, int]
    likely: dict[str, int]
    unenforced: dict[str, int] = field(default_factory=dict)
    sent_length: int = 0  # tokens; the upstream has to be sent this length, or `most` would not hold


@dataclass(frozen=True, slots=True)
class ModelSize:
    """How many tokens a model takes in and gives out at most; None is not known."""

    context: int | None = None
    max_output: int | None = None
    assumed_output: int | None = None  # of the pool's settings, where the maximum is not known

    @classmethod
    def of(cls, price: Price | None, context: int | None = None, output: int | None = None) -> ModelSize:
        """Return what *price* says of its model; *context* and *output* are assumed where it says nothing."""
        known = price.max_output if price else None
        return cls(
            context=(price.context if price else None) or context,
            max_output=known,
            assumed_output=None if known else output,
        )


class _Media:
    """What of a body is not text: its bytes, and the tokens it may become."""

    def __init__(self, price: Price | None) -> None:
        self._ceilings = price.image if price else (None, None, None)
        self.bytes = 0
        self.tokens = 0
        self.estimated_tokens = 0
        self.bounded = True

    def scan(self, items: list[Any]) -> None:
        for item in items:
            if isinstance(item, dict):
                self.bounded &= item.get("type") in TEXT_ITEMS
                for name in ("content", "output"):
                    parts = item.get(name)
                    for part in parts if isinstance(parts, list) else [parts]:
                        if isinstance(part, dict) and not _is_text(part):
                            self._part(part)

    def _part(self, part: dict[str, Any]) -> None:
        size = _data_bytes(part)
        self.bytes += size
        if part.get("type") not in IMAGE_PARTS:
            self.bounded = False
            self.estimated_tokens += size // FILE_BYTES_PER_TOKEN
            return
        image = part.get("image_url")
        detail = (image if isinstance(image, dict) else part).get("detail")
        ceiling = self._ceilings[DETAILS.get(str(detail), DEAREST_DETAIL)]
        self.estimated_tokens += min(ESTIMATED_IMAGE_TOKENS, ceiling or ESTIMATED_IMAGE_TOKENS)
        self.tokens += ceiling or 0
        self.bounded &= ceiling is not None


def bounds_of(
    surface: str,
    body: dict[str, Any],
    body_bytes: int,
    price: Price | None = None,
    size: ModelSize | None = None,
) -> Bounds:
    """
    Return the bounds of one request whose JSON had *body_bytes* bytes.

    *price* is what is known of its model; without it a strict limit on cost finds no bound. *size*
    is as in the price, where it is not given.
    """
    size = size or ModelSize.of(price)
    turns = body.get("messages") if surface == "chat" else body.get("input") or body.get("messages")
    items = turns if isinstance(turns, list) else []
    tools = body.get("tools") or []
    media = _Media(price)
    media.scan(items)
    text_bytes = body_bytes - media.bytes + _repeated_bytes(body)
    overhead = (
        REQUEST_OVERHEAD_TOKENS + MESSAGE_OVERHEAD_TOKENS * len(items) + TOOL_OVERHEAD_TOKENS * len(tools)
    )
    max_input: int | None = text_bytes + media.tokens + overhead
    if _runs_tools(body, tools):
        max_input = None
    elif not media.bounded or any(body.get(name) for name in STORED):
        max_input = size.context
    requested, choices = length_bound(surface, body), _choices(body)
    wrong_guess = body_bytes if body.get("prediction") else 0  # it is billed as output
    enforced, sent_length = _longest_answer(surface, requested, size)
    max_output = _of_all(enforced, choices, wrong_guess)
    unenforced_output = _of_all(size.max_output, choices, wrong_guess)
    estimated_input = text_bytes // BYTES_PER_TOKEN + media.estimated_tokens + overhead
    estimated_output = (requested or ESTIMATED_OUTPUT_TOKENS) * choices
    estimated_output = min(ESTIMATED_OUTPUT_TOKENS, estimated_output, max_output or ESTIMATED_OUTPUT_TOKENS)
    tier = body.get("service_tier")
    return Bounds(
        _most(max_input, max_output, tier, price),
        _likely(estimated_input, estimated_output, tier, price),
        _most(max_input, unenforced_output, tier, price),
        sent_length,
    )


def plain_bounds_of(
    endpoint: str,
    body: dict[str, Any],
    body_bytes: int,
    price: Price | None,
    size: ModelSize | None = None,
) -> Bounds:
    """
    Return the bounds of a request that passes through to *endpoint* as it is.

    A text is bounded by its bytes; what an uploaded file holds cannot be seen from here, nor how
    many tokens a sound or a picture is made of.
    """
    uploads = endpoint in UPLOADS
    size = size or ModelSize.of(price)
    max_input = size.context if uploads else body_bytes + REQUEST_OVERHEAD_TOKENS
    estimated_input = body_bytes // (FILE_BYTES_PER_TOKEN if uploads else BYTES_PER_TOKEN)
    max_output = unenforced_output = size.max_output
    if endpoint in WITHOUT_OUTPUT:
        max_output = unenforced_output = 0
    elif endpoint == "completions":
        max_output = _completion_tokens(body, length_bound(endpoint, body) or size.max_output)
        unenforced_output = _completion_tokens(body, size.max_output)
    estimated_output = (
        ESTIMATED_OUTPUT_TOKENS if max_output is None else min(ESTIMATED_OUTPUT_TOKENS, max_output)
    )
    return Bounds(
        _most(max_input, max_output, None, price),
        _likely(estimated_input, estimated_output, None, price),
        _most(max_input, unenforced_output, None, price),
    )


def _completion_tokens(body: dict[str, Any], most: int | None) -> int | None:
    """
    Return how many tokens come of *most* for each answer.

    Without a length OpenAI's API gives 16 tokens, other servers what they like: the model's maximum.
    """
    if most is None:
        return None
    prompt = body.get("prompt")
    several = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    return most * (len(prompt) if several and prompt else 1) * _choices(body)


def _choices(body: dict[str, Any]) -> int:
    """Return how many answers are produced, whether or not all of them are returned."""
    most = 1
    for name in ("n", "best_of"):
        count = body.get(name)
        if type(count) is int and count > most:
            most = count
    return most


def _runs_tools(body: dict[str, Any], tools: list[Any]) -> bool:
    """Whether the upstream may run something itself and read what it brings."""
    return bool(
        body.get("web_search_options")
        or body.get("prompt")
        or any(isinstance(tool, dict) and tool.get("type") not in OWN_TOOLS for tool in tools)
    )


def _longest_answer(surface: str, requested: int | None, size: ModelSize) -> tuple[int | None, int]:
    """
    Return the bound (tokens) of one answer where it is enforced, and the length that has to be sent for it.

    A length below what the Responses API takes is raised for accounts that speak only that.
    """
    if requested is not None:
        longest = max(requested, MIN_RESPONSES_LENGTH) if surface == "chat" else requested
        return min(longest, size.max_output or longest), 0
    if size.max_output is None and size.assumed_output and surface in LENGTH_FIELDS:
        return size.assumed_output, size.assumed_output
    return size.max_output, 0


def _of_all(tokens: int | None, choices: int, wrong_guess: int) -> int | None:
    """Return the bound of *choices* answers of at most *tokens*, with a prediction that was of no use."""
    return None if tokens is None else min(tokens * choices + wrong_guess, UNBELIEVABLE_TOKENS)


def _repeated_bytes(body: dict[str, Any]) -> int:
    """
    Return how many bytes may be sent twice: in JSON mode instructions are repeated in the input.

    See `for_account`; on chat they are the system and developer messages.
    """
    text = body.get("text")
    form = body.get("response_format") or (text.get("format") if isinstance(text, dict) else None)
    if not isinstance(form, dict) or form.get("type") != "json_object":
        return 0
    turns = body.get("messages") or body.get("input")
    told = [
        turn
        for turn in (turns if isinstance(turns, list) else ())
        if isinstance(turn, dict) and turn.get("role") in INSTRUCTING
    ]
    return len(orjson.dumps([body.get("instructions"), told]))


def _most(
    input_tokens: int | None, output_tokens: int | None, tier: str | None, price: Price | None
) -> dict[str, int]:
    most = {}
    if input_tokens is not None and input_tokens < MAX_AMOUNT:
        most["input_tokens"] = input_tokens
    if output_tokens is not None and output_tokens < MAX_AMOUNT:
        most["output_tokens"] = output_tokens
    if price and input_tokens is not None and output_tokens is not None:
        cost = price.most(input_tokens, output_tokens, tier)
        if cost < MAX_AMOUNT:
            most["cost"] = cost
    return most


def _likely(input_tokens: int, output_tokens: int, tier: str | None, price: Price | None) -> dict[str, int]:
    usage = Usage(input_tokens, output_tokens, input_tokens + output_tokens)
    cost = price.cost(usage, tier) if price else ceiling_cost(usage)
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, "cost": min(cost, MAX_AMOUNT)}


def _is_text(part: dict[str, Any]) -> bool:
    return part.get("type") in TEXT_PARTS or (part.get("type") is None and "text" in part)


def _data_bytes(part: dict[str, Any]) -> int:
    """Return how many bytes of the body are the part's own data, which is not billed as text."""
    size = 0
    for name, value in part.items():
        if isinstance(value, dict):
            size += _data_bytes(value)
        elif isinstance(value, str) and (name in DATA_FIELDS or value.startswith("data:")):
            size += len(value)
    return size
