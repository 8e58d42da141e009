"""The ledger and the upstreams' own counts, side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream

REQUESTS = 60
WARM_UP = 3
LEFT = 8
WORDS = "a line of words that a model could send one after another until it is done with this"


def test_finished_responses_are_recorded_to_the_token(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Over two accounts, both wires, streamed and whole."""
    accounts = {
        name: pool.account(name, upstream.base_url(name), kind="compatible", protocols=wires).id
        for name, wires in {"east": ("chat",), "west": ("responses",)}.items()
    }
    key = pool.key()

    def send_request(number: int) -> int:
        endpoint = ("chat", "responses")[number % 2]
        chat = {"messages": [{"role": "user", "content": WORDS[:number]}]}
        question = chat if endpoint == "chat" else {"input": WORDS[:number]}
        body = {
            **BODIES[endpoint],
            **question.get(endpoint, {"input": WORDS[:number]}),
            "stream": number % 3 == 0,
        }
        return pool.post(PATHS[endpoint], body, key).status_code

    with ThreadPoolExecutor(8) as clients:
        assert set(clients.map(send_request, range(1, REQUESTS + 1))) == {200}

    rows = pool.wait_for_rows(REQUESTS)
    for name, billed in upstream.billed().items():
        own_pool = [row for row in rows if row["account"] == accounts[name]]
        assert len(own_pool) == billed["requests"]
        for figure in ("input_tokens", "output_tokens"):
            assert sum(row[figure] for row in own_pool) == billed[figure]
    assert len({row["id"] for row in rows}) == REQUESTS


def test_an_abandoned_response_is_recorded_by_its_pieces(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "text", "text": WORDS, "deltas": 17, "at": {"9": [{"gate": "on"}]}})

    with pool.post(PATHS["chat"], {**BODIES["chat"], "stream": True}, pool.key(), stream=True) as response:
        upstream.wait_for(gate="on")
        assert response.raw.read1()

    (row,) = pool.wait_for_rows(1)
    assert (row["status"], row["source"], row["counted_by"]) == (499, "estimated", "deltas")
    assert row["output_tokens"] == upstream.billed()["a"]["output_tokens"] == 9


def test_what_clients_left_is_within_two_percent(
    redis_url: str, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    """The upstream's count of earlier requests corrects the guess of what it read."""
    with running_gateway(redis_url, tmp_path, workers=1) as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        key = pool.key()
        question = {**BODIES["chat"], "messages": [{"role": "user", "content": WORDS * 20}]}
        for _ in range(WARM_UP):
            assert pool.post(PATHS["chat"], question, key).ok
        pool.wait_for_rows(WARM_UP)
        before = upstream.billed()["a"]
        upstream.script({"play": "text", "text": WORDS, "deltas": 17, "at": {"9": [{"stall": True}]}})

        for number in range(1, LEFT + 1):
            with pool.post(PATHS["chat"], {**question, "stream": True}, key, stream=True) as response:
                upstream.wait_for(WARM_UP + number)
                assert response.raw.read1()

        rows = pool.wait_for_rows(WARM_UP + LEFT)[WARM_UP:]
    after = upstream.billed()["a"]
    assert {row["source"] for row in rows} == {"estimated"}
    for figure in ("input_tokens", "output_tokens"):
        billed = after[figure] - before[figure]
        assert abs(sum(row[figure] for row in rows) - billed) <= 0.02 * billed
