"""The guards in `tests/conftest.py`."""

from __future__ import annotations

import socket

import pytest

from tests.support.redis import assert_no_gateway_uses, used_by_gateway


def test_sockets_past_this_machine_are_off():
    with socket.socket() as past, pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"):
        past.connect(("192.0.2.1", 80))


def test_loopback_is_on():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())


def test_a_store_that_a_gateway_uses_is_emptied_by_no_test(redis_url: str):
    """`redis_client` checks this before it empties its store."""
    with used_by_gateway(redis_url), pytest.raises(AssertionError, match="a gateway runs on this Redis"):
        assert_no_gateway_uses(redis_url)

    assert_no_gateway_uses(redis_url)


def test_gateways_of_many_tests_have_a_store_of_their_own(redis_url: str, gateways_redis_url: str):
    assert redis_url != gateways_redis_url
