"""A request goes to an account that supports all fields, and is refused by field if there is none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.test_common_rules import error_of
from tests.service.test_model_responses import CHAT, PATHS, RESPONSES
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

NATIVE: list[tuple[str, dict[str, Any], str]] = [
    (PATHS["responses"], {**RESPONSES, "background": True}, "background"),
    (PATHS["responses"], {**RESPONSES, "prompt": {"id": "pmpt_1"}}, "prompt"),
    (PATHS["responses"], {**RESPONSES, "top_logprobs": 2}, "top_logprobs"),
    (PATHS["chat"], {**CHAT, "logprobs": True}, "logprobs"),
]


@pytest.mark.parametrize(("path", "body", "field"), NATIVE)
class TestWhatASignInCannot:
    @pytest.fixture
    def pool(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
        base_url = f"{upstream.root_url('signed-in')}/backend-api"
        pool.account("signed-in", base_url, kind="chatgpt", chatgpt_account_id="acc-1", weight=100)
        return pool

    def test_is_done_by_an_account_that_can(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str, body: dict[str, Any], field: str
    ) -> None:
        pool.account("key", upstream.base_url("key"))

        served = {pool.post(path, body, pool.key(f"k{n}")).headers["x-poolgate-account"] for n in range(3)}

        assert served == {"key"}

    def test_is_refused_by_name(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str, body: dict[str, Any], field: str
    ) -> None:
        response = pool.post(path, body, pool.key())

        assert (response.status_code, error_of(response)["param"]) == (400, field)
        assert upstream.log() == []

    def test_waits_for_an_account_that_can_and_is_out(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str, body: dict[str, Any], field: str
    ) -> None:
        """Nothing is wrong with the request: who sends it later is served."""
        pool.account("key", upstream.base_url("key"))
        pool.gateway.services.accounts.pause(pool.name, "key")

        response = pool.post(path, body, pool.key())

        assert (response.status_code, error_of(response)["code"]) == (503, "no_accounts")
