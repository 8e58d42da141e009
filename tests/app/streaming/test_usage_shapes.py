"""Usage and log probabilities in both protocols."""

from __future__ import annotations

import dataclasses

import pytest

from app.streaming.usage import Usage, usage_from_chat, usage_from_responses
from app.streaming.usage_shapes import (
    chat_logprobs,
    chat_usage,
    images_usage,
    responses_usage,
    usage_for_chat,
    usage_for_responses,
)

FULL = Usage(12, 7, 19, cached_tokens=4, cache_write_tokens=2, reasoning_tokens=3)
LEAST = Usage(12, 7, 19)


@pytest.mark.parametrize("usage", [FULL, LEAST, Usage(1, 2, 3, cached_tokens=0, audio_output_tokens=1)])
def test_there_and_back(usage):
    assert usage_from_chat(chat_usage(usage)) == usage
    reported = {name: getattr(usage, name) or 0 for name in ("cached_tokens", "reasoning_tokens")}
    assert usage_from_responses(responses_usage(usage)) == dataclasses.replace(usage, **reported)


def test_counts_that_were_not_reported():
    """Chat leaves them out; the details of Responses are always objects with the one count that SDKs read."""
    assert chat_usage(LEAST) == {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
    assert responses_usage(LEAST) == {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 19,
    }
    assert chat_usage(None) is None
    assert responses_usage(None) is None


def test_logprobs():
    """Chat has the UTF-8 bytes of every token."""
    tokens = [
        {"token": "é", "logprob": -0.1, "top_logprobs": [{"token": "e", "logprob": -2}]},
        {"token": "x"},
    ]

    assert chat_logprobs(tokens) == [
        {
            "token": "é",
            "logprob": -0.1,
            "bytes": [195, 169],
            "top_logprobs": [{"token": "e", "logprob": -2, "bytes": [101]}],
        },
        {"token": "x", "logprob": None, "bytes": [120], "top_logprobs": []},
    ]


def test_images():
    """The Images API has only images and text, so other tokens count as text."""
    made = images_usage(Usage(12, 7, 19, image_input_tokens=4))

    assert made is not None
    assert made["input_tokens_details"] == {"image_tokens": 4, "text_tokens": 8}
    assert made["output_tokens_details"] == {"image_tokens": 0, "text_tokens": 7}
    assert images_usage(None) is None


class TestOtherFormats:
    @pytest.mark.parametrize(
        "usage",
        [
            {"prompt_tokens": 3, "completion_tokens": 4.0, "cost": 1},
            {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": None, "input_tokens": 9},
        ],
    )
    def test_its_own_names_are_unchanged(self, usage):
        assert usage_for_chat(usage, usage_from_chat(usage)) is usage

    @pytest.mark.parametrize("usage", [[{"prompt_tokens": 3}], "12", 7, True, {}, {"units": 7}, [], 0])
    def test_nonsense_is_none(self, usage):
        assert usage_for_chat(usage, usage_from_chat(usage)) is None
        assert usage_for_responses(usage, usage_from_responses(usage)) is None

    def test_none_stays(self):
        assert usage_for_chat(None, None) is None

    @pytest.mark.parametrize(("given", "total"), [({}, 7), ({"total_tokens": "9"}, 9)])
    def test_of_responses_for_chat(self, given, total):
        usage = {"input_tokens": "3", "output_tokens": "4", "cost": 1, **given}
        usage["input_tokens_details"] = {"cached_tokens": "1", "vendor": 2}

        shaped = usage_for_chat(usage, usage_from_chat(usage))

        assert shaped == {
            "prompt_tokens": 3,
            "completion_tokens": total - 3,
            "total_tokens": total,
            "prompt_tokens_details": {"cached_tokens": 1, "vendor": 2},
            "cost": 1,
        }

    def test_of_chat_for_responses(self):
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": None, "cost": 1}

        assert usage_for_responses(usage, usage_from_responses(usage)) == {
            "input_tokens": 3,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 7,
            "cost": 1,
        }
