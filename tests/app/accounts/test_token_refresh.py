"""One exchange per expiry, however many processes need it and whichever of them crashes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.accounts.token_refresh import COOL_SECONDS, TokenRefresher, is_permanent
from app.config import Settings
from app.errors import StoreUnavailable, UpstreamRejected, UpstreamUnreachable
from app.stores import keys
from app.stores.credentials import SealedTokenRepository
from app.stores.records.credentials import FailedExchange
from app.stores.scripts import Scripts
from app.wiring import Services, build
from tests.support.issuer_client import Issuer, signed_in
from tests.support.processes import eventually
from tests.support.refresh_rounds import refreshing, renew_together, start_refresh

POOL = "default"


@pytest.fixture
def environ(redis_client: Any, redis_url: str, issuer: Issuer, tmp_path: Path) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url,
        "POOLGATE_HOME": str(tmp_path),
        "POOLGATE_OAUTH_ISSUER": issuer.url,
        "POOLGATE_SECRET_KEYS": Fernet.generate_key().decode(),
        "POOLGATE_STORE_TIMEOUT_MS": "5000",
    }


@pytest.fixture
def services(environ: dict[str, str]) -> Iterator[Services]:
    services = build(Settings.from_environment(environ))
    yield services
    services.scripts.client.close()


def at(services: Services, milliseconds: int) -> TokenRefresher:
    """A refresher of another process, for which the Redis clock is ahead by that time."""
    clock = f"""local function clock()
      local t = redis.call('TIME')
      return t[1] * 1000 + math.floor(t[2] / 1000) + {milliseconds}
    end"""
    later = build(services.settings)
    later.credentials._store = SealedTokenRepository(Scripts(services.scripts.client, clock=clock))
    return later.upstream.refresher


def now(services: Services) -> Account:
    return services.accounts.find(POOL, "ann")


def test_a_process_that_lacks_the_key_renews_nothing(services, issuer, environ):
    """It gives the lease back, so that another process renews the tokens at once."""
    _, account = signed_in(services, issuer)
    other = build(
        Settings.from_environment(environ | {"POOLGATE_SECRET_KEYS": Fernet.generate_key().decode()})
    )

    assert other.upstream.refresher.refresh_after_401(POOL, account) is None

    stored = services.scripts.client.hgetall(keys.account(POOL, account.id))
    assert (stored["state"], stored["refresh_held"], stored["refresh_unanswered"]) == ("active", "0", "0")


class TestAfter401:
    def test_brings_new_tokens(self, services, issuer):
        """The tokens are stored encrypted under a new version; the issuer receives the reason."""
        sign_in, account = signed_in(services, issuer)

        renewed = services.upstream.refresher.refresh_after_401(POOL, account)

        assert renewed == now(services)
        assert renewed.credential != account.credential
        assert (renewed.rotation, renewed.version) == (2, account.version + 1)
        assert issuer.sign_in_state(sign_in)["reasons"] == ["unauthorized_recovery"]
        assert services.credentials.read(POOL, renewed).refresh_token == f"{sign_in}.1"

    def test_tokens_already_replaced_are_not_exchanged_again(self, services, issuer):
        """A request that began with the former token is given the current one."""
        sign_in, account = signed_in(services, issuer)
        renewed = services.upstream.refresher.refresh_after_401(POOL, account)

        assert services.upstream.refresher.refresh_after_401(POOL, account) == renewed
        assert issuer.sign_in_state(sign_in)["exchanges"] == 1

    def test_each_rotation_can_be_renewed(self, services, issuer):
        sign_in, account = signed_in(services, issuer)

        for _ in range(3):
            account = services.upstream.refresher.refresh_after_401(POOL, account)

        assert issuer.sign_in_state(sign_in) | {"reasons": []} == {
            "exchanges": 3, "reused": 0, "alive": True, "held": "", "reasons": []
        }  # fmt: skip

    def test_an_account_without_a_sign_in_is_left_alone(self, services):
        services.pools.ensure(POOL)
        bare = services.accounts.add(
            POOL, Account("", "bare", "chatgpt", "http://up", credential="token", protocols=("responses",))
        )

        assert services.upstream.refresher.refresh_after_401(POOL, bare) is None
        assert services.accounts.find(POOL, "bare").state == "active"

    def test_a_removed_account_has_no_tokens(self, services, issuer):
        sign_in, account = signed_in(services, issuer)
        services.accounts.remove(POOL, "ann")

        assert services.upstream.refresher.refresh_after_401(POOL, account) is None
        assert issuer.sign_in_state(sign_in)["exchanges"] == 0


class TestExpiring:
    def test_is_sent_to_the_issuer(self, services, issuer):
        sign_in, account = signed_in(services, issuer)

        assert services.upstream.refresher.refresh_expiring(POOL, account) == "renewed"
        assert issuer.sign_in_state(sign_in)["reasons"] == ["proactive_expiry"]

    def test_does_not_wait_for_another(self, services, issuer):
        _, account = signed_in(services, issuer)
        services.credentials.lease(POOL, account, refused=False, seconds=30)

        assert services.upstream.refresher.refresh_expiring(POOL, account) == "held"


class TestFailure:
    @pytest.mark.parametrize(
        ("status", "body", "reason"),
        [
            (401, {"error": {"code": "refresh_token_expired"}}, "refresh_token_expired"),
            (401, {"error": {"code": "refresh_token_invalidated"}}, "refresh_token_invalidated"),
            (400, {"error": "invalid_grant"}, "invalid_grant"),
            (403, {"error": {"code": "account_deactivated"}}, "account_deactivated"),
            (401, {}, "status_401"),
        ],
    )
    def test_a_person_is_needed(self, services, issuer, status, body, reason):
        """The account shows the failure, and no further request is sent to the issuer."""
        sign_in, account = signed_in(services, issuer)
        issuer.stage(sign_in, {"status": status, "body": body})

        assert services.upstream.refresher.refresh_after_401(POOL, account) is None

        dead = now(services)
        assert (dead.state, dead.reason) == ("credential_dead", reason)
        assert at(services, 600_000).refresh_after_401(POOL, account) is None
        assert issuer.sign_in_state(sign_in)["exchanges"] == 0

    def test_resuming_the_account_does_not_revive_its_tokens(self, services, issuer):
        sign_in, account = signed_in(services, issuer)
        issuer.stage(sign_in, {"status": 401, "body": {"error": {"code": "refresh_token_expired"}}})
        services.upstream.refresher.refresh_after_401(POOL, account)
        services.accounts.resume(POOL, "ann")

        services.upstream.refresher.refresh_after_401(POOL, account)

        assert now(services).state == "credential_dead"

    def test_a_pause_stays_a_pause(self, services, issuer):
        sign_in, account = signed_in(services, issuer)
        services.accounts.pause(POOL, "ann")
        issuer.stage(sign_in, {"status": 401, "body": {}})

        services.upstream.refresher.refresh_after_401(POOL, account)

        assert now(services).state == "paused"

    def test_a_new_sign_in_revives_the_account(self, services, issuer):
        sign_in, account = signed_in(services, issuer)
        issuer.stage(sign_in, {"status": 401, "body": {}})
        services.upstream.refresher.refresh_after_401(POOL, account)
        renewed_sign_in, tokens = issuer.sign_in()

        revived = services.credentials.replace(POOL, account, tokens)

        assert (revived.state, revived.credential) == ("active", tokens.access_token)
        assert services.upstream.refresher.refresh_after_401(POOL, revived).rotation == 3
        assert issuer.sign_in_state(renewed_sign_in)["exchanges"] == 1

    @pytest.mark.parametrize("status", [500, 503, 429])
    def test_trouble_at_the_issuer_passes(self, services, issuer, status):
        """The account is out for as long as the issuer is left alone, then the exchange is tried again."""
        sign_in, account = signed_in(services, issuer)
        issuer.stage(sign_in, {"status": status})

        assert services.upstream.refresher.refresh_after_401(POOL, account) is None
        assert now(services).state == "credential_expired"
        assert services.upstream.refresher.refresh_after_401(POOL, account) is None
        assert issuer.sign_in_state(sign_in)["exchanges"] == 0

        assert at(services, int(COOL_SECONDS * 1000)).refresh_after_401(POOL, account).rotation == 2
        assert now(services).state == "active"

    def test_an_account_whose_token_still_works_stays_in(self, services, issuer):
        sign_in, account = signed_in(services, issuer)
        issuer.stage(sign_in, {"status": 503})

        assert services.upstream.refresher.refresh_expiring(POOL, account) == "cooling"
        assert now(services).state == "active"

    def test_no_connection(self, services, issuer):
        """Nothing was sent, so the same token can be exchanged after the pause."""
        sign_in, account = signed_in(services, issuer)
        working, services.upstream.refresher._exchange = services.upstream.refresher._exchange, _unreachable
        assert services.upstream.refresher.refresh_expiring(POOL, account) == "cooling"

        later = at(services, int(COOL_SECONDS * 1000))
        later._exchange = working

        assert later.refresh_expiring(POOL, account) == "renewed"
        assert issuer.sign_in_state(sign_in)["reused"] == 0

    def test_permanence(self):
        def rejected(status: int, code: str) -> UpstreamRejected:
            return UpstreamRejected("", status=status, type="", code=code, upstream_status=status)

        assert is_permanent(rejected(400, "refresh_token_reused"))
        assert is_permanent(rejected(401, "anything"))
        assert not is_permanent(rejected(400, "anything"))
        assert not is_permanent(UpstreamUnreachable(""))


def _unreachable(refresh_token: str, reason: str) -> dict[str, Any]:
    raise UpstreamUnreachable("The upstream could not be reached")


class TestLostResponse:
    """It is unknown whether the refresh token was used up."""

    @pytest.fixture
    def account(self, services, issuer):
        self.sign_in, account = signed_in(services, issuer)
        issuer.stage(self.sign_in, {"lose": True})
        assert services.upstream.refresher.refresh_expiring(POOL, account) == "cooling"
        return account

    def test_the_sign_in_is_not_risked_while_the_access_token_works(self, services, issuer, account):
        assert at(services, 600_000).refresh_expiring(POOL, account) == "unanswered"
        assert now(services).state == "active"
        assert issuer.sign_in_state(self.sign_in)["alive"]

    def test_when_it_has_expired_there_is_nothing_left_to_lose(self, services, issuer, account):
        """The refresh token was used up, and the account reports that it needs attention."""
        assert at(services, 3_700_000).refresh_expiring(POOL, account) == "dead"
        assert (now(services).state, now(services).reason) == ("credential_dead", "refresh_token_reused")

    def test_when_it_is_refused_too(self, services, issuer, account):
        assert at(services, 600_000).refresh_after_401(POOL, account) is None
        assert now(services).state == "credential_dead"


class TestLateHolder:
    def test_cannot_undo_what_a_later_one_stored(self, services, issuer):
        """Its lease ran out while it was away; the tokens it brings are refused."""
        _, account = signed_in(services, issuer)
        late = services.credentials.lease(POOL, account, refused=True, seconds=0)
        renewed = services.upstream.refresher.refresh_after_401(POOL, account)

        assert services.credentials.store_tokens(POOL, account, late, late.tokens) is None
        assert now(services) == renewed

    def test_cannot_declare_tokens_dead(self, services, issuer):
        _, account = signed_in(services, issuer)
        late = services.credentials.lease(POOL, account, refused=True, seconds=0)
        services.upstream.refresher.refresh_after_401(POOL, account)

        failed = FailedExchange("r", is_permanent=True, was_refused=True, cool_seconds=5)
        services.credentials.record_failure(POOL, account, late, failed)

        assert now(services).state == "active"

    def test_cannot_undo_a_new_sign_in(self, services, issuer):
        _, account = signed_in(services, issuer)
        lease = services.credentials.lease(POOL, account, refused=True, seconds=30)
        _, tokens = issuer.sign_in()
        services.credentials.replace(POOL, account, tokens)

        assert services.credentials.store_tokens(POOL, account, lease, lease.tokens) is None
        assert now(services).credential == tokens.access_token

    def test_a_repeated_store_changes_nothing(self, services, issuer):
        """The reply of the first one was lost on the wire."""
        _, account = signed_in(services, issuer)
        lease = services.credentials.lease(POOL, account, refused=True, seconds=30)
        tokens = replace(lease.tokens, access_token="new")

        first = services.credentials.store_tokens(POOL, account, lease, tokens)

        assert services.credentials.store_tokens(POOL, account, lease, tokens) == first


class TestStoreAway:
    def test_new_tokens_wait_for_it(self, services, issuer, monkeypatch):
        """They exist nowhere else, so they are offered until they are stored."""
        monkeypatch.setattr("app.accounts.token_refresh.STORE_RETRY_SECONDS", 0)
        sign_in, account = signed_in(services, issuer)
        store, failures = services.credentials.store_tokens, [StoreUnavailable("away")] * 3

        def sometimes(*args: Any) -> Any:
            if failures:
                raise failures.pop()
            return store(*args)

        services.upstream.refresher._sign_ins = _With(services.credentials, store_tokens=sometimes)

        assert services.upstream.refresher.refresh_after_401(POOL, account) == now(services)
        assert not failures
        assert issuer.sign_in_state(sign_in)["exchanges"] == 1

    def test_is_reported_when_nothing_was_begun(self, services, issuer, monkeypatch):
        _, account = signed_in(services, issuer)

        def away(*args: Any, **more: Any) -> Any:
            raise StoreUnavailable("away")

        services.upstream.refresher._sign_ins = _With(services.credentials, lease=away)

        with pytest.raises(StoreUnavailable):
            services.upstream.refresher.refresh_after_401(POOL, account)


class _With:
    """*instead of* some of another's methods."""

    def __init__(self, other: Any, **methods: Any) -> None:
        self._other = other
        vars(self).update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)


