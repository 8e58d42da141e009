"""The details of a usage. Both protocols have the same details, under different keys."""

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
