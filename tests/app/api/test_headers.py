from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, Request

from app.api.headers import GatewayRequest, header_value, name_of, variable_of

GIVEN = {"X-Codex-Turn": "1", "Content-Type": "text/plain", "Content-Length": "0", "Session_id": "s"}
NAMES = ["x-codex-turn", "X-CODEX-TURN", "content-type", "Content-Length", "session-id", "absent", "Host"]


def made(kind: type[Request]) -> Request:
    with Flask("test").test_request_context("/", headers=GIVEN) as context:
        return kind(context.request.environ)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("more", [(), ("default",), (None, int)])
def test_finds_the_same_as_flask(name: str, more: Any) -> None:
    optimized, reference = made(GatewayRequest), made(Request)

    assert optimized.headers.get(name, *more) == reference.headers.get(name, *more)
    assert (name in optimized.headers) == (name in reference.headers)


def test_the_others_are_as_ever() -> None:
    assert list(made(GatewayRequest).headers) == list(made(Request).headers)


def test_a_variable_has_its_name_back() -> None:
    assert name_of(variable_of("x-codex-turn-state")) == "X-Codex-Turn-State"


def test_a_name_as_a_header_can_carry_it() -> None:
    assert header_value("ann.work@home+1") == "ann.work@home+1"
    assert header_value("名前@a") == "%E5%90%8D%E5%89%8D@a"
