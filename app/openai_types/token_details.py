"""The details of a usage; both protocols have the same, under their own keys."""

from __future__ import annotations

from typing import TypedDict


class InputTokensDetails(TypedDict, total=False):
    cached_tokens: int
    cache_write_tokens: int
    audio_tokens: int
    image_tokens: int


class OutputTokensDetails(TypedDict, total=False):
    reasoning_tokens: int
    audio_tokens: int
    image_tokens: int
    accepted_prediction_tokens: int  # in chat
    rejected_prediction_tokens: int  # in chat
