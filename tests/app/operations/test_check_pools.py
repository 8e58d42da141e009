from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.fernet import Fernet

from app.accounts.account import MIN_FAILING, Account
from app.accounts.job_results import JobResult, failed_result
from app.accounts.oauth_tokens import Tokens
from app.accounts.request_settings import RequestSettings
from app.config import Settings
from app.errors import CredentialUnreadable, UpstreamUnreachable
from app.operations import check_accounts, check_pools
from app.operations.diagnostic import Level
from app.operations.stored_accounts import StoredAccount, read_accounts
from app.stores import keys
from app.stores.records.accounts import AccountOutcome, AccountState
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.streaming.upstream_errors import rejection_from_body
from app.wiring import Services, build
from tests.support.tls import make_certificate


@pytest.fixture
def services(redis_client: Any, redis_url: str) -> Services:
    environ = {"REDIS_URL": redis_url, "POOLGATE_SECRET_KEYS": Fernet.generate_key().decode()}
    services = build(Settings.from_environment({**environ, "POOLGATE_STORE_TIMEOUT_MS": "5000"}))
    services.pools.ensure("team")
    return services


def account(services: Services, name: str, base_url: str = "http://x", **more: Any) -> Account:
    return services.accounts.add("team", Account("", name, "openai", base_url, credential="sk", **more))


def found(services: Services) -> list[tuple[str, str, str, str]]:
    return [
        (one.level, one.where, one.what, one.remedy)
        for one in check_pools.check_pools(services.doctor._stores, "team")
    ]


class TestKeys:
    def test_well(self, services: Services) -> None:
        main = account(services, "main", models=("a",))
        services.api_keys.create("team", "ann", models=("a",), accounts=(main.id,))

        assert found(services) == []

    def test_bound_to_accounts_that_are_gone(self, services: Services) -> None:
        account(services, "main")
        services.api_keys.create("team", "ann", accounts=("acct_gone",))

        assert found(services) == [
            (
                *(Level.WRONG, "team/ann", "every account it is bound to has been removed"),
                "poolgate key set ann --pool team --accounts A,B",
            )
        ]

    def test_a_model_that_no_account_offers(self, services: Services) -> None:
        """Of those it may use: another account's offer is none to it."""
        main = account(services, "main", models=("a",))
        account(services, "other", models=("b",))
        services.api_keys.create("team", "ann", models=("a", "b"), accounts=(main.id,))

        assert [diagnostic[:3] for diagnostic in found(services)] == [
            (Level.WRONG, "team/ann", "no account it may use offers b")
        ]

    def test_a_model_route(self, services: Services) -> None:
        """A route serves the names that it matches; it is named where its accounts have been removed."""
        main = account(services, "main", models=("a",))
        services.api_keys.create("team", "ann", models=("fast",))
        services.routes.put("team", ModelRoute("fast", ((RouteTarget("a", (main.id,)),),)))
        assert found(services) == []

        services.routes.put("team", ModelRoute("fast", ((RouteTarget("a", ("acct_gone",)),),)))
        assert [one[2:] for one in found(services)] == [
            (
                "the model route 'fast' names removed accounts or empty groups",
                "poolgate model set fast --pool team, with other accounts; an account that is added under "
                "the name of a removed one takes its place",
            )
        ]

    def test_a_model_that_no_upstream_lists(self, services: Services) -> None:
        main = account(services, "main")
        services.accounts.list_models("team", main.id, ["a"])
        services.api_keys.create("team", "ann", models=("a", "b"))

        assert [diagnostic[:3] for diagnostic in found(services)] == [
            (Level.NOTE, "team/ann", "none of its accounts offers b")
        ]

    def test_one_that_is_not_used_any_more(self, services: Services) -> None:
        account(services, "main")
        services.api_keys.create("team", "ann", accounts=("acct_gone",), expires_at=time.time() - 60)

        assert found(services) == [
            (Level.NOTE, "team", "it has no usable key", "poolgate key create --name NAME --pool team")
        ]


