"""Open requests of a process: their leases are renewed, and a stopping process ends them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.errors import StoreUnavailable
from app.relay.active_requests import ActiveRequests
from app.stores.records.api_keys import ApiKey
from tests.support.relay import make_request


class Admissions:
    """Records renewals; pools in *away* cannot be renewed."""

    def __init__(self, away: tuple[str, ...] = ()) -> None:
        self.renewed: list[tuple[str, int, list[str]]] = []
        self._away = away

    def renew(self, pool: str, ttl_ms: int, request_ids: Iterable[str] = ()) -> list[str]:
        if pool in self._away:
            raise StoreUnavailable("away")
        self.renewed.append((pool, ttl_ms, list(request_ids)))
        return []


def active(admissions: Any) -> ActiveRequests:
    return ActiveRequests(admissions, ttl_seconds=60, renew_seconds=3600)


def request_of(pool: str, request_id: str) -> Any:
    return make_request(request_id=request_id, key=ApiKey("k", "k", pool))


def test_one_renewal_for_each_pool() -> None:
    admissions = Admissions()
    requests = active(admissions)
    with (
        requests.track(request_of("p", "req_1")),
        requests.track(request_of("p", "req_2")),
        requests.track(request_of("q", "req_3")),
    ):
        assert len(requests) == 3
        assert requests.renew()
    requests.renew()

    assert admissions.renewed == [("p", 60_000, ["req_1", "req_2"]), ("q", 60_000, ["req_3"])]


def test_one_pool_that_fails_leaves_the_others() -> None:
    admissions = Admissions(away=("p",))
    requests = active(admissions)
    with requests.track(request_of("p", "req_1")), requests.track(request_of("q", "req_2")):
        assert not requests.renew()

    assert [pool for pool, _, _ in admissions.renewed] == ["q"]


def test_a_stopping_process_ends_open_requests() -> None:
    requests, context = active(Admissions()), request_of("p", "req_1")
    with requests.track(context):
        assert requests.drain(0.0) == 1
        assert context.caller.cancellation.error is not None

    assert requests.drain(0.0) == 0
