from __future__ import annotations

import pytest

from app.streaming.usage import Usage, usage_from_chat, usage_from_responses


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

    def test_protocols_do_not_read_each_others_fields(self):
        assert usage_from_chat({"input_tokens": 1, "output_tokens": 1}) is None
        assert usage_from_responses({"prompt_tokens": 1, "completion_tokens": 1}) is None


class TestTolerance:
    def test_total_absent_is_the_sum(self):
        assert usage_from_chat({"prompt_tokens": 3, "completion_tokens": 4}) == Usage(3, 4, 7)

    def test_total_given_is_believed(self):
        """Some upstreams count tokens that are on neither side."""
        usage = usage_from_chat({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 9})

        assert usage == Usage(3, 4, 9)

    def test_one_side_absent_is_what_the_total_leaves(self):
        assert usage_from_chat({"completion_tokens": 4, "total_tokens": 9}) == Usage(5, 4, 9)
        assert usage_from_chat({"prompt_tokens": 4, "total_tokens": 9}) == Usage(4, 5, 9)
        assert usage_from_chat({"prompt_tokens": 4}) == Usage(4, 0, 4)
        assert usage_from_chat({"completion_tokens": 4, "total_tokens": 1}) == Usage(0, 4, 1)

    @pytest.mark.parametrize("usage", [None, [], "12", 5, {}, {"total_tokens": 9}, {"prompt_tokens": None}])
    def test_nothing_usable(self, usage):
        assert usage_from_chat(usage) is None

    @pytest.mark.parametrize("odd", [-1, True, "5", 5.5, None, [5], {}])
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
        """Nothing is charged by half of a report: the request counts as not reported."""
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