class TestAccountsForAPerson:
    @pytest.fixture(autouse=True)
    def _key(self, services: Services) -> None:
        services.api_keys.create("team", "ann")
        account(services, "well")

    def test_a_key_that_is_refused(self, services: Services) -> None:
        main = account(services, "main")
        dead = {"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0}
        services.accounts.observe("team", main.id, {}, outcome=dead)

        ((level, where, what, remedy),) = found(services)

        assert (level, where, what) == (
            Level.WRONG,
            "team/main",
            "its credential is refused (invalid_api_key)",
        )
        assert "poolgate account set main --pool team --api-key-stdin" in remedy
        assert remedy.endswith("poolgate account resume main --pool team")

    def test_an_account_that_has_to_be_paid(self, services: Services) -> None:
        """The finding has the time of the next test, and lasts until a request has succeeded."""
        main = account(services, "main")
        unpaid = {"state": "payment_required", "reason": "billing_not_active", "wait_ms": 600_000}
        services.accounts.observe("team", main.id, {}, outcome=unpaid)

        ((level, where, what, remedy),) = found(services)
        services.scripts.client.hset(
            keys.account("team", main.id), mapping={"state": "active", "probe": "payment_required"}
        )
        during_test = found(services)

        assert (level, where) == (Level.WRONG, "team/main")
        assert what.startswith(
            "its provider requires payment (billing_not_active) tested again at the first "
        )
        assert remedy.endswith("poolgate account resume main --pool team")
        assert [(level, what) for level, _, what, _ in during_test] == [
            (Level.WRONG, "its provider requires payment tested again at the next request")
        ]

    def test_a_sign_in_that_is_refused_or_soon_will_be(self, services: Services) -> None:
        tokens = Tokens("a", "r", "i", 4_000_000_000, 0, "x")
        ann = services.accounts.add("team", Account("", "ann", "chatgpt", "http://x"), tokens)
        services.scripts.client.hset(keys.account("team", ann.id), "refresh_dead", "token_reused")
        soon = found(services)
        dead = {"state": "credential_dead", "reason": "gone", "wait_ms": 0, "retest_wait_ms": 0}
        services.accounts.observe("team", ann.id, {}, outcome=dead)
        now = found(services)

        remedy = "poolgate account login --name ann --pool team"
        assert soon == [
            (
                Level.WRONG,
                "team/ann",
                "its sign-in cannot be renewed (token_reused), and will expire",
                remedy,
            )
        ]
        assert now == [(Level.WRONG, "team/ann", "its credential is refused (gone)", remedy)]

    def test_paused(self, services: Services) -> None:
        account(services, "main")
        services.accounts.pause("team", "main", "budget")

        assert found(services) == [
            (Level.NOTE, "team/main", "paused (budget)", "poolgate account resume main --pool team")
        ]

    def test_models_that_rest(self, services: Services) -> None:
        main = account(services, "main")
        for model in ("m1", "m2"):
            outcome: AccountOutcome = {"model": model, "why": "missing", "wait_ms": 60_000}
            services.accounts.observe("team", main.id, {}, outcome=outcome)

        ((level, where, what, remedy),) = found(services)

        assert (level, where) == (Level.NOTE, "team/main")
        assert what.startswith(
            "it gets no requests for models that rest there (missing at its server) now: m1 "
        )
        assert ", m2 until " in what
        assert remedy.endswith("at once: poolgate account resume main --pool team")

    def test_many_alike_are_one_line(self, services: Services) -> None:
        names = [f"a{number:02}" for number in range(25)]
        for name in names:
            account(services, name)
            services.accounts.pause("team", name, "budget")

        (one,) = check_pools.check_pools(services.doctor._stores, "team")

        assert (one.where, one.names) == ("team: each of 25 accounts", tuple(names))
        assert one.what == f"paused (budget): {', '.join(names[:10])} and 15 more"
        assert one.remedy == "poolgate account resume NAME --pool team"

    def test_a_sign_in_that_was_not_renewed(self, services: Services) -> None:
        tokens = Tokens("a", "r", "i", 1000, 0, "x")
        services.accounts.add("team", Account("", "ann", "chatgpt", "http://x"), tokens)

        assert [diagnostic[:3] for diagnostic in found(services)] == [
            (Level.WRONG, "team/ann", "its sign-in has expired and was not renewed")
        ]

    def test_certificates_that_expire(self, services: Services, tmp_path: Path) -> None:
        """Wrong where no other is valid; those of a month and more are well."""
        pem = make_certificate(tmp_path)[0].read_text()  # valid for a day
        main = account(services, "main", base_url="https://x", settings=RequestSettings(ca_certificates=pem))
        stored, _ = read_accounts(services.doctor._stores, "team")

        def levels(now: float) -> list[tuple[str, bool]]:
            diagnostics = check_accounts.check_accounts("team", [stored], now)
            return [(one.level, "has expired" in one.what) for one in diagnostics]

        assert main.settings.ca_certificates == pem
        assert levels(time.time()) == [(Level.NOTE, False)]
        assert levels(time.time() + 2 * 86_400) == [(Level.WRONG, True)]
        assert levels(time.time() - 31 * 86_400) == []
        ((_, where, what, remedy),) = found(services)
        assert (where, remedy) == ("team/main", "poolgate account set main --pool team --ca-file FILE")
        assert what.startswith("the certificate CN=somewhere.example, with which its server is verified, exp")

    def test_a_websocket_that_is_never_used(self, services: Services) -> None:
        settings = RequestSettings(websocket="on")
        account(services, "main", base_url="https://x", settings=settings, protocols=("chat",))
        account(services, "spare", base_url="https://x", settings=settings)

        assert [(where, remedy) for _, where, _, remedy in found(services)] == [
            ("team/main", "poolgate account set main --pool team --websocket off")
        ]

    def test_one_that_never_answered(self, services: Services) -> None:
        """Other than one whose list of models fails now: that one is a note."""
        look = orjson.dumps({"at": 1_774_742_400, "result": "upstream_unavailable"}).decode()
        never, before = account(services, "never"), account(services, "before")
        services.accounts.list_models("team", before.id, ["a"])
        for one in (never, before):
            services.accounts.observe("team", one.id, {"look_models": look})

        assert [diagnostic[:3] for diagnostic in found(services)] == [
            (
                Level.NOTE,
                "team/before",
                "its models could not be listed (upstream_unavailable) at 2026-03-29 00:00Z",
            ),
            (Level.WRONG, "team/never", "it has never answered (upstream_unavailable)"),
        ]

    def test_why_it_has_never_answered(self, services: Services) -> None:
        never = account(services, "never")
        error = UpstreamUnreachable("The upstream's host name could not be resolved")
        look = failed_result(error, "openai", 1_774_742_400).to_json()
        services.accounts.observe("team", never.id, {"look_models": look})

        assert [what for _, _, what, _ in found(services)] == [
            "it has never answered (the upstream's host name could not be resolved)"
        ]

    @pytest.mark.parametrize(
        ("has_answered", "what"),
        [
            (False, "it has never answered (upstream_unavailable)"),
            (True, "its latest attempts failed (unreachable)"),
        ],
    )
    def test_one_that_is_unreachable_is_reported_once(self, *, has_answered: bool, what: str) -> None:
        """Although requests to it have failed as well as the query for its models."""
        look = orjson.dumps({"at": 1_774_742_400, "result": "upstream_unavailable"}).decode()
        failing = Account("a", "a", "openai", "http://x", failures_in_a_row=5, latest_failure="unreachable")
        failing = replace(failing, has_answered=has_answered)
        stored = StoredAccount(failing, {"look_models": look}, is_readable=True)

        (one,) = check_accounts.check_accounts("team", [stored], time.time())

        assert one.what == what
        assert one.remedy.endswith("remove it, then add it again: poolgate account remove NAME --pool team")

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("http://gpu1:8000", "its base URL may lack /v1"),
            ("http://gpu1:8000/v1/", "its base URL is probably wrong"),
        ],
    )
    def test_a_wrong_base_url(self, url: str, reason: str) -> None:
        """Reported once, from the first request on; a server without a list of models may answer requests."""
        look = orjson.dumps(
            {"at": 1_774_742_400, "result": "not_found", "failure": "endpoint_missing"}
        ).decode()
        failing = Account("a", "a", "compatible", url, unproven="endpoint_missing", failures_in_a_row=9)
        stored = StoredAccount(failing, {"look_models": look}, is_readable=True)

        (one,) = check_accounts.check_accounts("team", [stored], time.time())

        assert (one.level, one.what[:21]) == (Level.WRONG, "it has never answered")
        assert one.remedy == (
            f"{reason}; remove it, then add it again: poolgate account remove NAME --pool team"
        )
        answered = replace(failing, has_answered=True, failures_in_a_row=0)
        assert not list(check_accounts._check_failures(answered))

    def test_one_whose_credential_was_refused_from_the_start(self, services: Services) -> None:
        """It is active, because no request has failed; one that serves requests may lack the list."""
        look = orjson.dumps({"at": 1_774_742_400, "result": "invalid_api_key"}).decode()
        never, before = account(services, "never"), account(services, "before")
        services.accounts.list_models("team", before.id, ["a"])
        for one in (never, before):
            services.accounts.observe("team", one.id, {"look_models": look})

        diagnostics = {where: (level, what) for level, where, what, _ in found(services)}

        assert diagnostics["team/before"][0] is Level.NOTE
        assert diagnostics["team/never"] == (
            Level.WRONG,
            "its server refuses the credential (invalid_api_key), and it has never answered a request",
        )

    @pytest.mark.parametrize(
        ("status", "body", "is_refused"),
        [
            (401, {"error": {"message": "No", "type": "some_type"}}, True),
            (401, {"error": {"message": "No", "code": "unauthorized"}}, True),
            (401, {}, True),
            (403, {"error": {"message": "No", "type": "some_type"}}, False),
            (500, {"error": {"message": "No", "type": "some_type"}}, False),
        ],
    )
    def test_refused_without_a_known_code(
        self, services: Services, status: int, body: object, *, is_refused: bool
    ) -> None:
        """What the status means is decided where every response is judged, not by the code alone."""
        error = rejection_from_body(status, orjson.dumps(body), {})
        result = failed_result(error, "openai", 1_774_742_400)
        services.accounts.observe("team", account(services, "never").id, {"look_models": result.to_json()})

        level, _, what, _ = found(services)[0]

        assert level is (Level.WRONG if is_refused else Level.NOTE)
        assert what.startswith("its server refuses the credential") is is_refused

    def test_refused_by_a_page(self, services: Services) -> None:
        """A proxy in between says nothing about the credential."""
        result = failed_result(rejection_from_body(401, b"<html>", {}), "openai", 1_774_742_400)
        services.accounts.observe("team", account(services, "never").id, {"look_models": result.to_json()})

        assert found(services)[0][0] is Level.NOTE

    def test_one_that_comes_last(self, services: Services) -> None:
        """What the test of a worker reported is no longer of interest when it has answered."""
        one = account(services, "main")
        result = JobResult(1_774_742_400, "server_error").to_json()
        services.accounts.observe("team", one.id, {"look_unproven": result}, unanswered="server_error")

        ((level, where, what, remedy),) = found(services)
        assert (level, where) == (Level.NOTE, "team/main")
        assert what.startswith("it comes last until it answers, and its hourly test failed (server_error)")
        assert remedy.endswith("see poolgate account test main --pool team --model MODEL")

        services.accounts.observe("team", one.id, {}, answered=True)
        assert found(services) == []

    def test_one_that_stays_in_use_although_it_fails(self, services: Services) -> None:
        """Suspicion leaves out a quarter of a pool at most; what stays in for that is reported."""
        soft = {"soft": True, "asked": "m", "reason": "server_error", "base_ms": 60_000, "most_ms": 60_000}
        for name in ("one", "two"):
            main = account(services, name)
            for _ in range(2):
                services.accounts.observe("team", main.id, {}, outcome=soft)

        diagnostics = found(services)

        assert any(what.startswith("suspected") for _, _, what, _ in diagnostics)
        assert (
            Level.NOTE,
            "team/two",
            "its latest attempts failed; it stays in use because too few others could take its place",
            "poolgate account test two --pool team --model MODEL",
        ) in diagnostics

    @pytest.mark.parametrize("field", ["credential", "secrets"])
    def test_sealed_with_another_key(self, services: Services, redis_client: Any, field: str) -> None:
        """Its API key, or a secret header or the password of its proxy."""
        main = account(services, "main")
        other = Fernet(Fernet.generate_key()).encrypt(b"sk").decode()
        redis_client.hset(keys.account("team", main.id), field, other)

        ((level, where, what, _),) = found(services)

        assert (level, where, what) == (
            Level.WRONG,
            "team/main",
            "its credential was encrypted with another key",
        )

    def test_what_a_job_found(self, services: Services) -> None:
        """The remedy works as printed: an account without known models is tested with a given one."""
        main = account(services, "main")
        look = orjson.dumps({"at": 1_774_742_400, "result": "upstream_unreachable"}).decode()
        services.accounts.observe("team", main.id, {"look_models": look})

        what = "its models could not be listed (upstream_unreachable) at 2026-03-29 00:00Z"
        remedy = "it is retried automatically; see poolgate account test main --pool team"
        assert found(services) == [(Level.NOTE, "team/main", what, f"{remedy} --model MODEL")]
        services.accounts.list_models("team", main.id, ["a"])
        assert found(services) == [(Level.NOTE, "team/main", what, remedy)]

    def test_a_failed_test_of_an_account_that_is_in_use_again(self, services: Services) -> None:
        """While it is out of use, its state is reported; after that, the test says nothing about it."""
        main = account(services, "main")
        dead = {"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0}
        look = orjson.dumps({"at": 1_774_742_400, "result": "invalid_api_key"}).decode()
        services.accounts.observe("team", main.id, {"look_retest": look}, outcome=dead)
        while_out = [what for _, _, what, _ in found(services)]

        services.accounts.resume("team", main.name)

        assert while_out == ["its credential is refused (invalid_api_key)"]
        assert found(services) == []

    def test_a_job_of_a_gateway_without_the_secret_key(self, services: Services) -> None:
        """It is reported once, however many jobs meet it, although this process has the key."""
        main = account(services, "main")
        result = failed_result(CredentialUnreadable("main"), "openai", 1_774_742_400).to_json()
        services.accounts.observe("team", main.id, {"look_models": result, "look_usage": result})

        ((level, where, what, remedy),) = found(services)

        assert (level, where) == (Level.WRONG, "team/main")
        assert what == "a gateway or worker cannot decrypt its credential"
        assert "POOLGATE_SECRET_KEYS" in remedy

    @pytest.mark.parametrize("serves", ["given models", "requests"])
    def test_a_server_without_a_list_of_models(
        self, services: Services, redis_client: Any, serves: str
    ) -> None:
        """It is usual for an account whose models are given, or that answers requests."""
        main = account(services, "main", models=("a",) if serves == "given models" else ())
        error = rejection_from_body(404, b"<html>", {})
        result = failed_result(error, "openai", 1_774_742_400).to_json()
        services.accounts.observe("team", main.id, {"look_models": result})
        if serves == "requests":
            assert found(services)[0][2].startswith("its models could not be listed (")
            redis_client.hset(keys.account("team", main.id), "attempts", 1)

        assert found(services) == []

    @pytest.mark.parametrize("state", ["active", "suspected"])
    def test_one_that_fails_all_requests(self, state: str) -> None:
        failing = Account("a", "a", "openai", "http://x", has_answered=True, listed=("a",))
        failing = replace(failing, state=AccountState(state), latest_failure="cut", failures_in_a_row=474)
        stored = StoredAccount(failing, {}, is_readable=True)

        (one,) = check_accounts.check_accounts("team", [stored], time.time())

        assert one.level is Level.WRONG
        assert one.what == "every one of its latest attempts failed (stream cut off)"
        assert one.detail == "474 times in a row"
        few = replace(failing, failures_in_a_row=MIN_FAILING - 1)
        without_models = replace(failing, latest_failure="model_missing")
        assert not few.is_failing
        assert not without_models.is_failing


class TestPools:
    def test_requests_that_are_never_ended(self, services: Services, redis_client: Any) -> None:
        account(services, "main")
        services.api_keys.create("team", "ann")
        redis_client.zadd(keys.leases("team"), {"r": 1})

        assert [diagnostic[:3] for diagnostic in found(services)] == [
            (Level.WRONG, "team", "1 request is over, but still counted as running")
        ]

    def test_a_restore_that_broke_off(self, services: Services, redis_client: Any) -> None:
        account(services, "main")
        services.api_keys.create("team", "ann")
        redis_client.set(keys.restore_by("team"), "run")

        assert [diagnostic[2] for diagnostic in found(services)] == ["a restore into it was interrupted"]

    def test_nothing_in_it(self, services: Services) -> None:
        assert [diagnostic[2] for diagnostic in found(services)] == [
            "it has no account",
            "it has no usable key",
        ]

    @pytest.mark.parametrize("state", ["", "paused", "credential_dead", "window_spent"])
    def test_only_the_demo_account_serves(self, services: Services, state: str) -> None:
        """It serves until a real account has answered that is in use, or will be again by itself."""
        services.api_keys.create("team", "ann")
        services.accounts.add("team", Account("", "demo", "demo", "http://x", models=("demo",)))
        if state == "paused":
            account(services, "main")
            services.accounts.pause("team", "main")
        elif state:
            mark = {"state": state, "reason": "r", "wait_ms": 0, "retest_wait_ms": 0}
            added = account(services, "main")
            services.accounts.observe("team", added.id, {"listed": "[]"}, outcome=mark)

        level, where, what, remedy = found(services)[0]

        assert remedy == (
            "poolgate account list --pool team shows why" if state else "add one: poolgate account add --help"
        )
        expected = "only the demo account serves; requests for real models fail"
        if state == "window_spent":
            expected = "every account is out of use, so all requests are refused"
        assert (level, where, what) == (Level.WRONG if state else Level.NOTE, "team", expected)

    def test_a_real_account_as_well_as_the_demo_account(self, services: Services) -> None:
        services.api_keys.create("team", "ann")
        services.accounts.add("team", Account("", "demo", "demo", "http://x", models=("demo",)))
        added = account(services, "main")
        why = "poolgate account list --pool team shows why"
        unproven = "no account but the demo account has answered yet"
        assert found(services) == [(Level.NOTE, "team", unproven, why)]

        services.accounts.list_models("team", added.id, ["gpt-5"])
        assert found(services) == []

    def test_no_credential_can_be_read(self, services: Services, redis_client: Any) -> None:
        services.api_keys.create("team", "ann")
        other = Fernet(Fernet.generate_key()).encrypt(b"sk").decode()
        for name in ("a", "b"):
            redis_client.hset(keys.account("team", account(services, name).id), "credential", other)

        assert [diagnostic[:3] for diagnostic in found(services)] == [
            (
                Level.WRONG,
                "team",
                "no account in use has a credential that can be read, so all requests fail",
            ),
            (Level.WRONG, "team: each of 2 accounts", "its credential was encrypted with another key: a, b"),
        ]

    def test_no_server_answers(self, services: Services) -> None:
        services.api_keys.create("team", "ann")
        look = orjson.dumps({"at": 1_774_742_400, "result": "upstream_unavailable"}).decode()
        services.accounts.observe("team", account(services, "main").id, {"look_models": look})

        assert (Level.WRONG, "no account in use answered the latest request for its models") in [
            (level, what) for level, _, what, _ in found(services)
        ]

    def test_keys_that_expire_soon(self, services: Services) -> None:
        account(services, "main")
        services.api_keys.create("team", "ann", expires_at=time.time() + 3600)

        ((level, where, what, _),) = found(services)
        assert (level, where, what[:10]) == (Level.NOTE, "team/ann", "expires in")