class TestManyProcesses:
    @pytest.mark.timeout(300)
    def test_sixty_four_refreshers_make_one_exchange(self, services, environ, issuer, redis_client):
        """The issuer answers when all processes wait. One sent a request, and all have the tokens."""
        sign_in, _ = signed_in(services, issuer, seconds=-1)
        issuer.stage(sign_in, {"hold": "before"})

        def answer_when_all_wait() -> None:
            assert eventually(lambda: calls(redis_client) >= before + 8 * 64, seconds=200)
            issuer.release(sign_in)

        before = calls(redis_client)
        rotations, without = renew_together(environ, 4, forks=16, while_they_run=answer_when_all_wait)

        assert rotations == [2] * 64
        assert without == 0
        assert issuer.sign_in_state(sign_in)["exchanges"] == 1

    @pytest.mark.timeout(300)
    def test_a_thousand_expiries(self, services, environ, issuer):
        sign_in, _ = signed_in(services, issuer)

        rotations, without = renew_together(environ, 4, refreshers=4, rotation=1001)

        assert min(rotations) == 1001
        assert without == 0
        state = issuer.sign_in_state(sign_in)
        assert (state["exchanges"], state["reused"]) == (max(rotations) - 1, 0)


def calls(redis_client: Any) -> int:
    return int(redis_client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))


