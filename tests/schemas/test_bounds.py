"""Whatever a caller or an upstream sends for a number, a wait, a date or a text, what is read is bounded."""

from __future__ import annotations

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.oauth_tokens import tokens_from_response
from app.accounts.outcomes import outcome_from_error
from app.accounts.usage_windows import outcome_from_usage, windows_from_headers
from app.streaming.upstream_errors import rejection_from_body, rejection_from_event
from app.streaming.usage import usage_from_chat, usage_from_responses
from schemas import bounds
from schemas.chat import CHAT_REQUEST
from schemas.passthrough import FORM_REQUESTS, JSON_REQUESTS
from schemas.responses import RESPONSES_REQUEST
from tests.schemas.conftest import Refusal

NOW = 1_780_000_000.0
FAR_MS = (NOW + bounds.MAX_LIFETIME_SECONDS) * 1000
HUGE = [2**31, 2**53, 2**53 + 1, 10**12, 10**12 + 1, 2**63, 2**64 - 1, 10**400, 1e15, 1e30, 1e308, -1, -1e308]
numbers = (
    st.sampled_from([*HUGE, math.inf, -math.inf, math.nan])
    | st.integers()
    | st.floats()
    | st.integers(0, 200)
)
odd = (
    numbers
    | numbers.map(str)
    | st.none()
    | st.booleans()
    | st.text(max_size=20)
    | st.sampled_from(["9" * 5000, "1e309", "nan", "-inf", "٣", "1_0"])
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
header_values = st.one_of(
    numbers.map(str), st.text(max_size=20), st.sampled_from(["9" * 60_000, "1e306", "6m0s"])
)


@pytest.mark.parametrize(
    "text", ["1_0", "٣", "²", " 1", "1 ", "", "0x1", "1" * 65, "one", "1,5", "--1", "1e", "."]
)
def test_texts_that_are_no_numbers(text):
    """Also those that Python reads as numbers."""
    assert (bounds.parse_integer(text), bounds.parse_number(text)) == (None, None)


@pytest.mark.parametrize("text", ["inf", "nan", "-Infinity", "1e999"])
def test_texts_that_are_no_finite_numbers(text):
    assert (bounds.parse_number(text), bounds.number(text)) == (None, None)


def test_texts_that_are_numbers():
    assert (bounds.parse_integer("0012"), bounds.parse_integer("9" * 15), bounds.parse_integer("9" * 16)) == (
        12,
        10**15 - 1,
        None,
    )
    for text in ("0", "1.5", ".5", "5.", "+2", "-2", "1e3", "1E-3"):
        assert bounds.parse_number(text) == float(text)
    assert (bounds.number(" 2.5\t"), bounds.number("-2")) == (2.5, None)


@given(odd)
def test_every_function_bounds_everything(value):
    for read, most in (
        (bounds.tokens, bounds.MAX_TOKENS),
        (bounds.wait_seconds, bounds.MAX_WAIT_SECONDS),
        (bounds.lifetime_seconds, bounds.MAX_LIFETIME_SECONDS),
        (bounds.percent, bounds.MAX_PERCENT),
        (bounds.moment, bounds.LATEST_AT),
    ):
        found = read(value)
        assert found is None or 0 <= found <= most
    name = bounds.text(value)
    assert name is None or 0 < len(name) <= bounds.MAX_TEXT_CHARS


@pytest.mark.parametrize(
    ("read", "most"),
    [
        (bounds.tokens, bounds.MAX_TOKENS),
        (bounds.wait_seconds, bounds.MAX_WAIT_SECONDS),
        (bounds.moment, bounds.LATEST_AT),
    ],
)
def test_at_and_past_the_bound(read, most):
    assert read(most) == most
    assert read(most + 1) is None


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens"), odd
        )
        | {"prompt_tokens_details": st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens"]), odd)},
    )
)
def test_usage(usage):
    for read in (usage_from_chat, usage_from_responses):
        found = read(usage)
        figures = [] if found is None else [getattr(found, name) for name in found.__slots__]
        assert all(type(n) is int and 0 <= n <= 2 * bounds.MAX_TOKENS for n in figures if n is not None)


