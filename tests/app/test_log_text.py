"""Log lines for people: one line each, with names, and nothing that controls a terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.log_text import MAX_VALUE_CHARS, render


def line(event: str, level: str = "info", has_colours: bool = False, **fields: Any) -> str:
    """Return the line of an event, without its time."""
    text = render(
        {**fields, "event": event, "level": level, "timestamp": "2026-11-29T16:35:21.178371Z"}, has_colours
    )
    assert re.match(r"(\x1b\[2m)?\d\d:\d\d:\d\d", text)
    return text.partition(" ")[2]


REQUEST = {
    "request_id": "ba30613a-a72c-4da3-92c2-75677ef0b39d",
    "method": "POST",
    "endpoint": "/v1/chat/completions",
    "key": "key_7e0b851ca232",
    "key_name": "ann",
    "at_ms": 1795970121156,
    "account": "acct_6f178edc115d",
    "account_name": "main",
    "model": "gpt-5.5",
    "status": 200,
    "attempts": 1,
    "total_ms": 1033,
    "source": "upstream",
    "cost": 12_500,
    "price": "gpt-5.5",
    "input_tokens": 1500,
    "output_tokens": 11,
    "cached_tokens": 0,
    "reasoning_tokens": 0,
    "first_ms": 12,
    "outcome": 200,
    "poolgate_request_id": "req_5f9557f51765db9bbb3c2f65",
}


class TestRequests:
    def test_a_request_that_went_well(self) -> None:
        assert line("request_ended", **REQUEST) == (
            "info    request_ended 200 POST /v1/chat/completions key=ann account=main model=gpt-5.5"
            " 1,500+11 tokens $0.0125 1,033 ms id=req_5f9557f51765db9bbb3c2f65"
        )

    def test_it_has_no_names_of_internal_fields(self) -> None:
        internal = {"ceiling_cost": 590, "counted_by": "bytes/4", "stopped": "budget", "unreported": "failed"}
        known = {"asked": "fast", "queued_ms": 1200, "error": "upstream_reset"}
        text = line("request_ended", **REQUEST | internal | known)

        assert text == (
            "info    request_ended 200 POST /v1/chat/completions key=ann account=main model=gpt-5.5"
            " error=upstream_reset requested=fast 1,500+11 tokens (estimated) $0.0125 1,033 ms"
            " (1,200 ms in the queue) id=req_5f9557f51765db9bbb3c2f65"
        )

    def test_one_that_failed_over_has_the_number_of_attempts(self) -> None:
        text = line("request_ended", **REQUEST | {"attempts": 2, "outcome": 499})

        assert text.endswith("attempts=2 outcome=499 id=req_5f9557f51765db9bbb3c2f65")

    def test_what_is_no_request_to_a_model_has_no_id_to_explain(self) -> None:
        text = line(
            "request_ended",
            request_id="abc",
            method="GET",
            endpoint="/v1/models",
            status=429,
            code="rate_limit_exceeded",
            total_ms=8,
        )

        assert text.endswith(" 429 GET /v1/models code=rate_limit_exceeded 8 ms x-request-id=abc")


class TestEvents:
    def test_names_replace_ids_where_they_are_known(self) -> None:
        assert (
            line("tokens_renewed", pool="default", account="acct_1", account_name="main", rotation=3)
            == "info    tokens_renewed pool=default account=main rotation=3"
        )
        assert line("lease_lost", "warning", account="acct_1") == "warning lease_lost account=acct_1"

    def test_a_message_of_a_library(self) -> None:
        assert line("urllib3.pool", "warning", message="pool is full") == "warning urllib3.pool: pool is full"

    def test_lists_and_objects_are_json(self) -> None:
        assert line("x", names=["a", "b"], at=object()) == 'info    x names=["a", "b"] at="object"'

    def test_empty_fields_are_left_out(self) -> None:
        assert line("x", a="", b=None, c=[], d=0) == "info    x d=0"


class TestTerminal:
    @pytest.mark.parametrize("control", ["\x1b[2J", "\n", "\r", "\x9b1m", "\u2028", "\x00"])
    def test_control_characters_are_escaped(self, control: str) -> None:
        text = line("x", model=f"a{control}b", message=control)

        assert text.isprintable()

    def test_long_values_are_cut(self) -> None:
        assert len(line("x", model="m" * 10_000)) < MAX_VALUE_CHARS + 30

    @pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
    def test_colours_are_the_only_difference(self, level: str) -> None:
        coloured, plain = line("x", level, has_colours=True, a=1), line("x", level, a=1)

        assert "\x1b[" in coloured
        assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
