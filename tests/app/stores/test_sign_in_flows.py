"""Sign-ins under way: encrypted, found by their way, and completed once."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.errors import NotFound
from app.stores import keys
from app.stores.records.sign_in_flows import SignInMethod
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.stores.sign_in_flows import SignInFlowRepository, new_flow

POOL = "team"


@pytest.fixture
def flows(redis_client: Any) -> SignInFlowRepository:
    return SignInFlowRepository(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))


def test_a_stored_flow_is_found(flows, redis_client):
    flow = new_flow(SignInMethod.DEVICE, "ann", "http://page", secret="device-id", interval_seconds=5.0)
    flows.put(POOL, flow)

    assert flows.find(POOL, flow.id, SignInMethod.DEVICE) == flow
    assert "device-id" not in redis_client.get(keys.flow(POOL, flow.id))
    assert 0 < redis_client.ttl(keys.flow(POOL, flow.id)) <= 900


@pytest.mark.parametrize("flow_id", ["", "flow_1", "flow_" + "0" * 24])
def test_an_unknown_flow(flows, flow_id):
    with pytest.raises(NotFound):
        flows.find(POOL, flow_id, SignInMethod.DEVICE)


def test_a_flow_of_the_other_way(flows):
    flow = new_flow(SignInMethod.BROWSER, "ann", "http://page")
    flows.put(POOL, flow)

    with pytest.raises(NotFound):
        flows.find(POOL, flow.id, SignInMethod.DEVICE)


def test_it_is_taken_once(flows):
    flow = new_flow(SignInMethod.BROWSER, "ann", "http://page")
    flows.put(POOL, flow)

    assert [flows.take(POOL, flow), flows.take(POOL, flow)] == [True, False]


def test_one_poll_in_an_interval(flows):
    flow = new_flow(SignInMethod.DEVICE, "ann", "http://page", interval_seconds=5.0)

    assert [flows.claim_poll(POOL, flow), flows.claim_poll(POOL, flow)] == [True, False]
