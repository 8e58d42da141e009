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

from dataclasses import dataclass
from typing import Any

from app.quotas.lengths import length_bound
from app.quotas.prices import Price, ceiling_cost
from app.quotas.tokens import BYTES_PER_TOKEN
from app.streaming.usage import Usage

REQUEST_OVERHEAD_TOKENS = 64  # what an upstream wraps around a request, its tools and its format
UNBELIEVABLE_TOKENS = 10**13  # more than any limit: a larger wish need not be told apart from it
MESSAGE_OVERHEAD_TOKENS = 8  # role and separators
TOOL_OVERHEAD_TOKENS = 16

LIKELY_OUTPUT_TOKENS = 1024
LIKELY_IMAGE_TOKENS = 1024
FILE_BYTES_PER_TOKEN = 16  # of base64: pages are compressed and full of fonts

MOST_AMOUNT = 2**53  # more is no bound, and the store's numbers end there
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
DATA_FIELDS = ("file_data", "data")
DETAILS = {"low": 0, "high": 1}  # column of `Price.image`; any other may become the dearest
DEAREST_DETAIL = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """Amounts by limit name; one that cannot be bounded is absent from `most`."""

    most: dict[str, int]
    likely: dict[str, int]


class _Media:
    """What of a body is not text: its bytes, and the tokens it may become."""

    def __init__(self, price: Price | None) -> None:
        self._ceilings = price.image if price else (None, None, None)
        self.bytes = 0
        self.tokens = 0
        self.likely_tokens = 0
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
            self.likely_tokens += size // FILE_BYTES_PER_TOKEN
            return
        image = part.get("image_url")
        detail = (image if isinstance(image, dict) else part).get("detail")
        ceiling = self._ceilings[DETAILS.get(str(detail), DEAREST_DETAIL)]
        self.likely_tokens += min(LIKELY_IMAGE_TOKENS, ceiling or LIKELY_IMAGE_TOKENS)
        self.tokens += ceiling or 0
        self.bounded &= ceiling is not None


def bounds_of(surface: str, body: dict[str, Any], body_bytes: int, price: Price | None = None) -> Bounds:
    """
    Return the bounds of one request whose JSON had *body_bytes* bytes.

    *price* is what is known of its model; without it a strict limit on cost, or on output that
    the request does not limit itself, finds no bound.
    """
    turns = body.get("messages") if surface == "chat" else body.get("input") or body.get("messages")
    items = turns if isinstance(turns, list) else []
    tools = body.get("tools") or []
    media = _Media(price)
    media.scan(items)
    text_bytes = body_bytes - media.bytes
    overhead = (
        REQUEST_OVERHEAD_TOKENS + MESSAGE_OVERHEAD_TOKENS * len(items) + TOOL_OVERHEAD_TOKENS * len(tools)
    )
    most_input: int | None = text_bytes + media.tokens + overhead
    if _runs_tools(body, tools):
        most_input = None
    elif not media.bounded or any(body.get(name) for name in STORED):
        most_input = price.context if price else None
    most_output = _most_output(surface, body, body_bytes, price)
    likely_input = text_bytes // BYTES_PER_TOKEN + media.likely_tokens + overhead
    likely_output = min(LIKELY_OUTPUT_TOKENS, most_output or LIKELY_OUTPUT_TOKENS)
    tier = body.get("service_tier")
    return Bounds(
        _most(most_input, most_output, tier, price), _likely(likely_input, likely_output, tier, price)
    )


def plain_bounds_of(endpoint: str, body: dict[str, Any], body_bytes: int, price: Price | None) -> Bounds:
    """
    Return the bounds of a request that passes through to *endpoint* as it is.

    A text is bounded by its bytes; what an uploaded file holds cannot be seen from here, nor how
    many tokens a sound or a picture is made of.
    """
    uploads = endpoint in UPLOADS
    most_input = (price.context if price else None) if uploads else body_bytes + REQUEST_OVERHEAD_TOKENS
    likely_input = body_bytes // (FILE_BYTES_PER_TOKEN if uploads else BYTES_PER_TOKEN)
    if endpoint in WITHOUT_OUTPUT:
        most_output: int | None = 0
    elif endpoint == "completions":
        most_output = _completion_tokens(body, price)
    else:
        most_output = price.max_output if price else None
    likely_output = LIKELY_OUTPUT_TOKENS if most_output is None else min(LIKELY_OUTPUT_TOKENS, most_output)
    return Bounds(
        _most(most_input, most_output, None, price), _likely(likely_input, likely_output, None, price)
    )


def _completion_tokens(body: dict[str, Any], price: Price | None) -> int | None:
    """Without a length OpenAI's API gives 16 tokens, other servers what they like: the model's maximum."""
    most = length_bound("completions", body) or (price.max_output if price else None)
    if most is None:
        return None
    prompt = body.get("prompt")
    several = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    return most * (len(prompt) if several and prompt else 1) * _choices(body)


def _choices(body: dict[str, Any]) -> int:
    """Return how many answers are produced, whether or not all of them are returned."""
    counts = (body.get(name) for name in ("n", "best_of"))
    return max((count for count in counts if type(count) is int and count > 0), default=1)


def _runs_tools(body: dict[str, Any], tools: list[Any]) -> bool:
    """Whether the upstream may run something itself and read what it brings."""
    return bool(
        body.get("web_search_options")
        or body.get("prompt")
        or any(isinstance(tool, dict) and tool.get("type") not in OWN_TOOLS for tool in tools)
    )


def _most_output(surface: str, body: dict[str, Any], body_bytes: int, price: Price | None) -> int | None:
    requested = length_bound(surface, body)
    limits = [requested] if requested else []
    if price and price.max_output:
        limits.append(price.max_output)
    if not limits:
        return None
    most = min(limits) * _choices(body)
    most += body_bytes if body.get("prediction") else 0  # a wrong guess is billed as output
    return min(most, UNBELIEVABLE_TOKENS)


def _most(
    input_tokens: int | None, output_tokens: int | None, tier: str | None, price: Price | None
) -> dict[str, int]:
    most = {}
    if input_tokens is not None:
        most["input_tokens"] = input_tokens
    if output_tokens is not None:
        most["output_tokens"] = output_tokens
    if price and input_tokens is not None and output_tokens is not None:
        most["cost"] = price.most(input_tokens, output_tokens, tier)
    return {what: amount for what, amount in most.items() if amount < MOST_AMOUNT}


def _likely(input_tokens: int, output_tokens: int, tier: str | None, price: Price | None) -> dict[str, int]:
    usage = Usage(input_tokens, output_tokens, input_tokens + output_tokens)
    cost = price.cost(usage, tier) if price else ceiling_cost(usage)
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, "cost": min(cost, MOST_AMOUNT)}


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
