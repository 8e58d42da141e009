from __future__ import annotations

import pytest

from app.streaming.retry_after import parse_wait
from schemas.bounds import number


class TestWaitOf:
    @pytest.mark.parametrize(
        ("error", "headers", "seconds"),
        [
            ({}, {}, None),
            ({"resets_in_seconds": 90}, {}, 90),
            ({}, {"retry-after": "20"}, 20),
            ({}, {"retry-after": "1.5"}, 1.5),
            ({}, {"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
            ({"resets_in_seconds": 90}, {"retry-after": "2"}, 90),
            ({"message": "try again in 9s"}, {"retry-after": "2"}, 2),
            ({}, {"retry-after": "soon"}, None),
            ({"message": 5}, {}, None),
        ],
    )
    def test_seconds(self, error, headers, seconds):
        """The fields of the body have priority, then the headers, then the message."""
        assert parse_wait(error, headers)[0] == seconds

    def test_end(self):
        assert parse_wait({"resets_at": 1700000000}, {}) == (None, 1700000000)

    def test_retry_after_date_is_an_end(self):
        assert parse_wait({}, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == (None, 1445412480)

    def test_date_of_the_response_turns_an_end_into_seconds(self):
        headers = {"date": "Wed, 21 Oct 2015 07:28:00 GMT"}

        assert parse_wait({"resets_at": 1445412480 + 60}, headers) == (60, 1445412540)
        assert parse_wait({"resets_at": 1445412480 - 60}, headers) == (0, 1445412420)
        assert parse_wait({}, headers | {"retry-after": "Wed, 21 Oct 2015 07:29:00 GMT"})[0] == 60

    @pytest.mark.parametrize(
        ("words", "seconds"),
        [
            ("Rate limit reached. Please try again in 1h2m3s.", 3723),
            ("Please try again in 1.5s. Visit https://x to learn more", 1.5),
            ("please try again in 300ms", 0.3),
            ("Try again in 6m0s", 360),
            ("try again in 20 seconds", 20),
            ("try again in 5 minutes.", 300),
            ("try again in 2 days, 3 hours", 183600),
            ("try again in 250 milliseconds", 0.25),
            ("try again later", None),
            ("try again in a while", None),
        ],
    )
    def test_words(self, words, seconds):
        assert parse_wait({"message": words}, {})[0] == pytest.approx(seconds)


class TestNumber:
    @pytest.mark.parametrize(("value", "found"), [(5, 5), (0, 0), (1.5, 1.5), ("12", 12), (" 3 ", 3)])
    def test_numbers(self, value, found):
        assert number(value) == found

    @pytest.mark.parametrize("value", [None, True, -1, "", "x", "nan", "inf", float("inf"), [], {}, 10**400])
    def test_not_numbers(self, value):
        assert number(value) is None