class TestHolderKilled:
    """At each step. No refresh token is used twice unless all is lost anyway."""

    def killed(self, environ: dict[str, str], step: str) -> None:
        with refreshing(environ, die_at=step) as process:
            start_refresh(process)
            assert process.wait(20) == -9

    def killed_by_us(self, environ: dict[str, str], issuer: Issuer, sign_in: str, place: str) -> None:
        issuer.stage(sign_in, {"hold": place})
        with refreshing(environ, die_at="never") as process:
            start_refresh(process)
            assert eventually(lambda: issuer.sign_in_state(sign_in)["held"] == place)
            kill(process)

    def test_before_its_request(self, services, environ, issuer):
        sign_in, account = signed_in(services, issuer)
        self.killed(environ, "leased")

        assert services.upstream.refresher.refresh_after_401(POOL, account).rotation == 2
        assert issuer.sign_in_state(sign_in)["reused"] == 0

    def test_before_its_request_with_a_token_that_still_works(self, services, environ, issuer):
        """The outcome is unknown; the exchange is repeated when the access token has expired."""
        sign_in, account = signed_in(services, issuer)
        self.killed(environ, "leased")

        assert at(services, 60_000).refresh_expiring(POOL, account) == "unanswered"
        assert at(services, 3_700_000).refresh_expiring(POOL, account) == "renewed"
        assert issuer.sign_in_state(sign_in)["reused"] == 0

    @pytest.mark.parametrize("place", ["before", "after"])
    def test_while_the_issuer_answers(self, services, environ, issuer, place):
        """The issuer goes on without it. What works is used to its end, and we do not end the sign-in."""
        sign_in, account = signed_in(services, issuer)
        self.killed_by_us(environ, issuer, sign_in, place)
        issuer.release(sign_in)
        assert eventually(lambda: issuer.sign_in_state(sign_in)["exchanges"] == 1)

        assert at(services, 60_000).refresh_expiring(POOL, account) == "unanswered"
        assert now(services).credential == account.credential
        assert (issuer.sign_in_state(sign_in)["reused"], issuer.sign_in_state(sign_in)["alive"]) == (0, True)

    def test_before_it_stored_the_response(self, services, environ, issuer):
        """The crash lost the new tokens. If the old ones are refused, an operator has to sign in again."""
        sign_in, account = signed_in(services, issuer)
        self.killed(environ, "answered")
        assert at(services, 60_000).refresh_expiring(POOL, account) == "unanswered"
        assert issuer.sign_in_state(sign_in)["reused"] == 0

        assert services.upstream.refresher.refresh_after_401(POOL, account) is None
        assert (now(services).state, now(services).reason) == ("credential_dead", "refresh_token_reused")

    def test_after_it_stored_the_response(self, services, environ, issuer):
        sign_in, account = signed_in(services, issuer)
        self.killed(environ, "stored")

        assert services.upstream.refresher.refresh_after_401(POOL, account).rotation == 2
        assert issuer.sign_in_state(sign_in)["exchanges"] == 1


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)
