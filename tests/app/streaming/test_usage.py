from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streaming.usage import Usage, image_tool_usage, total_usage, usage_from_chat, usage_from_responses


class TestProtocols:
    def test_chat(self):
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1, "cache_write_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": 3},
        }

        assert usage_from_chat(usage) == Usage(10, 20, 30, 4, 2, 7, 1, 3)

    def test_responses(self):
        usage = {
            "input_tokens": 10,
            "output_tokens": 20,
            "total_tokens": 30,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 7},
        }

        assert usage_from_responses(usage) == Usage(10, 20, 30, cached_tokens=0, reasoning_tokens=7)

    @pytest.mark.parametrize(
        ("own", "other", "read"),
        [
            (("prompt", "completion"), ("input", "output"), usage_from_chat),
            (("input", "output"), ("prompt", "completion"), usage_from_responses),
        ],
    )
    def test_names_of_the_other_protocol(self, own, other, read):
        """They are read where the protocol's own are absent: servers bill what they report."""
        details = {f"{other[0]}_tokens_details": {"cached_tokens": 1}}
        details[f"{other[1]}_tokens_details"] = {"reasoning_tokens": 2}
        others = {f"{other[0]}_tokens": 4, f"{other[1]}_tokens": 5, **details}
        owns = {f"{own[0]}_tokens": 3, f"{own[1]}_tokens": 7}

        assert read(others) == Usage(4, 5, 9, cached_tokens=1, reasoning_tokens=2)
        assert read(others | {f"{own[0]}_tokens": 3, f"{own[1]}_tokens": None}) == Usage(
            3, 5, 8, cached_tokens=1, reasoning_tokens=2
        )
        assert read(others | owns) == Usage(3, 7, 10, cached_tokens=1, reasoning_tokens=2)
        assert read(others | owns | {f"{own[0]}_tokens_details": {"cached_tokens": 2}}).cached_tokens == 2


class TestTolerance:
    def test_total_absent_is_the_sum(self):
        assert usage_from_chat({"prompt_tokens": 3, "completion_tokens": 4}) == Usage(3, 4, 7)

    def test_total_decides(self):
        """The part of the total that is in neither input nor output is reasoning, billed as output."""
        usage = usage_from_chat({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 9})

        assert usage == Usage(3, 6, 9)

    def test_total_below_the_sides(self):
        usage = usage_from_chat({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 5})

        assert usage == Usage(3, 4, 7)

    def test_one_side_absent_is_what_the_total_leaves(self):
        assert usage_from_chat({"completion_tokens": 4, "total_tokens": 9}) == Usage(5, 4, 9)
        assert usage_from_chat({"prompt_tokens": 4, "total_tokens": 9}) == Usage(4, 5, 9)
        assert usage_from_chat({"prompt_tokens": 4, "total_tokens": 4}) == Usage(4, 0, 4)

    @pytest.mark.parametrize(
        "usage",
        [{"prompt_tokens": 4}, {"completion_tokens": 4}, {"completion_tokens": 4, "total_tokens": 1}],
    )
    def test_an_unknown_side_does_not_count_as_zero(self, usage):
        assert usage_from_chat(usage) is None

    @pytest.mark.parametrize("usage", [None, [], "12", 5, {}, {"total_tokens": 9}, {"prompt_tokens": None}])
    def test_nothing_usable(self, usage):
        assert usage_from_chat(usage) is None

    def test_numbers_that_are_texts(self):
        usage = {
            "prompt_tokens": "12",
            "completion_tokens": "7",
            "total_tokens": "19",
            "prompt_tokens_details": {"cached_tokens": "4"},
        }

        assert usage_from_chat(usage) == Usage(12, 7, 19, cached_tokens=4)

    @pytest.mark.parametrize(
        "text", ["", "x", "-3", "1.5", " 3", "3e2", "٣", "0x1", "1" * 65, "1" * 13, "1_0"]
    )
    def test_texts_that_are_not_counts(self, text):
        assert usage_from_chat({"prompt_tokens": text, "completion_tokens": 4}) is None

    @pytest.mark.parametrize("odd", [-1, True, "5.0", 5.5, None, [5], {}])
    def test_odd_numbers_are_ignored(self, odd):
        usage = {
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "total_tokens": odd,
            "prompt_tokens_details": {"cached_tokens": odd},
            "completion_tokens_details": odd,
        }

        assert usage_from_chat(usage) == Usage(3, 4, 7)

    def test_an_integral_float_is_a_count(self):
        """JSON has one kind of number: 5.0 is five."""
        assert usage_from_chat({"prompt_tokens": 3.0, "completion_tokens": 4.0}) == Usage(3, 4, 7)

    @pytest.mark.parametrize("absurd", [10**12 + 1, 2**63, 2**64 - 1, 1e30, 1e308, 1.5e12])
    @pytest.mark.parametrize("side", ["prompt_tokens", "completion_tokens"])
    def test_an_absurd_side_is_no_usage(self, absurd, side):
        """A report with one implausible side is discarded, so the usage counts as not reported."""
        assert usage_from_chat({"prompt_tokens": 3, "completion_tokens": 4, side: absurd}) is None

    @pytest.mark.parametrize("absurd", [10**12 + 1, 2**63, 1e308])
    def test_an_absurd_detail_is_left_out(self, absurd):
        usage = {
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "total_tokens": absurd,
            "prompt_tokens_details": {"cached_tokens": absurd, "audio_tokens": absurd},
            "completion_tokens_details": {"reasoning_tokens": absurd, "audio_tokens": 2},
        }

        assert usage_from_chat(usage) == Usage(3, 4, 7, audio_output_tokens=2)


SIDES = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


