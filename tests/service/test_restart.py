"""A stream that was cut goes on with another account's response, where its caller chose so."""

from __future__ import annotations

import pytest

from tests.service.test_failover import try_bad_first
from tests.service.test_model_responses import BODIES, PATHS, events_of, streamed_text
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

TEXT = "The whole of it, from one end to the other."
CUT = {"play": "text", "text": TEXT, "deltas": 9, "at": {"4": [{"reset": True}]}}
RESTART = {"x-poolgate-on-cut": "restart"}


@pytest.fixture
def two(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    pool.account("bad", upstream.base_url("bad"))
    pool.account("good", upstream.base_url("good"))
    try_bad_first(pool)
    upstream.script(CUT, account="bad")
    return pool


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_the_same_response_is_gone_on_with(
    two: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
) -> None:
    upstream.script({"play": "text", "text": TEXT, "deltas": 5}, account="good")

    response = two.post(PATHS[endpoint], {**BODIES[endpoint], "stream": True}, two.key(), headers=RESTART)

    events = events_of(response.text)
    assert streamed_text(endpoint, events) == TEXT
    assert not any("error" in event for event in events if endpoint == "chat" and event != "[DONE]")
    (row,) = two.wait_for_rows(1)
    assert (row["status"], len(row["attempts"]), row["source"]) == (200, 2, "estimated")
    cut = row["attempts"][0]
    assert cut["output_tokens"] > 0
    assert row["unreported"] == "failed"
    assert two.open_leases() == 0


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_another_response_is_not(two: PoolOfTest, upstream: ScriptedUpstream, endpoint: str) -> None:
    upstream.script({"play": "text", "text": "Something else altogether, by chance."}, account="good")

    response = two.post(PATHS[endpoint], {**BODIES[endpoint], "stream": True}, two.key(), headers=RESTART)

    events = events_of(response.text)
    assert TEXT.startswith(streamed_text(endpoint, [event for event in events if "error" not in event]))
    failed = events[-2]["error"] if endpoint == "chat" else events[-1]["response"]["error"]
    assert failed["code"] == "stream_incomplete"
    assert set(two.states().values()) <= {"active", "suspected"}


def test_without_that_choice_a_cut_is_reported(two: PoolOfTest, upstream: ScriptedUpstream) -> None:
    response = two.post(PATHS["chat"], {**BODIES["chat"], "stream": True}, two.key())

    assert events_of(response.text)[-2]["error"]["code"] == "stream_incomplete"
    assert [seen.account for seen in upstream.log()] == ["bad"]


def test_an_unknown_choice_is_refused(pool: PoolOfTest) -> None:
    response = pool.post(PATHS["chat"], BODIES["chat"], pool.key(), headers={"x-poolgate-on-cut": "pray"})

    assert (response.status_code, response.json()["error"]["param"]) == (400, "x-poolgate-on-cut")
