"""The first page: what needs a person comes first."""

from __future__ import annotations

import html

import orjson
import pytest
from cryptography.fernet import Fernet

from app.admin.pages import findings
from app.ledger.dead_letters import DeadLetters
from app.limits.limit_syntax import parse_limit
from app.operations import check_host, check_redis
from app.stores import keys
from app.stores.records.alerts import Alert
from app.stores.records.webhooks import AlertKind
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor
from tests.support.ledger_rows import record_request

HOME = f"/admin/p/{POOL}/"


class TestFront:
    def test_first_steps_where_nothing_is_set_up(self, inside: Visitor) -> None:
        assert inside.get("/admin/").location == f"/admin/p/{POOL}/start"

    def test_the_overview_where_it_can_answer(self, inside: Visitor, pool: Furnished) -> None:
        pool.account("main")
        pool.key("ann")

        assert inside.get("/admin/").location == HOME

    def test_the_pool_that_was_shown_last(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """Also from the pages that are of no pool; one that is gone is forgotten."""
        services.pools.ensure("team-b")
        inside.get("/admin/p/team-b/keys")

        assert inside.get("/admin/").location == "/admin/p/team-b/start"
        assert "/admin/p/team-b/keys" in inside.get("/admin/security").text
        services.scripts.client.srem(keys.POOLS, "team-b")
        assert inside.get("/admin/").location == f"/admin/p/{POOL}/start"


class TestFindings:
    def test_all_is_well(
        self, inside: Visitor, services: Services, pool: Furnished, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool.account("main")
        monkeypatch.setattr(check_host, "FEW_BYTES", 0)  # whatever disk and speed this machine has
        monkeypatch.setattr(check_redis, "SLOW_SECONDS", 60.0)
        client = services.scripts.client
        run = {"at": client.time()[0], "every_seconds": 60, "ok": True}
        client.hset(keys.JOB_RUNS, "a-job", orjson.dumps(run))
        pool.key("ann")

        assert "Nothing needs attention" in inside.get(HOME).text

    def test_what_needs_a_person(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """Findings are ordered by severity, each with a link to its remedy."""
        dead, stale = pool.account("dead"), pool.account("stale", kind="chatgpt")
        client = services.scripts.client
        client.hset(
            keys.account(POOL, dead.id), mapping={"state": "credential_dead", "reason": "invalid_api_key"}
        )
        client.hset(keys.account(POOL, stale.id), "expires_ms", 1000)
        pool.account("held")
        services.accounts.pause(POOL, "held")
        full = parse_limit("5 requests/ever")
        pool.key("ann", limits=(full,), expires_at=client.time()[0] + 3600)
        client.hset(keys.limit(POOL, full.id), mapping={"b": 0, "s": 5})

        page = inside.get(HOME).text
        section = page.partition('id="needs"')[2].partition("</section>")[0]

        for expected in (
            "its credential is refused (invalid_api_key)",
            "its sign-in has expired and was not renewed",
            "paused (by an operator)",
            "has reached its limit 5 requests in total",
            "expires in",
        ):
            assert expected in section
        assert section.index("credential is refused") < section.index("paused (")
        assert f"/admin/p/{POOL}/accounts/dead" in section
        assert f"/admin/p/{POOL}/keys/ann" in section

    def test_many_failed_requests_come_first(
        self, inside: Visitor, services: Services, pool: Furnished, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An alert that has not begun is left out."""
        services.accounts.pause(POOL, pool.account("main").name)
        text = "25 % of the requests of 5 minutes have failed (12 of 48)"
        held = [Alert(AlertKind.ERRORS, "", text), Alert(AlertKind.ERRORS, "", "a few", begins=False)]
        monkeypatch.setattr(services.alerting.conditions, "current", lambda pool, kinds: held)

        page = inside.get(HOME).text
        section = page.partition('id="needs"')[2].partition("</section>")[0]

        assert -1 < section.index(text) < section.index("every account is out")
        assert f'href="/admin/p/{POOL}/requests?status=failed"' in section
        assert "a few" not in section

    def test_no_worker(self, inside: Visitor, pool: Furnished) -> None:
        """Problems of the installation that `poolgate doctor` finds are shown here too."""
        assert "no worker runs" in inside.get(HOME).text

    def test_a_pool_that_serves_no_request(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        pool.account("main")
        services.accounts.pause(POOL, "main")

        assert "every account is out" in inside.get(HOME).text

    def test_a_pool_without_accounts_is_not_well(self, inside: Visitor, services: Services) -> None:
        services.pools.ensure(POOL)

        page = inside.get(HOME).text

        assert "it has no account" in page
        assert "Nothing needs attention" not in page

    def test_the_same_findings_as_the_doctor(
        self, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        """Whatever it finds; here settlements that were set aside, and credentials of another key."""
        client = services.scripts.client
        other = Fernet(Fernet.generate_key()).encrypt(b"sk").decode()
        client.hset(keys.account(POOL, pool.account("main").id), "credential", other)
        DeadLetters(services.settings.home).add(POOL, {"id": "x"}, "why")
        found = services.doctor.check(POOL)

        page = html.unescape(inside.get(HOME).text)

        assert {"ledger", f"{POOL}/main"} <= {one.where for one in found}
        assert [one.what for one in found if one.what not in page] == []

    def test_no_more_than_can_be_read(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        for number in range(findings.MAX_LINES + 5):
            services.accounts.pause(POOL, pool.account(f"a{number}").name, f"reason {number}")

        section = inside.get(HOME).text.partition('id="needs"')[2].partition("</section>")[0]

        assert section.count("<li>") == findings.MAX_LINES


def test_every_span(inside: Visitor, pool: Furnished) -> None:
    for span in ("1h", "24h", "7d", "30d", "<script>"):
        response = inside.get(f"{HOME}?span={span}")
        assert response.status_code == 200
        assert "<script>" not in response.text.partition("<main")[2]


def test_a_switcher_where_there_are_more_pools(inside: Visitor, services: Services, pool: Furnished) -> None:
    assert "/admin/p/team-b/" not in inside.get(HOME).text

    services.pools.ensure("team-b")

    assert "/admin/p/team-b/" in inside.get(HOME).text


class TestAnswers:
    def test_who_uses_what(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """The most expensive keys, models and accounts, with links."""
        account, key = pool.account("main"), services.api_keys.create(POOL, "ann")[0]
        record_request(services.scripts, POOL, services.clock.now() - 1, account=account.id, key=key.id)

        page = html.unescape(inside.get(f"{HOME}?span=1h").text)
        for part, link in (
            ("top-key", f'href="/admin/p/{POOL}/keys/ann">ann'),
            ("top-model", f'href="/admin/p/{POOL}/requests?model=gpt-5">gpt-5'),
            ("top-account", f'href="/admin/p/{POOL}/accounts/main">main'),
        ):
            assert link in section(page, part)
            assert "1 request" in section(page, part)

    def test_a_request_at_two_models(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """It is one of its key, wherever the requests of keys are shown; and a note has the fallbacks."""
        account, key = pool.account("main"), services.api_keys.create(POOL, "ann")[0]
        now = services.clock.now() - 1
        for row in ({"status": 502}, {"model": "o3", "fallbacks": 1}):
            record_request(services.scripts, POOL, now, account=account.id, key=key.id, **row)

        page = inside.get(f"{HOME}?span=1h").text
        assert "1 request" in section(page, "top-key")
        assert "2 requests" in section(page, "top-account")
        for address in (f"{HOME}?span=1h", f"{HOME}keys/ann?span=1h"):
            assert "<dd>1 <small>and 1 at fallback models</small></dd>" in inside.get(address).text
        keys_page = inside.get(f"{HOME}keys?span=1h").text
        assert "1 request, 0 errors" in html.unescape(keys_page)
        assert '<td data-label="Requests" class="number">1</td>' in keys_page
        own = inside.get(f"{HOME}accounts/main?span=1h").text
        assert "<dd>2 <small>1 at a fallback model</small></dd>" in own
        usage = f"{HOME}usage?span=1h&by="
        assert "Tries at fallback models (1) do not count as requests" in inside.get(f"{usage}key").text
        assert "Tries at fallback models (1) count as requests" in inside.get(f"{usage}model").text

    def test_what_will_run_out(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        account, limit = pool.account("main", kind="chatgpt"), parse_limit("5 requests/ever")
        soon = int((services.clock.now() + 3600) * 1000)
        services.accounts.observe(POOL, account.id, {}, outcome={"windows": [[25, soon, 18_000]]})
        pool.key("ann", limits=(limit,))
        services.scripts.client.hset(keys.limit(POOL, limit.id), mapping={"b": 0, "s": 2})

        page = inside.get(HOME).text
        assert "75\u202f% left" in section(page, "capacity")
        assert "lasts until it resets" in section(page, "capacity")
        assert "40\u202f%" in section(page, "limits")
        assert f'href="/admin/p/{POOL}/keys/ann"' in section(page, "limits")

    def test_whether_it_is_healthy(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        account, key = pool.account("main"), services.api_keys.create(POOL, "ann")[0]
        pool.account("spare")
        services.accounts.pause(POOL, "spare")
        record_request(services.scripts, POOL, services.clock.now() - 1, account=account.id, key=key.id)

        health = section(inside.get(HOME).text, "health")
        assert f'href="/admin/p/{POOL}/accounts?state=paused"' in health
        assert "of 100" in health
        assert "<strong>100\u202fms</strong>" in health

    def test_nothing_to_show(self, inside: Visitor, services: Services) -> None:
        services.pools.ensure(POOL)

        page = inside.get(HOME).text
        assert "No requests in the last 15 minutes" in page
        assert 'data-part="capacity"' not in page
        assert 'data-part="limits"' not in page
        assert "Continue with the first steps" in page


def test_keys_are_read_once(inside: Visitor, services: Services, pool: Furnished) -> None:
    """Findings, limits and names share what was read: a pool may have a thousand keys."""

    def reads() -> int:
        before = _calls(services, "hgetall")
        inside.get(HOME)
        return _calls(services, "hgetall") - before

    pool.account("main")
    pool.key("ann")
    with_one = reads()
    for number in range(10):
        pool.key(f"key-{number}")

    assert reads() - with_one == 10


def _calls(services: Services, command: str) -> int:
    return int(services.scripts.client.info("commandstats")[f"cmdstat_{command}"]["calls"])


def section(page: str, part: str) -> str:
    return page.partition(f'data-part="{part}"')[2].partition("</section>")[0]
