"""What an operator sees: counters over all processes, and one line in the log for each request."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from app.api import metrics as exposed
from tests.service.test_model_responses import BODIES, CHAT, PATHS
from tests.service.test_model_routes import set_route, target
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.guide import page
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream
from tests.support.websocket import socket_of

TOKEN = "whoever-knows-this"
SECRET_WORDS = "a-word-from-a-prompt"
WORKERS = 2
DOCUMENTED = dict(re.findall(r"^\| `(poolgate_[a-z_]+)` \| (.*?) \|", page("monitoring"), re.M))


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "stderr"


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory, log_file: Path) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("home")
    env = {"POOLGATE_METRICS_TOKEN": TOKEN, "POOLGATE_LOG_LEVEL": "info"}
    with (
        log_file.open("wb") as stderr,
        running_gateway(redis_url, home, workers=WORKERS, stderr=stderr, **env) as running,
    ):
        yield running


@pytest.fixture
def pool(gateway: Gateway) -> PoolOfTest:
    return gateway.pool()


def families(gateway: Gateway) -> list[Metric]:
    response = requests.get(
        gateway.url + "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
    )
    assert response.status_code == 200
    return list(text_string_to_metric_families(response.text))


def metrics(gateway: Gateway) -> dict[str, float]:
    """Every sample by its name and labels."""
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in families(gateway)
        for sample in family.samples
    }


def lines(log_file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in log_file.read_bytes().splitlines() if b"request_ended" in line]


def line_of(log_file: Path, request_id: str) -> dict[str, Any]:
    assert eventually(lambda: any(each["request_id"] == request_id for each in lines(log_file)), 5)
    (line,) = [each for each in lines(log_file) if each["request_id"] == request_id]
    return line


def test_counters_are_sums_over_all_processes(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("bad", upstream.base_url("bad"))
    pool.account("good", upstream.base_url("good"))
    upstream.script({"play": "http_error", "status": 503}, account="bad")
    upstream.script({"play": "text", "usage": {"input_tokens": 10, "output_tokens": 2}}, account="good")
    key = pool.key()
    route = PATHS["chat"]
    before = metrics(pool.gateway)

    for _ in range(8):
        assert pool.post(route, BODIES["chat"], key).status_code == 200
    assert pool.post(route, {}, key).status_code == 400

    def grown(name: str) -> float:
        return metrics(pool.gateway).get(name, 0) - before.get(name, 0)

    assert eventually(lambda: grown(f"poolgate_request_seconds_count {route}") == 9, 5)
    assert grown(f"poolgate_requests_total {route} 200") == 8
    assert grown(f"poolgate_requests_total {route} 400") == 1
    assert grown("poolgate_tokens_total input_tokens") == 80
    assert grown("poolgate_tokens_total output_tokens") == 16
    assert grown("poolgate_upstream_attempts_total ok") == 8
    assert grown(f"poolgate_first_event_seconds_count {route}") == 8
    assert eventually(lambda: metrics(pool.gateway)["poolgate_requests_open"] == 0)


def test_attempts_of_all_models_are_counted(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    first, last = (pool.account(name, upstream.base_url(name), kind="compatible") for name in "ab")
    upstream.script({"play": "http_error", "status": 500}, account="a")
    set_route(pool, "fast", target("m", first), target("n", last))

    def attempts() -> float:
        counted = metrics(pool.gateway)
        return sum(counted[name] for name in counted if name.startswith("poolgate_upstream_attempts_total "))

    before = attempts()

    assert pool.post(PATHS["chat"], CHAT | {"model": "fast"}, pool.key()).status_code == 200

    expected = sum(len(row["attempts"]) for row in pool.wait_for_rows(2))
    assert eventually(lambda: attempts() - before == expected, 5), attempts() - before


def test_the_readme_names_every_metric_and_label(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    pool.post(PATHS["chat"], {**CHAT, "stream": True}, pool.key())
    pool.post(PATHS["chat"], CHAT, "nobody's")
    with socket_of(pool, pool.key("socket")):
        pass

    reply = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in DOCUMENTED.items()}

    def found() -> dict[str, set[str]]:
        names: dict[str, set[str]] = {}
        for family in families(pool.gateway):
            name = family.name + "_total" * (family.type == "counter")
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            if not family.samples:  # there is no webhook, for example: no label to compare
                labels = reply.get(name, set())
            names.setdefault(name, set()).update(labels)
        return names

    assert eventually(lambda: found() == reply, 10), (found(), reply)


def test_a_websocket(pool: PoolOfTest, upstream: ScriptedUpstream, log_file: Path) -> None:
    """Each of its requests has a line, and so has its end."""
    pool.account("a", upstream.base_url())
    key = pool.key()
    key_id = pool.gateway.services.api_keys.find(pool.name, "k").id
    with socket_of(pool, key) as client:
        client.respond(SECRET_WORDS)
        assert eventually(lambda: metrics(pool.gateway)["poolgate_websockets_open"] >= 1, 5)

    def ends() -> list[dict[str, Any]]:
        found = [
            orjson.loads(line) for line in log_file.read_bytes().splitlines() if b"websocket_ended" in line
        ]
        return [line for line in found if line["key"] == key_id]

    assert eventually(lambda: len(ends()) == 1, 5)
    (end,) = ends()
    assert (end["code"], end["received"], end["responses"]) == (1000, 1, 1)
    assert end["sent"] > 2
    (row,) = pool.wait_for_rows(1)
    request = next(line for line in lines(log_file) if line.get("poolgate_request_id") == row["id"])
    assert (request["transport"], request["method"], request["endpoint"]) == (
        "websocket",
        "POST",
        "/v1/responses",
    )
    assert SECRET_WORDS.encode() not in log_file.read_bytes()


def test_accounts_are_counted_by_state_and_leases_while_they_are_held(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    before = metrics(pool.gateway)
    pool.account("a", upstream.base_url())
    dead = pool.account("b", upstream.base_url("b"))
    pool.gateway.services.accounts.pause(pool.name, dead.name)
    upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
    with pool.post(PATHS["chat"], {**CHAT, "stream": True}, pool.key(), stream=True) as response:
        upstream.wait_for(gate="go")
        now = metrics(pool.gateway)
        upstream.release("go")
        assert response.text

    assert now["poolgate_accounts active"] - before["poolgate_accounts active"] == 1
    assert now["poolgate_accounts paused"] - before["poolgate_accounts paused"] == 1
    assert now["poolgate_leases_open"] - before["poolgate_leases_open"] == 1
    assert now["poolgate_store_up"] == 1
    assert now["poolgate_settlements_waiting"] == now["poolgate_spool_files"] == 0


def test_a_dead_process_has_nothing_open_and_what_it_counted_stays(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.account("a", upstream.base_url())
    key = pool.key()
    ended = f"poolgate_requests_total {PATHS['chat']} 200"
    before = metrics(pool.gateway).get(ended, 0)
    assert pool.post(PATHS["chat"], CHAT, key).status_code == 200
    assert eventually(lambda: metrics(pool.gateway).get(ended, 0) > before)
    counted = metrics(pool.gateway)[ended]
    upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
    with pool.post(PATHS["chat"], {**CHAT, "stream": True}, key, stream=True):
        upstream.wait_for(gate="go")
        assert eventually(lambda: metrics(pool.gateway)["poolgate_requests_open"] == 1)
        for worker in pool.gateway.children():
            os.kill(worker, signal.SIGKILL)

        assert eventually(lambda: metrics(pool.gateway)["poolgate_requests_open"] == 0)
    assert metrics(pool.gateway)[ended] >= counted


def test_names_of_others_become_no_labels(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("an-account", upstream.base_url())
    error = {"error": {"code": "any_word_of_theirs", "message": "no", "type": "t"}}
    upstream.script({"play": "http_error", "status": 400, "body": error})

    pool.post(PATHS["chat"], {**CHAT, "model": "any-model"}, pool.key("a-key"))
    pool.get("/v1/nowhere/at-all")

    found = list(metrics(pool.gateway))
    for word in ("any_word_of_theirs", "any-model", "a-key", "nowhere"):
        assert not [name for name in found if word in name]
    named = {name.partition(" ")[0] for name in found if "an-account" in name}
    assert named == {"poolgate_account_attempts_total", "poolgate_account_rescues_total"}  # one account each


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong"])
def test_metrics_need_the_token(gateway: Gateway, token: str) -> None:
    response = requests.get(gateway.url + "/metrics", headers={"Authorization": token}, timeout=10)

    assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("stream", [True, False])
def test_a_request_is_one_line(
    pool: PoolOfTest, upstream: ScriptedUpstream, log_file: Path, stream: bool
) -> None:
    account = pool.account("a", upstream.base_url())
    upstream.script({"play": "text", "usage": {"input_tokens": 10, "output_tokens": 2}})
    messages = [{"role": "user", "content": SECRET_WORDS}]
    key = pool.key()
    response = pool.post(PATHS["chat"], {**CHAT, "messages": messages, "stream": stream}, key)

    line = line_of(log_file, response.headers["x-request-id"])

    assert line["poolgate_request_id"] == response.headers["x-poolgate-request-id"]
    assert (line["account"], line["model"], line["endpoint"]) == (account.id, CHAT["model"], PATHS["chat"])
    assert (line["status"], line["outcome"], line["attempts"]) == (200, 200, 1)
    assert (line["input_tokens"], line["output_tokens"]) == (10, 2)
    assert 0 <= line["first_ms"] <= line["total_ms"]
    written = log_file.read_text()
    assert SECRET_WORDS not in written
    assert key not in written


def test_a_refusal_is_one_too(pool: PoolOfTest, log_file: Path) -> None:
    refused = pool.post(PATHS["chat"], CHAT, "sk-pg-default-nonsense")

    line = line_of(log_file, refused.headers["x-request-id"])

    assert (line["status"], line["method"], line["endpoint"]) == (401, "POST", PATHS["chat"])
    assert "account" not in line


def test_a_failure_after_which_the_last_model_did_not_admit_it(
    pool: PoolOfTest, upstream: ScriptedUpstream, log_file: Path
) -> None:
    """Its line is about the model that failed, with the id of its entry in the ledger."""
    first, last = (pool.account(name, upstream.base_url(name), kind="compatible") for name in "ab")
    upstream.script({"play": "http_error", "status": 500}, account="a")
    pool.gateway.services.accounts.pause(pool.name, last.name)
    set_route(pool, "fast", target("m", first), target("n", last))

    failed = pool.post(PATHS["chat"], CHAT | {"model": "fast"}, pool.key())

    line = line_of(log_file, failed.headers["x-request-id"])
    (row,) = pool.wait_for_rows(1)
    assert line["poolgate_request_id"] == row["id"] == failed.headers["x-poolgate-request-id"]
    assert (line["account"], line["account_name"]) == (first.id, first.name)
    assert (line["model"], line["asked"]) == ("m", "fast")
    assert (line["status"], line["outcome"]) == (failed.status_code, row["status"])
    assert line["attempts"] == len(row["attempts"])


def test_a_replay_has_the_model_and_the_id_of_the_first_response(
    pool: PoolOfTest, upstream: ScriptedUpstream, log_file: Path
) -> None:
    pool.account("a", upstream.base_url())
    key, headers = pool.key(), {"Idempotency-Key": "once"}
    first, repeat = (pool.post(PATHS["chat"], CHAT, key, headers=headers) for _ in range(2))

    def of_request() -> list[dict[str, Any]]:
        return [line for line in lines(log_file) if line["request_id"] == first.headers["x-request-id"]]

    assert eventually(lambda: len(of_request()) == 2, 5)
    (line,) = [line for line in of_request() if line.get("replayed")]
    assert line["poolgate_request_id"] == repeat.headers["x-poolgate-request-id"]
    assert (line["model"], line["status"]) == (CHAT["model"], 200)


def test_probes_are_not_worth_a_line(gateway: Gateway, log_file: Path) -> None:
    before = len(lines(log_file))
    requests.get(gateway.url + "/health/ready", timeout=10)
    metrics(gateway)

    assert len(lines(log_file)) == before


def test_open_metrics_are_made_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anyone may request them where no token is set, and they take milliseconds."""
    made: list[int] = []

    def current() -> bytes:
        made.append(1)
        return b"poolgate"

    monkeypatch.setattr(exposed, "_current", current)
    exposed._recent.cache_clear()
    assert [exposed._recent(period) for period in (1, 1, 1, 2)] == [b"poolgate"] * 4
    exposed._recent.cache_clear()

    assert len(made) == 2


