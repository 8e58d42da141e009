"""
The parts of a request that are not text: their bytes, and the tokens they may become.

Images are billed by size and detail, at most the model's ceiling each. The content of a file, an audio
clip or a stored item cannot be measured here.

Source: https://developers.openai.com/api/docs/guides/images-vision (image tokens)
"""

from __future__ import annotations

from typing import Any

from app.limits.prices import Price
from app.limits.references import is_image_part, is_text_item, is_text_part
from app.translation.requests.parts import beyond_text

ESTIMATED_IMAGE_TOKENS = 1024
FILE_BYTES_PER_TOKEN = 16  # bytes of Base64 per token: pages are compressed and contain fonts

DATA_FIELDS = ("file_data", "data")
# Column of `Price.image`; any other detail may be billed as the most expensive
DETAILS = {"low": 0, "high": 1}
MAX_DETAIL = 2


class Media:
    """
    Counts the media of a request.

    `bytes` of the body are media data; `tokens` is their upper bound, which holds where `bounded`.
    `has_other_items`: whether some messages or items are not known to be text (`references`).
    """

    def __init__(self, price: Price | None) -> None:
        self._ceilings = price.image if price else (None, None, None)
        self.bytes = 0
        self.tokens = 0
        self.estimated_tokens = 0
        self.bounded = True
        self.has_other_items = False

    def scan(self, items: list[Any]) -> None:
        """Add the parts of *items*, messages or input items."""
        for item in beyond_text(items):
            if not is_text_item(item):
                self.has_other_items, self.bounded = True, False
            if isinstance(item, dict):
                for name in ("content", "output"):
                    parts = item.get(name)
                    for part in parts if isinstance(parts, list) else [parts]:
                        if isinstance(part, dict):
                            if not is_text_part(part):
                                self._part(part)
                        elif isinstance(part, list):
                            self.bounded = False

    def _part(self, part: dict[str, Any]) -> None:
        size = _data_bytes(part)
        self.bytes += size
        if not is_image_part(part):
            self.bounded = False
            self.estimated_tokens += size // FILE_BYTES_PER_TOKEN
            return
        image = part.get("image_url")
        detail = (image if isinstance(image, dict) else part).get("detail")
        ceiling = self._ceilings[DETAILS.get(str(detail), MAX_DETAIL)]
        self.estimated_tokens += min(ESTIMATED_IMAGE_TOKENS, ceiling or ESTIMATED_IMAGE_TOKENS)
        self.tokens += ceiling or 0
        self.bounded &= ceiling is not None


def _data_bytes(part: dict[str, Any]) -> int:
    """Return how many bytes of the body are the part's own data, which is not billed as text."""
    size = 0
    for name, value in part.items():
        if isinstance(value, dict):
            size += _data_bytes(value)
        elif isinstance(value, str) and (name in DATA_FIELDS or value.startswith("data:")):
            size += len(value)
    return size
