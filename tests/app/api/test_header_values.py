"""Whatever names and numbers a response reports, its headers are valid in HTTP."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from flask import Flask, Response
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.kinds import KINDS
from app.api import cache_headers, request_ids
from app.api.codex_headers import window_headers
from app.api.model_responses import header_value, response_headers
from app.api.ratelimit import ratelimit_headers
from app.relay.content_types import passing_type
from app.relay.fallbacks import ServedBy
from app.stores.records.admission import LimitStanding
from app.stores.records.usage import UpstreamWindow
from app.translation.requests.field_support import ignored_fields
from schemas.bounds import MAX_TOKENS
from tests.support.relay import make_request

texts = st.text() | st.text(st.characters(categories=["Cc", "Cs", "Lo", "So"]), max_size=8)
numbers = st.integers(-MAX_TOKENS, MAX_TOKENS)
percents = st.floats(0, 1e12, allow_nan=False)


def assert_sendable(headers: Any) -> None:
    for name, value in dict(headers).items():
        assert value.isascii(), (name, value)
        assert value.isprintable(), (name, value)


@given(texts)
def test_any_text(text: str) -> None:
    assert_sendable({"x": header_value(text)})


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_text_is_left_as_it_is(text: str) -> None:
    assert header_value(text) == text


@given(account=texts, named=st.lists(texts, max_size=4), standing=st.tuples(numbers, numbers, numbers))
def test_how_a_request_was_served(account: str, named: list[str], standing: tuple[int, int, int]) -> None:
    limits = [LimitStanding("lim", "requests", "day", *standing)]
    chain = SimpleNamespace(served_by=lambda: ServedBy(make_request(), account, "openai", limits, 0.0, named))

    assert_sendable(response_headers(chain))  # type: ignore[arg-type]


@given(fields=st.dictionaries(texts, st.integers() | texts), kind=st.sampled_from(["chatgpt", "compatible"]))
def test_fields_without_effect(fields: dict[str, Any], kind: str) -> None:
    for endpoint in ("chat", "responses"):
        assert_sendable(
            {"x": ", ".join(ignored_fields(endpoint, KINDS[kind].dialect, fields, KINDS[kind].protocols))}
        )


@given(
    st.lists(st.tuples(st.sampled_from(["requests", "input_tokens"]), numbers, numbers, numbers), max_size=3)
)
def test_limits(standings: list[tuple[str, int, int, int]]) -> None:
    rows = [LimitStanding("lim", what, "day", *figures) for what, *figures in standings]
    assert_sendable(ratelimit_headers(rows, 1.0))


@given(st.none() | st.builds(UpstreamWindow, percents, st.none() | numbers, st.none() | numbers))
def test_windows(window: UpstreamWindow | None) -> None:
    assert_sendable(window_headers([window, window]))


@given(texts)
def test_content_types_of_upstreams(kind: str) -> None:
    assert_sendable({"Content-Type": passing_type({"Content-Type": kind})})


@given(st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n\0")))
def test_request_ids_and_cache_headers(given_id: str) -> None:
    """WSGI passes headers as Latin-1."""
    app = Flask("test")
    environ = {"HTTP_X_REQUEST_ID": given_id, "HTTP_X_BF_CACHE_THRESHOLD": given_id}
    with app.test_request_context("/", environ_overrides=environ):
        request_ids._receive()
        response = request_ids._send(Response())
        cache_headers.report_ignored(response)

    assert_sendable(response.headers)