def test_keys_are_counted_by_all_processes(
    redis_url: str, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    """Two have series of their own, in every process; these outlive the processes and the keys."""
    env = {"POOLGATE_METRICS_TOKEN": TOKEN, "POOLGATE_METRICS_KEYS": "2"}
    with running_gateway(redis_url, tmp_path, workers=WORKERS, **env) as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "usage": {"input_tokens": 10, "output_tokens": 2}})
        secrets = {name: pool.key(name) for name in ("ann", "bea", "carl", "dan")}
        for secret in secrets.values():
            for _ in range(6):
                assert pool.post(PATHS["chat"], CHAT, secret).status_code == 200
        assert pool.post(PATHS["chat"], {}, secrets["ann"]).status_code == 400

        def counted(of: str = "requests", label: str = "outcome") -> dict[tuple[str, str], float]:
            (family,) = [one for one in families(gateway) if one.name == f"poolgate_key_{of}"]
            return {(one.labels["key"], one.labels[label]): one.value for one in family.samples}

        expected = {("ann", "ok"): 6, ("ann", "refused"): 1, ("bea", "ok"): 6, ("(other)", "ok"): 12}
        assert eventually(lambda: counted() == expected, 5), counted()
        assert counted("tokens", "what")["bea", "input_tokens"] == 60
        gateway.services.api_keys.remove(pool.name, "ann")
        for worker in gateway.children():
            os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: pool.post(PATHS["chat"], CHAT, secrets["carl"]).status_code == 200, 10)
        assert eventually(lambda: counted() == expected | {("(other)", "ok"): 13}, 5), counted()
