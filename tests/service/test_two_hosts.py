"""Two hosts and one Redis, and the connection between one host and Redis is cut for a while."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests
from cryptography.fernet import Fernet

from app.stores.records.limits import limits_from_json
from tests.service.test_model_responses import BODIES, PATHS, events_of
from tests.support.audit import audit
from tests.support.gateway import AS_SHIPPED, Gateway, PoolOfTest, running_gateway
from tests.support.hosts import Host, may
from tests.support.ports import free_port
from tests.support.processes import eventually
from tests.support.redis import short_folder
from tests.support.redis_server import RedisServer
from tests.support.store import limit
from tests.support.upstream_client import ScriptedUpstream
from workers import leases

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
]

RED_SECONDS, GREEN_SECONDS = 2, 5
LEASE_BACK_SECONDS = 60
REQUESTS = 30
LIMITS = (limit("n", "requests", "ever", REQUESTS), limit("at-once", "parallel_requests", "none", 3))
GATED = {"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}}


@pytest.fixture(autouse=True)
def _only_this_machine() -> None:
    """Both hosts are this machine, at addresses of their own."""


class Both:
    def __init__(self, stack: ExitStack) -> None:
        self.hosts = []
        for number in (1, 2):
            host = Host(number)
            stack.callback(host.remove)
            self.hosts.append(host)
        folder = stack.enter_context(short_folder())
        server = RedisServer(folder / "r", "--protected-mode", "no", port=free_port(), bind="0.0.0.0")
        stack.callback(server.stop)
        self.upstream = ScriptedUpstream().start("0.0.0.0")
        stack.callback(self.upstream.stop)
        for host in self.hosts:
            host.reach(self.hosts[0].outside)
        secret_key = Fernet.generate_key().decode()
        self.gateways = [
            stack.enter_context(
                running_gateway(
                    f"redis://{host.store}:{server.port}",
                    folder / host.address,
                    workers=1,
                    host=host.address,
                    inside=host.inside,
                    **AS_SHIPPED,
                    POOLGATE_SECRET_KEYS=secret_key,
                )
            )
            for host in self.hosts
        ]
        self.pool = self.gateways[0].pool()
        base_url = self.upstream.base_url().replace("127.0.0.1", self.hosts[0].outside)
        self.account = self.pool.account("a", base_url, cap=10)

    def at(self, number: int) -> PoolOfTest:
        """The same pool, through one of the hosts."""
        return PoolOfTest(self.gateways[number], self.pool.name)


@pytest.fixture
def both() -> Iterator[Both]:
    if not may():
        pytest.skip("network namespaces need root, iproute2 and the right to make them")
    with ExitStack() as stack:
        yield Both(stack)


def is_ready(gateway: Gateway) -> bool:
    return requests.get(gateway.url + "/health/ready", timeout=10).ok


def code(pool: PoolOfTest, key: str) -> str:
    response = pool.post(PATHS["chat"], BODIES["chat"], key)
    return "ok" if response.ok else str(response.json()["error"]["code"])


def test_a_host_that_is_cut_off(both: Both) -> None:
    here, there = both.at(0), both.at(1)
    known, secret = here.gateway.services.api_keys.create(here.name, "k", limits=limits_from_json(LIMITS))
    both.upstream.script(GATED, {"play": "text"})
    with there.post(PATHS["chat"], {**BODIES["chat"], "stream": True}, secret, stream=True) as response:
        both.upstream.wait_for(gate="go")

        both.hosts[1].cut()
        assert eventually(lambda: not is_ready(there.gateway), RED_SECONDS)
        assert code(there, secret) == "store_unavailable"
        assert is_ready(here.gateway)
        assert code(here, secret) == "ok"
        assert here.in_flight() == 1

        def is_back() -> bool:
            leases.run(here.gateway.services, 0)  # as the background worker does
            return here.in_flight() == 0

        assert eventually(is_back, LEASE_BACK_SECONDS)
        both.upstream.release("go")
        assert events_of(response.text)[-1] == "[DONE]"
    assert [row["source"] for row in here.rows()].count("estimated") == 1

    both.hosts[1].repair()
    assert eventually(lambda: is_ready(there.gateway), GREEN_SECONDS)
    rows = here.wait_for_rows(3, 30)
    assert [row["source"] for row in rows].count("corrected") == 1
    with ThreadPoolExecutor(6) as clients:
        reply = list(clients.map(lambda n: code((here, there)[n % 2], secret), range(2 * REQUESTS)))

    assert set(reply) == {"ok", "rate_limit_exceeded"}
    client = here.gateway.services.scripts.client
    assert audit(client, here.name, {known.id: list(LIMITS)}, [both.account.id]) == []
    assert len({row["id"] for row in here.rows()}) <= REQUESTS