COUNTS = st.one_of(st.integers(0, 50), st.integers(0, 10**12), st.none())
DETAILS = ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens")


class TestDetails:
    @given(
        sides=st.tuples(st.integers(0, 50), st.integers(0, 50)),
        total=st.one_of(st.none(), st.integers(0, 200)),
        inputs=st.fixed_dictionaries({}, optional=dict.fromkeys(DETAILS, COUNTS)),
        outputs=st.fixed_dictionaries({}, optional=dict.fromkeys(DETAILS, COUNTS)),
    )
    def test_a_part_is_no_more_than_its_total(self, sides, total, inputs, outputs):
        usage = {"prompt_tokens": sides[0], "completion_tokens": sides[1], "total_tokens": total}
        usage |= {"prompt_tokens_details": inputs, "completion_tokens_details": outputs}

        parsed = usage_from_chat(usage)

        for name in ("cached", "cache_write", "audio_input", "image_input"):
            assert (getattr(parsed, f"{name}_tokens") or 0) <= parsed.input_tokens
        for name in ("reasoning", "audio_output", "image_output"):
            assert (getattr(parsed, f"{name}_tokens") or 0) <= parsed.output_tokens
        if total is not None:
            assert parsed.total_tokens == max(total, sum(sides))


class TestVendors:
    @pytest.mark.parametrize(
        "fields",
        [
            {"prompt_cache_hit_tokens": 90, "prompt_cache_miss_tokens": 10},  # DeepSeek
            {"prompt_cache_hit_tokens": 90, "prompt_tokens_details": {"cached_tokens": 0}},
            {"cached_tokens": 90},  # Moonshot
            {"num_cached_tokens": 90},  # Mistral
            {"prompt_token_details": {"cached_tokens": 90}},
        ],
    )
    def test_cache_hits(self, fields):
        assert usage_from_chat(SIDES | fields) == Usage(100, 20, 120, cached_tokens=90)

    def test_cache_writes(self):
        usage = usage_from_chat(SIDES | {"prompt_tokens_details": {"cache_creation_input_tokens": 5}})

        assert usage == Usage(100, 20, 120, cache_write_tokens=5)

    def test_images(self):
        details = {
            "prompt_tokens_details": {"image_tokens": 5},
            "completion_tokens_details": {"image_tokens": 6},
        }

        assert usage_from_chat(SIDES | details) == Usage(
            100, 20, 120, image_input_tokens=5, image_output_tokens=6
        )

    @pytest.mark.parametrize(
        ("total", "reasoning", "usage"),
        [
            (120, 7, Usage(100, 20, 120, reasoning_tokens=7)),  # inside
            (127, 7, Usage(100, 27, 127, reasoning_tokens=7)),  # beside: xAI
            (194, None, Usage(100, 94, 194)),  # in the total alone: Gemini
            (120, 25, Usage(100, 20, 120, reasoning_tokens=20)),  # more than was billed: OpenRouter
            (None, 7, Usage(100, 20, 120, reasoning_tokens=7)),
            (None, 25, Usage(100, 45, 145, reasoning_tokens=25)),
        ],
    )
    def test_reasoning(self, total, reasoning, usage):
        details = {"completion_tokens_details": {"reasoning_tokens": reasoning}}

        assert usage_from_chat(SIDES | {"total_tokens": total} | details) == usage

    def test_details_that_no_total_confirms(self):
        """In addition to the sides only what a model can have read or produced is counted."""
        absurd = {"total_tokens": None, "prompt_tokens_details": {"cached_tokens": 10**12}}
        absurd |= {"completion_tokens_details": {"reasoning_tokens": 10**12}}

        assert usage_from_chat(SIDES | absurd) == Usage(100, 20, 120, cached_tokens=100, reasoning_tokens=20)

    def test_reasoning_at_the_top(self):
        assert usage_from_chat(SIDES | {"reasoning_tokens": 5}) == Usage(100, 20, 120, reasoning_tokens=5)

    @pytest.mark.parametrize(
        ("total", "usage"),
        [
            (300, Usage(280, 20, 300, cached_tokens=180)),  # beside the input: xAI
            (None, Usage(280, 20, 300, cached_tokens=180)),
            (120, Usage(100, 20, 120, cached_tokens=100)),
        ],
    )
    def test_more_cached_than_the_input(self, total, usage):
        details = {"prompt_tokens_details": {"cached_tokens": 180}}

        assert usage_from_chat(SIDES | {"total_tokens": total} | details) == usage


class TestImageTool:
    """The usage of a tool is reported separately from that of the model that called it."""

    def test_details(self):
        details = {"input_tokens_details": {"image_tokens": 3}, "output_tokens_details": {"image_tokens": 7}}
        usage = {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14, **details}

        assert image_tool_usage({"tool_usage": {"image_gen": usage}}) == Usage(
            5, 9, 14, image_input_tokens=3, image_output_tokens=7
        )

    def test_without_details_all_output_is_images(self):
        usage = {"input_tokens": 5, "output_tokens": 9}

        assert image_tool_usage({"tool_usage": {"image_gen": usage}}) == Usage(
            5, 9, 14, image_output_tokens=9
        )

    @pytest.mark.parametrize(
        "response", [None, [], {}, {"tool_usage": 1}, {"tool_usage": {}}, {"tool_usage": {"image_gen": "x"}}]
    )
    def test_not_reported(self, response):
        assert image_tool_usage(response) is None


def test_total():
    """A detail that one of them does not report is not zero, but unknown, in that one alone."""
    one, other = Usage(1, 2, 3, cached_tokens=1), Usage(10, 20, 30, image_output_tokens=5)

    assert total_usage([one, other]) == Usage(11, 22, 33, cached_tokens=1, image_output_tokens=5)
    assert total_usage([]) is None
