"""An account whose credential was refused comes back by the background workers, and serves again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.stores import keys
from tests.service.test_verdicts import WELL, refused, send_request
from tests.support.gateway import Gateway, background_worker, running_gateway
from tests.support.processes import eventually
from tests.support.redis import private_redis
from tests.support.retest_times import pass_time
from tests.support.upstream_client import ScriptedUpstream

MODELS = "/v1/models"
LIST = {"play": "json", "status": 200, "body": {"data": [{"id": "m"}]}}
NO = refused(401, code="invalid_api_key")
SECONDS = 60.0  # for a worker to look: it does every five


def runs_of_retest(gateway: Gateway) -> Any:
    """Return what the job left when it ran last; None: it has not."""
    return gateway.services.scripts.client.hget(keys.JOB_RUNS, "retest")


def queries(upstream: ScriptedUpstream) -> int:
    return len([seen for seen in upstream.log("ann") if seen.path.endswith(MODELS)])


def brought_back(gateway: Gateway) -> list[str]:
    entries = gateway.services.audit.page().entries
    return [entry["object"] for entry in entries if entry["action"] == "account.retest"]


def test_two_workers_bring_it_back(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    """Not before 10 minutes have passed, not while it is refused, and once."""
    with ExitStack() as running:
        url = running.enter_context(private_redis())
        gateway = running.enter_context(running_gateway(url, tmp_path, workers=1))
        pool = gateway.pool()
        client: Any = gateway.services.scripts.client
        ann, key = pool.account("ann", upstream.base_url("ann")), pool.key()
        upstream.script(NO, account="ann")
        upstream.script(NO, account="ann", path=MODELS)
        assert send_request(pool, key).status_code == 502
        assert pool.states() == {"ann": "credential_dead"}

        for _ in range(2):
            running.enter_context(background_worker(gateway))
        assert eventually(lambda: runs_of_retest(gateway), SECONDS)
        assert queries(upstream) == 0

        pass_time(client, pool.name, ann.id, 601)
        assert eventually(lambda: queries(upstream) == 1, SECONDS)
        assert send_request(pool, key).status_code == 503

        upstream.script(LIST, account="ann", path=MODELS)
        upstream.script(WELL, account="ann")
        pass_time(client, pool.name, ann.id, 601)
        assert eventually(lambda: pool.states() == {"ann": "active"}, SECONDS)
        assert eventually(lambda: brought_back(gateway) == ["ann"])

        response = send_request(pool, key)
        assert (response.status_code, response.headers["x-poolgate-account"]) == (200, "ann")
        assert [send_request(pool, key).status_code for _ in range(3)] == [200] * 3
        assert pool.states() == {"ann": "active"}
