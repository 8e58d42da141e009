"""Tokens of accounts' sign-ins: of one rotation at most one exchange is under way."""

from __future__ import annotations

import pytest

from app.stores.credentials import SealedTokenRepository
from app.stores.records.credentials import FailedExchange, LeaseReply, LeaseResult, SealedTokens
from tests.support.store import START_MS, StoreOfTest

POOL = "t"
OLD: SealedTokens = {"sign_in": "sealed-1", "expires_ms": START_MS + 1000}
NEW: SealedTokens = {"sign_in": "sealed-2", "expires_ms": START_MS + 9_000_000}


@pytest.fixture
def credentials(store: StoreOfTest) -> SealedTokenRepository:
    """The account `a` with a sign-in, whose first tokens are rotation 1."""
    store.account("a", kind="chatgpt", wires="r")
    credentials = SealedTokenRepository(store.scripts)
    credentials.replace(POOL, "a", OLD)
    return credentials


def lease(credentials: SealedTokenRepository, rotation: int = 1, *, was_refused: bool = False) -> LeaseReply:
    return credentials.lease(POOL, "a", rotation, was_refused=was_refused, seconds=30)


def test_read(credentials: SealedTokenRepository) -> None:
    assert credentials.read(POOL, "a") == "sealed-1"
    assert credentials.read(POOL, "no such account") == ""
    assert credentials.replace(POOL, "no such account", NEW) == 0


def test_one_lease(credentials: SealedTokenRepository) -> None:
    first, second = lease(credentials), lease(credentials)

    assert (first.verdict, first.rotation, first.sign_in) == (LeaseResult.LEASED, 1, "sealed-1")
    assert second == LeaseReply(LeaseResult.HELD)


def test_stored(credentials: SealedTokenRepository) -> None:
    """A process that has the earlier tokens is referred to the new ones."""
    leased = lease(credentials)

    version = credentials.store(POOL, "a", leased.fence, 1, NEW)

    assert version > 0
    assert credentials.read(POOL, "a") == "sealed-2"
    assert lease(credentials) == LeaseReply(LeaseResult.RENEWED, version)
    assert credentials.store(POOL, "a", leased.fence, 1, NEW) == version  # its reply was lost


def test_too_late(credentials: SealedTokenRepository, store: StoreOfTest) -> None:
    """An exchange whose lease another one has taken over does not replace its tokens."""
    first = lease(credentials)
    store.advance(30_001)
    second = lease(credentials, was_refused=True)
    assert second.verdict is LeaseResult.LEASED

    assert credentials.store(POOL, "a", first.fence, 1, OLD) == 0
    assert credentials.store(POOL, "a", second.fence, 1, NEW) > 0
    assert credentials.read(POOL, "a") == "sealed-2"


def test_a_new_sign_in_overrides_an_exchange(credentials: SealedTokenRepository) -> None:
    leased = lease(credentials)

    credentials.replace(POOL, "a", NEW)

    assert credentials.store(POOL, "a", leased.fence, 1, OLD) == 0
    assert credentials.read(POOL, "a") == "sealed-2"


class TestFailures:
    def test_cools(self, credentials: SealedTokenRepository, store: StoreOfTest) -> None:
        fence = lease(credentials).fence
        credentials.record_failure(POOL, "a", fence, FailedExchange("503", cool_seconds=5))

        assert lease(credentials).verdict is LeaseResult.COOLING
        store.advance(5001)
        assert lease(credentials).verdict is LeaseResult.LEASED

    def test_unanswered(self, credentials: SealedTokenRepository) -> None:
        """The refresh token may be used up: it is not sent again while the access token works."""
        fence = lease(credentials).fence
        credentials.record_failure(POOL, "a", fence, FailedExchange("timeout", is_answered=False))

        assert lease(credentials).verdict is LeaseResult.UNANSWERED
        assert lease(credentials, was_refused=True).verdict is LeaseResult.LEASED

    def test_permanent(self, credentials: SealedTokenRepository, store: StoreOfTest) -> None:
        fence = lease(credentials).fence
        credentials.record_failure(POOL, "a", fence, FailedExchange("revoked" * 40, is_permanent=True))

        assert lease(credentials).verdict is LeaseResult.DEAD
        assert store.state("a")["state"] == "credential_dead"
        assert len(store.state("a")["refresh_dead"]) == 80

    def test_without_the_lease(self, credentials: SealedTokenRepository, store: StoreOfTest) -> None:
        fence = lease(credentials).fence

        credentials.record_failure(POOL, "a", fence - 1, FailedExchange("revoked", is_permanent=True))

        assert "refresh_dead" not in store.state("a")
        assert lease(credentials).verdict is LeaseResult.HELD


def test_no_sign_in(credentials: SealedTokenRepository, store: StoreOfTest) -> None:
    store.account("b")

    reply = credentials.lease(POOL, "b", 1, was_refused=False, seconds=30)

    assert reply == LeaseReply(LeaseResult.GONE)
