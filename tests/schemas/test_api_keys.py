from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.api_keys import KeyInput

KEY = KeyInput()
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MINIMAL = {"name": "anna"}


class TestFields:
    def test_the_least(self):
        assert KEY.load(MINIMAL) == MINIMAL

    def test_all(self):
        fields = {
            "name": "anna",
            "models": ["gpt-5.2"],
            "accounts": ["team"],
            "limits": ["1000000 total_tokens/day", "nonsense that quotas will refuse"],
        }

        assert KEY.load({**fields, "expires": "2027-01-31"}) == {
            **fields,
            "expires_at": 1801353600.0,
        }

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("models", "gpt"),
            ("accounts", [5]),
            ("limits", "5 requests/minute"),
            ("limits", [{"requests": 5}]),
            ("limits", [""]),
            ("expires_at", 1801353600),
            ("limit", []),
        ],
    )
    def test_refused(self, refusal, field, value):
        assert refusal(KEY, {**MINIMAL, field: value})[0] == field

    def test_a_name_is_required(self, refusal):
        assert refusal(KEY, {}) == ("name", "name is required")


class TestExpiry:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("2027-01-31", 1801353600),
            ("2027-01-31T00:00:00", 1801353600),
            ("2027-01-31 00:00", 1801353600),
            ("2027-01-31T00:00:00Z", 1801353600),
            ("2027-01-31T02:00:00+02:00", 1801353600),
            ("2027-01-31T00:00:00.5Z", 1801353600.5),
        ],
    )
    def test_unix_seconds(self, text, seconds):
        """A date is its first moment, and no offset means UTC, wherever this runs."""
        assert KEY.load({**MINIMAL, "expires": text})["expires_at"] == seconds

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "tomorrow",
            "2027-02-30",
            "31.01.2027",
            "1801353600",
            "1970-01-01",
            "3000-01-01",
            "9999-12-31",
            "0001-01-01",
            5,
            True,
            None,
            [],
        ],
    )
    def test_refused(self, refusal, value):
        assert refusal(KEY, {**MINIMAL, "expires": value})[0] == "expires"

    @given(st.datetimes(datetime(1970, 1, 3), datetime(2999, 12, 30), timezones=OFFSETS))
    def test_any_moment(self, moment):
        loaded = KEY.load({**MINIMAL, "expires": moment.isoformat()})

        assert loaded["expires_at"] == moment.timestamp()