@given(
    st.dictionaries(
        st.sampled_from(["resets_at", "resets_in_seconds", "code", "type", "message", "plan_type"]), odd
    ),
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), header_values),
    st.sampled_from([400, 401, 402, 403, 404, 429, 500, 503]),
)
def test_refusals_of_an_upstream(error, headers, status):
    """For any value there is an outcome the store accepts, a response, and no wait past the bound."""
    body = orjson.dumps({"error": error}, default=str) if _is_json(error) else b"{}"
    for rejection in (rejection_from_body(status, body, headers), rejection_from_event({"error": error})):
        mark = outcome_from_error(rejection, "gpt-5", NOW)
        orjson.dumps([mark, rejection.envelope()])
        waits = [mark.get(name, 0) for name in ("wait_ms", "retest_wait_ms")]
        assert all(0 <= wait <= bounds.MAX_WAIT_SECONDS * 1000 for wait in waits)
        assert (rejection.retry_after_seconds or 0) <= bounds.MAX_WAIT_SECONDS


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *(
                    f"x-codex-{w}-{what}"
                    for w in ("primary", "secondary")
                    for what in ("used-percent", "reset-at", "reset-after-seconds", "window-minutes")
                ),
                *(
                    f"x-ratelimit-{what}-{of}"
                    for of in ("requests", "tokens")
                    for what in ("limit", "remaining", "reset")
                ),
            ]
        ),
        header_values,
    )
)
def test_headers_with_windows(headers):
    _check_windows(windows_from_headers(headers, NOW))


@given(
    st.dictionaries(
        st.sampled_from(["primary_window", "secondary_window", "allowed", "limit_reached"]),
        odd
        | st.dictionaries(
            st.sampled_from(["used_percent", "reset_at", "reset_after_seconds", "limit_window_seconds"]), odd
        ),
    )
)
def test_the_usage_endpoint(limits):
    mark = outcome_from_usage({"rate_limit": limits}, NOW)
    _check_windows(mark.get("windows"))
    assert 0 <= mark.get("wait_ms", 0) <= bounds.MAX_WAIT_SECONDS * 1000 + 1000


@given(odd, odd)
def test_the_lifetime_of_a_token(expires_in, moment):
    response = {"access_token": "a", "refresh_token": "r", "expires_in": expires_in, "exp": moment}
    tokens = tokens_from_response(response, NOW)
    assert 0 <= tokens.expires_at <= NOW + bounds.MAX_LIFETIME_SECONDS


def _check_windows(windows):
    orjson.dumps(windows)
    for window in filter(None, windows or []):
        used, reset_ms, *length = window
        assert 0 <= used <= 100
        assert NOW * 1000 <= reset_ms <= FAR_MS
        assert all(0 < seconds <= bounds.MAX_LIFETIME_SECONDS for seconds in length)


def _is_json(value):
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
RESPONSES = {"model": "m", "input": "hi"}
PLAIN = {"model": "m", "input": "hi", "prompt": "hi", "file": "f"}
NAMES = [
    *((CHAT_REQUEST, CHAT, name, 256) for name in ("model", "user", "safety_identifier", "prompt_cache_key")),
    *(
        (RESPONSES_REQUEST, RESPONSES, name, 256)
        for name in ("model", "user", "safety_identifier", "prompt_cache_key", "conversation")
    ),
    *((schema, PLAIN, "model", 256) for schema in (*JSON_REQUESTS.values(), *FORM_REQUESTS.values())),
    (CHAT_REQUEST, CHAT, "service_tier", 64),
    (RESPONSES_REQUEST, RESPONSES, "service_tier", 64),
    *((schema, PLAIN, "service_tier", 64) for schema in (*JSON_REQUESTS.values(), *FORM_REQUESTS.values())),
]


@pytest.mark.parametrize(("schema", "body", "name", "most"), NAMES)
def test_names_in_requests(schema, body, name, most, refusal: Refusal):
    schema.load({**body, name: "x" * most})
    param, message = refusal(schema, {**body, name: "x" * (most + 1)})
    assert param == name
    assert f"{most} characters" in message


@pytest.mark.parametrize(("schema", "body"), [(CHAT_REQUEST, CHAT), (RESPONSES_REQUEST, RESPONSES)])
class TestLists:
    def test_fallbacks(self, schema, body, refusal: Refusal):
        schema.load({**body, "fallbacks": ["x" * 256] * 16})
        assert refusal(schema, {**body, "fallbacks": ["ok", "x" * 257]}) == (
            "fallbacks",
            "fallbacks[1] must have at most 256 characters",
        )

    def test_metadata(self, schema, body, refusal: Refusal):
        schema.load({**body, "metadata": {f"{n:064d}": "x" * 512 for n in range(16)}})
        for metadata in ({str(n): "x" for n in range(17)}, {"x" * 65: ""}, {"x": "x" * 513}):
            assert refusal(schema, {**body, "metadata": metadata})[0] == "metadata"

    @pytest.mark.parametrize("tier", [[1], {"a": 1}, {"said": "…"}, 5, True])
    def test_a_service_tier_is_a_string(self, schema, body, tier, refusal: Refusal):
        assert refusal(schema, {**body, "service_tier": tier}) == (
            "service_tier",
            "service_tier must be a string",
        )
