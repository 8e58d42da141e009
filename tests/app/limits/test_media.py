"""What a request has besides text."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits.media import ESTIMATED_IMAGE_TOKENS, FILE_BYTES_PER_TOKEN, Media
from app.limits.prices import load_shipped_prices

PRICED = load_shipped_prices().find("gpt-5.6-sol")
DATA = "data:image/png;base64," + "x" * 1000


def scanned(*parts: dict[str, Any], price: Any = PRICED) -> Media:
    media = Media(price)
    media.scan([{"role": "user", "content": list(parts)}])
    return media


def test_text_is_no_media() -> None:
    media = scanned({"type": "text", "text": "Hello"}, {"type": "input_text", "text": "Hello"})

    assert (media.bytes, media.tokens, media.bounded) == (0, 0, True)


def test_an_image_has_a_ceiling() -> None:
    media = scanned({"type": "image_url", "image_url": {"url": DATA, "detail": "high"}})

    assert media.bytes == len(DATA)
    assert 0 < media.estimated_tokens <= min(ESTIMATED_IMAGE_TOKENS, media.tokens)
    assert media.bounded


def test_an_image_of_an_unknown_model() -> None:
    assert not scanned({"type": "image_url", "image_url": {"url": DATA}}, price=None).bounded


@pytest.mark.parametrize("field", ["file_data", "data"])
def test_a_file_is_only_estimated(field: str) -> None:
    media = scanned({"type": "file", "file": {field: "x" * 1600}})

    assert (media.bytes, media.estimated_tokens, media.bounded) == (1600, 1600 // FILE_BYTES_PER_TOKEN, False)


def test_an_item_with_unknown_content() -> None:
    media = Media(PRICED)
    media.scan([{"type": "item_reference", "id": "x"}])

    assert not media.bounded
