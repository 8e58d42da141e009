"""One tiny request to one account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.accounts.account import Account
from app.errors import InvalidRequest
from app.operations.account_check import example_model, model_for

POOL = "default"


def add(operations, url, **more):
    fields = {"kind": "openai", "name": "main", "base_url": url, "models": ["gpt-5-mini"], **more}
    return operations.accounts.add(POOL, fields, credential="sk-x", chatgpt_account_id=more.pop("of", ""))


@pytest.mark.parametrize("wires", [["chat"], ["responses"]])
def test_it_answers(operations, services, upstream, wires):
    add(operations, upstream.base_url("a"), wires=wires)

    check = operations.accounts.test(POOL, "main")

    assert (check.ok, check.model, check.status, check.error) == (True, "gpt-5-mini", 200, None)
    assert check.total_ms >= check.first_ms >= 0
    entry = services.audit.page().entries[0]
    assert (entry["action"], entry["model"], entry["ok"]) == ("account.test", "gpt-5-mini", True)


def test_it_refuses(operations, upstream):
    add(operations, upstream.base_url("a"))
    upstream.script({"play": "http_error", "status": 401}, account="a")
    check = operations.accounts.test(POOL, "main")

    assert (check.ok, check.status) == (False, 401)
    assert check.error["message"]


@pytest.mark.parametrize(("status", "unproven"), [(401, "credential"), (400, ""), (200, "")])
def test_after_a_refused_test_it_comes_last(operations, services, upstream, status, unproven):
    """Until a test or a request is answered, although it has listed its models."""
    added = add(operations, upstream.base_url("a"))
    services.accounts.observe(POOL, added.id, {}, answered=True)
    if status != 200:
        upstream.script({"play": "http_error", "status": status}, account="a", repeat="once")
    operations.accounts.test(POOL, "main")
    assert services.accounts.find(POOL, "main").unproven == unproven

    assert operations.accounts.test(POOL, "main").ok
    assert services.accounts.find(POOL, "main").unproven == ""


def test_a_page_is_no_response(operations, upstream):
    """It is judged as for any request: a proxy or a login page answered, and nothing was cut."""
    add(operations, upstream.base_url("a"))
    page = {"headers": {"content-type": "text/html"}, "steps": [{"send": "<html>Sign in</html>"}]}
    upstream.script(page, account="a")

    result = operations.accounts.test(POOL, "main")

    assert (result.ok, result.failure) == (False, "garbled")
    assert "text/html" in result.error["message"]


def test_the_upstream_is_unreachable(operations):
    add(operations, "http://127.0.0.1:1/v1")

    check = operations.accounts.test(POOL, "main", "some-model")

    assert (check.ok, check.status, check.model) == (False, None, "some-model")
    assert check.error["code"] == "upstream_unavailable"


def test_a_paused_account_can_be_tried(operations, upstream):
    add(operations, upstream.base_url("a"))
    operations.accounts.pause(POOL, "main")

    assert operations.accounts.test(POOL, "main").ok


class TestModel:
    def account(self, **more):
        return Account("a", "a", "openai", "http://x", **more)

    def test_a_cheap_one_for_text(self):
        listed = ("gpt-5", "gpt-5-mini", "gpt-4o-mini-tts", "text-embedding-3-small")

        assert model_for(self.account(listed=listed)) == "gpt-5-mini"
        assert model_for(self.account(models=("o3",), listed=listed)) == "o3"

    def test_none_is_known(self):
        with pytest.raises(InvalidRequest) as refused:
            model_for(self.account(models=("gpt-*",)))
        assert refused.value.param == "model"


def test_an_example_names_a_model_of_an_account_that_works() -> None:
    """The model of an account whose test failed is named where there is no other."""
    failed = Account("a", "a", "openai", "http://up.test", models=("m1",), unproven="credential")
    demo = Account("d", "d", "demo", "http://up.test", models=("demo",))

    assert example_model([failed, demo]) == "demo"
    assert example_model([replace(failed, unproven=""), demo]) == "m1"
    assert example_model([failed]) == "m1"
