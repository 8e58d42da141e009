"""
The parts of a request that are not text: their bytes, and the tokens they may become.

Images are billed by size and detail, at most the model's ceiling each. The content of a file, an audio
clip or a stored item cannot be measured here.

Source: https://developers.openai.com/api/docs/guides/images-vision (image tokens)
"""

from __future__ import annotations

from typing import Any

from app.limits.prices import Price

ESTIMATED_IMAGE_TOKENS = 1024
FILE_BYTES_PER_TOKEN = 16  # of base64: pages are compressed and full of fonts

TEXT_PARTS = ("text", "input_text", "output_text", "refusal", "reasoning_text", "summary_text")
IMAGE_PARTS = ("image_url", "input_image")
TEXT_ITEMS = (
    *(None, "message", "reasoning", "compaction", "function_call", "function_call_output"),
    *("custom_tool_call", "custom_tool_call_output", "local_shell_call", "local_shell_call_output"),
)
DATA_FIELDS = ("file_data", "data")
DETAILS = {"low": 0, "high": 1}  # column of `Price.image`; any other may become the most expensive
MAX_DETAIL = 2


class Media:
    """
    Counts the media of a request.

    `bytes` of the body are media data; `tokens` is their upper bound, which holds where `bounded`.
    """

    def __init__(self, price: Price | None) -> None:
        self._ceilings = price.image if price else (None, None, None)
        self.bytes = 0
        self.tokens = 0
        self.estimated_tokens = 0
        self.bounded = True

    def scan(self, items: list[Any]) -> None:
        """Add the parts of *items*, messages or input items."""
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
        ceiling = self._ceilings[DETAILS.get(str(detail), MAX_DETAIL)]
        self.estimated_tokens += min(ESTIMATED_IMAGE_TOKENS, ceiling or ESTIMATED_IMAGE_TOKENS)
        self.tokens += ceiling or 0
        self.bounded &= ceiling is not None


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
