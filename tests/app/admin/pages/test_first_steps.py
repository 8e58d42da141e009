"""The first steps, and the request at their end."""

from __future__ import annotations

import pytest

from app.admin.pages import self_test
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor
from tests.support.ports import free_port

HOME = f"/admin/p/{POOL}/start"


class TestSteps:
    def test_one_after_the_other(self, inside: Visitor, pool: Furnished) -> None:
        assert "/accounts/add" in inside.get(HOME).text
        pool.account("main")
        assert "/keys/create?guided=1" in inside.get(HOME).text
        pool.key("ann")
        assert "Send a test request" in inside.get(HOME).text

    def test_a_request_needs_a_key_and_a_model(self, inside: Visitor, pool: Furnished) -> None:
        pool.account("main")
        pool.key("ann")

        response = inside.send(HOME, {"key": "clé", "model": " "})

        assert response.status_code == 400
        for field in ("key", "model"):
            assert f'id="{field}-error"' in response.text
        assert "clé" not in response.text

    def test_nothing_is_sent_before_there_is_a_key(self, inside: Visitor, pool: Furnished) -> None:
        pool.account("main")

        assert inside.send(HOME, {"key": "sk-pg-x", "model": "m"}).status_code == 200


class TestTrial:
    def test_the_port_is_closed(self) -> None:
        assert self_test.run_self_test("127.0.0.1", free_port(), "sk-pg-x", "m") == self_test.SelfTestResult(
            False, "the gateway did not answer in time"
        )

    @pytest.mark.parametrize(
        ("status", "body", "ok"),
        [
            (200, {"choices": [{"message": {"content": "ok"}}]}, True),
            (200, {"choices": [{"message": {"content": None}}]}, True),
            (200, {"choices": []}, False),
            (200, None, False),
            (429, {"error": {"message": "spent"}}, False),
            (502, {"error": "odd"}, False),
        ],
    )
    def test_what_is_shown_of_a_response(self, status: int, body: object, ok: bool) -> None:
        assert self_test._read_result(status, body).ok is ok
