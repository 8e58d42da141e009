"""The pages of accounts."""

from __future__ import annotations

import re
import time
from html import unescape
from pathlib import Path

import pytest

from app.accounts.account import Account
from app.accounts.job_results import JobResult
from app.accounts.kinds.kind import CHAT
from app.accounts.oauth_tokens import Tokens
from app.presentation.accounts import AccountView
from app.stores.records.accounts import AccountOutcome
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor, audited
from tests.support.ledger_rows import record_request
from tests.support.tls import make_certificate
from tests.support.upstream_client import ScriptedUpstream

HOME = f"/admin/p/{POOL}/accounts"


class TestAdding:
    def test_by_key(self, inside: Visitor, services: Services) -> None:
        form = {
            "kind": "openai",
            "name": "main",
            "credential": "sk-secret",
            "cap": "7",
            "models": "gpt-5, o3",
        }

        response = inside.send(f"{HOME}/add", form)

        assert (response.status_code, response.location) == (303, f"{HOME}/main")
        added = services.accounts.find(POOL, "main")
        assert (added.cap, added.models, added.credential) == (7, ("gpt-5", "o3"), "sk-secret")
        assert "Account main was added, but: " in inside.get(response.location).text
        assert "Account main was added." not in inside.get(response.location).text

    def test_a_kind_is_chosen_first(self, inside: Visitor, pool: Furnished) -> None:
        """Its form has the fields of that kind alone."""
        page = inside.get(f"{HOME}/add").text
        openai = inside.get(f"{HOME}/add?kind=openai").text
        compatible = inside.get(f"{HOME}/add?kind=compatible").text

        assert page.count("/accounts/add?kind=") == 3
        assert "/accounts/add?kind=" in inside.get(f"{HOME}/add?kind=demo").text
        assert 'name="websocket"' in openai
        assert 'name="websocket"' not in compatible
        assert re.search(r'name="base_url"[^>]* required', compatible)
        assert not re.search(r'name="base_url"[^>]* required', openai)
        assert re.search(r'name="credential"[^>]* required', openai)
        assert not re.search(r'name="credential"[^>]* required', compatible)

    def test_all_faults_at_once(self, inside: Visitor, services: Services) -> None:
        """Those of the settings of requests as well."""
        form = {
            "kind": "compatible",
            "name": "my server",
            "cap": "x",
            "field_1_name": "a",
            "field_1_value": "b",
            "proxy": "nowhere",
        }

        page = inside.send(f"{HOME}/add", form).text

        for field in ("name", "cap", "base_url", "field_1_value", "proxy"):
            assert f'id="{field}-error"' in page, field

    def test_whether_its_server_streams(self, inside: Visitor, services: Services) -> None:
        assert '<option value="pool" selected>' in inside.get(f"{HOME}/add?kind=openai").text
        form = {"kind": "openai", "credential": "sk-secret", "cap": "", "weight": "", "group": ""}

        inside.send(f"{HOME}/add", form | {"name": "one", "stream_upstream": "never"})
        inside.send(f"{HOME}/add", form | {"name": "two"})

        added = [services.accounts.find(POOL, name).stream_upstream for name in ("one", "two")]
        assert added == ["never", "pool"]

    def test_errors_are_shown_next_to_their_field(self, inside: Visitor, services: Services) -> None:
        """All errors are shown at once; the submitted values remain, except the credential."""
        form = {"kind": "compatible", "name": "my server", "cap": "many", "credential": "sk-secret"}

        response = inside.send(f"{HOME}/add", form)

        assert response.status_code == 400
        for field in ("name", "cap"):
            assert f'id="{field}-error"' in response.text
        assert 'value="my server"' in response.text
        assert "sk-secret" not in response.text
        assert services.accounts.all(POOL) == []
        assert audited(services)[-1]["action"] == "session.open"

    def test_a_taken_name(self, inside: Visitor, pool: Furnished) -> None:
        pool.account("main")

        response = inside.send(f"{HOME}/add", {"kind": "openai", "name": "main", "credential": "sk-x"})

        assert response.status_code == 400
        assert "An account named" in response.text

    def test_a_credential_that_could_not_be_sent(self, inside: Visitor, services: Services) -> None:
        response = inside.send(f"{HOME}/add", {"kind": "openai", "name": "main", "credential": "sk x"})

        assert response.status_code == 400
        assert 'id="credential-error"' in response.text
        assert services.accounts.all(POOL) == []


class TestChanging:
    def test_edit(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.account("main", models=("gpt-5",))

        page = inside.get(f"{HOME}/main/edit").text
        assert 'value="gpt-5"' in page
        assert 'value="100"' in page
        form = {"cap": "5", "weight": "2", "group": "0", "models": "", "stream_upstream": "never"}
        response = inside.send(f"{HOME}/main/edit", form)

        assert response.status_code == 303
        changed = services.accounts.find(POOL, "main")
        assert changed.stream_upstream == "never"
        assert "Streams responses" in inside.get(f"{HOME}/main").text
        assert (changed.cap, changed.weight, changed.models, changed.credential) == (5, 2, (), "sk-main")

    def test_another_credential(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.account("main")
        form = {"cap": "5", "weight": "2", "group": "0", "credential": "sk-new"}

        inside.send(f"{HOME}/main/edit", form)

        assert services.accounts.find(POOL, "main").credential == "sk-new"

    def test_out_of_bounds(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.account("main")

        response = inside.send(f"{HOME}/main/edit", {"cap": "0", "weight": "2", "group": "0"})

        assert response.status_code == 400
        assert 'id="cap-error"' in response.text
        assert services.accounts.find(POOL, "main").weight == 1

    def test_pause_and_resume(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        pool.account("main")

        inside.send(f"{HOME}/main/pause", {}, shown_at=HOME)
        assert services.accounts.find(POOL, "main").state == "paused"
        inside.send(f"{HOME}/main/resume", {}, shown_at=HOME)
        assert services.accounts.find(POOL, "main").state == "active"
        assert [one["action"] for one in audited(services)][-2:] == ["account.pause", "account.resume"]

    def test_what_its_server_refuses(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        account = pool.account("main")
        services.accounts.learn_refused(POOL, account, "chat", "m", ["store"])
        assert "Refused by its server" in inside.get(f"{HOME}/main").text

        inside.send(f"{HOME}/main/forget-refused", {}, shown_at=f"{HOME}/main")

        assert not services.accounts.find(POOL, "main").refused
        assert "Refused by its server" not in inside.get(f"{HOME}/main").text

    def test_usage_that_is_not_understood(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        services.accounts.learn_unknown_usage(POOL, pool.account("main"), ["credits"])
        assert "Usage not understood" in inside.get(f"{HOME}/main").text

        inside.send(f"{HOME}/main/forget-refused", {}, shown_at=f"{HOME}/main")

        assert "Usage not understood" not in inside.get(f"{HOME}/main").text

    def test_remove(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """A key that is bound to it is named first."""
        bound = pool.account("main")
        pool.key("ann", accounts=(bound.id,))

        assert inside.get(f"{HOME}/main/remove").status_code == 200
        refused = inside.send(f"{HOME}/main/remove", {})
        assert refused.status_code == 400
        assert "keys are restricted to it" in refused.text
        assert inside.send(f"{HOME}/main/remove", {"force": "yes"}).status_code == 303
        assert services.accounts.all(POOL) == []

    def test_back_to_where_the_button_was(self, inside: Visitor, pool: Furnished) -> None:
        pool.account("main")

        for page, back in ((HOME, HOME), (f"{HOME}/main", f"{HOME}/main"), ("/elsewhere", f"{HOME}/main")):
            token = inside.csrf_token(HOME)
            referrer = {"Referer": f"http://gate.test{page}"}
            response = inside.post(f"{HOME}/main/pause", {"csrf_token": token}, headers=referrer)
            assert response.location == back


class TestTrying:
    def test_it_answers(
        self, inside: Visitor, services: Services, pool: Furnished, upstream: ScriptedUpstream
    ) -> None:
        services.accounts.add(POOL, Account("", "main", "compatible", upstream.base_url(), protocols=(CHAT,)))

        assert (
            "Test succeeded</strong> with status 200" in inside.send(f"{HOME}/main/test", {"model": "m"}).text
        )

    def test_it_does_not(
        self, inside: Visitor, services: Services, pool: Furnished, upstream: ScriptedUpstream
    ) -> None:
        upstream.script({"play": "http_error", "status": 401, "message": "<b>no</b>"})
        services.accounts.add(POOL, Account("", "main", "compatible", upstream.base_url(), protocols=(CHAT,)))

        page = inside.send(f"{HOME}/main/test", {"model": "m"}).text

        assert "Test failed" in page
        assert "<b>no</b>" not in page

    def test_no_model_is_known(self, inside: Visitor, pool: Furnished) -> None:
        pool.account("main")

        response = inside.send(f"{HOME}/main/test", {"model": ""})

        assert response.status_code == 400
        assert 'id="model-error"' in response.text


class TestShowing:
    def test_states_windows_and_markup(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        one = pool.account("main", cap=9, models=("<script>",))
        services.accounts.observe(POOL, one.id, {}, outcome={"windows": [[62.5, 9_000_000_000_000, 18_000]]})
        services.accounts.pause(POOL, "main", "<b>because</b>")

        for path in (HOME, f"{HOME}/main", f"/admin/p/{POOL}/"):
            page = inside.get(path).text
            assert "0 of 9 in flight" in re.sub("<[^>]+>", "", page)
            assert "&lt;b&gt;because&lt;/b&gt;" in page
            assert "<b>because" not in page
            assert "5 h window" in page
        assert "<script>" not in inside.get(f"{HOME}/main").text.partition("<main")[2]

    def test_a_window_that_is_over_is_not_used(self, pool: Furnished, services: Services) -> None:
        one = pool.account("main", kind="chatgpt")
        services.accounts.observe(POOL, one.id, {}, outcome={"windows": [[62.5, 1000, 18_000]]})

        (window,) = AccountView(services.accounts.find(POOL, "main"), 2.0).windows

        assert (window.used, window.over) == (0, True)

    def test_unknown_name(self, inside: Visitor) -> None:
        for path in ("nobody", "nobody/edit", "nobody/remove", "nobody/test"):
            assert inside.get(f"{HOME}/{path}").status_code == 404

    def test_no_credential_on_any_page(self, inside: Visitor, pool: Furnished) -> None:
        pool.account("main")

        for path in ("", "/main", "/main/edit", "/main/test", "/main/remove"):
            assert "sk-main" not in inside.get(HOME + path).text


TOP_K = {"field_1_name": "top_k", "field_1_value": "5"}


class TestHeaders:
    def test_changed_in_the_form(self, inside: Visitor, pool: Furnished, services: Services) -> None:
        """A secret value is listed by its name, stays without a value, and is removed with its name."""
        pool.account("main")
        typed = {"cap": "1", "weight": "1", "group": "0", "stream_upstream": "pool"}

        inside.send(
            f"{HOME}/main/edit",
            typed
            | {"header_1_name": "X-A", "header_1_value": "1", "header_5_name": "X-B", "header_5_value": "2"}
            | {"secret_header_1_name": "X-S", "secret_header_1_value": "t-secret"},
        )
        edited = inside.get(f"{HOME}/main/edit").text
        assert 'name="header_1_name" value="X-A"' in edited
        assert 'name="secret_header_1_name" value="X-S"' in edited
        page = inside.get(f"{HOME}/main").text + inside.get(f"{HOME}/main/edit").text
        assert "X-S" in page
        assert "t-secret" not in page

        inside.send(
            f"{HOME}/main/edit",
            typed
            | {"header_1_name": "X-B", "header_1_value": "3", "auth_header": "api-key"}
            | {"secret_header_1_name": "X-S", "secret_header_1_value": ""},
        )
        settings = services.accounts.find(POOL, "main").settings
        assert (settings.headers, settings.secret_headers) == ({"X-B": "3"}, {"X-S": "t-secret"})
        inside.send(f"{HOME}/main/edit", typed | {"auth_header": "api-key"})
        settings = services.accounts.find(POOL, "main").settings
        assert (settings.headers, settings.secret_headers) == ({}, {})
        assert settings.auth_header == "api-key"

    def test_names_of_models(self, inside: Visitor, pool: Furnished, services: Services) -> None:
        """Each row is one; what is no longer there is removed."""
        pool.account("main")
        typed = {"cap": "1", "weight": "1", "group": "0", "stream_upstream": "pool"}

        inside.send(
            f"{HOME}/main/edit",
            typed
            | {"model_name_1_name": "gpt-5", "model_name_1_value": "dep", "response_model": "upstream"}
            | {"model_name_2_name": "o3", "model_name_2_value": "dep-2"},
        )
        assert "gpt-5=dep" in inside.get(f"{HOME}/main").text
        assert 'value="dep-2"' in inside.get(f"{HOME}/main/edit").text

        renamed = {"model_name_1_name": "o3", "model_name_1_value": "x", "response_model": "requested"}
        inside.send(f"{HOME}/main/edit", typed | renamed)
        settings = services.accounts.find(POOL, "main").settings
        assert (settings.model_names, settings.response_model) == ({"o3": "x"}, "requested")

    def test_websocket(self, inside: Visitor, pool: Furnished, services: Services) -> None:
        """A form of before the setting leaves it as it is."""
        pool.account("main")
        typed = {"cap": "1", "weight": "1", "group": "0", "stream_upstream": "pool"}

        inside.send(f"{HOME}/main/edit", typed | {"websocket": "on"})
        assert "<dt>WebSocket to its server</dt><dd>on</dd>" in inside.get(f"{HOME}/main").text

        inside.send(f"{HOME}/main/edit", typed)
        assert services.accounts.find(POOL, "main").settings.websocket == "on"
        inside.send(f"{HOME}/main/edit", typed | {"websocket": "off"})
        assert services.accounts.find(POOL, "main").settings.websocket == "off"

    def test_fields(self, inside: Visitor, pool: Furnished, services: Services) -> None:
        pool.account("main")
        typed = {"cap": "1", "weight": "1", "group": "0", "stream_upstream": "pool"}

        inside.send(
            f"{HOME}/main/edit",
            typed
            | {"drop_fields": "user, top_p", "field_1_name": "top_k", "field_1_value": "4"}
            | {"field_2_name": "stop_words", "field_2_value": '["a"]'},
        )
        assert 'stop_words=["a"]' in inside.get(f"{HOME}/main").text
        assert "user, top_p" in inside.get(f"{HOME}/main/edit").text

        inside.send(f"{HOME}/main/edit", typed | {"drop_fields": "user"} | TOP_K)
        settings = services.accounts.find(POOL, "main").settings
        assert (settings.drop_fields, settings.set_fields) == (("user",), {"top_k": 5})

    def test_timeouts(self, inside: Visitor, pool: Furnished, services: Services) -> None:
        """An empty input takes one back."""
        pool.account("main")
        typed = {"cap": "1", "weight": "1", "group": "0", "stream_upstream": "pool"}

        inside.send(f"{HOME}/main/edit", typed | {"timeout_seconds": "300", "connect_timeout_seconds": "2.5"})
        assert "300 s" in inside.get(f"{HOME}/main").text
        assert 'value="2.5"' in inside.get(f"{HOME}/main/edit").text

        refused = inside.send(f"{HOME}/main/edit", typed | {"timeout_seconds": "soon"})
        assert 'id="timeout_seconds-error"' in refused.text
        inside.send(f"{HOME}/main/edit", typed | {"connect_timeout_seconds": "2.5"})
        settings = services.accounts.find(POOL, "main").settings
        assert (settings.timeout_seconds, settings.connect_timeout_seconds) == (0, 2.5)

    def test_certificates(self, inside: Visitor, services: Services, tmp_path: Path) -> None:
        services.accounts.add(POOL, Account("", "main", "openai", "https://127.0.0.1:1/v1", credential="sk"))
        typed = {"cap": "1", "weight": "1", "group": "0", "stream_upstream": "pool"}
        pem = make_certificate(tmp_path)[0].read_text()

        inside.send(f"{HOME}/main/edit", typed | {"ca_certificates": pem})
        assert "CN=somewhere.example" in inside.get(f"{HOME}/main").text
        assert pem.splitlines()[1] in inside.get(f"{HOME}/main/edit").text

        refused = inside.send(f"{HOME}/main/edit", typed | {"ca_certificates": "x"})
        assert 'id="ca_certificates-error"' in refused.text
        assert services.accounts.find(POOL, "main").settings.ca_certificates == pem

    def test_proxy(self, inside: Visitor, pool: Furnished, services: Services) -> None:
        """Its password is never shown, and stays when the form is sent as it was shown."""
        pool.account("main")
        typed = {"cap": "1", "weight": "1", "group": "0", "stream_upstream": "pool"}

        inside.send(f"{HOME}/main/edit", typed | {"proxy": "http://ann:t-secret@127.0.0.1:9"})
        pages = inside.get(f"{HOME}/main").text + inside.get(f"{HOME}/main/edit").text
        assert 'value="http://ann@127.0.0.1:9"' in pages
        assert "t-secret" not in pages
        inside.send(f"{HOME}/main/edit", typed | {"proxy": "http://ann@127.0.0.1:9"})
        proxy = services.accounts.find(POOL, "main").settings.proxy
        assert proxy.full_url == "http://ann:t-secret@127.0.0.1:9"

        refused = inside.send(f"{HOME}/main/edit", typed | {"proxy": "10.0.0.9"})
        assert 'id="proxy-error"' in refused.text

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("http://ann:t-secret@127.0.0.1:9/path", "http://ann:•••@127.0.0.1:9/path"),
            ("htp:/ann:t-secret@127.0.0.1", "htp:•••@127.0.0.1"),
            ("ann:t-secret@host", "ann:•••@host"),
            ("http://ann:t@t-secret/x@host", "http://ann:•••@host"),
            ("http://:t-secret@host", "http://:•••@host"),
            ("http://host:port", "http://host:port"),
        ],
    )
    def test_a_refused_proxy_is_shown_without_its_password(
        self, inside: Visitor, pool: Furnished, url: str, shown: str
    ) -> None:
        """What is shown in place of the password is never taken as one."""
        pool.account("main")
        typed = {"cap": "1", "weight": "1", "group": "0", "stream_upstream": "pool"}

        refused = inside.send(f"{HOME}/main/edit", typed | {"proxy": url})

        assert (refused.status_code, "t-secret" in refused.text) == (400, False)
        assert f'value="{shown}"' in refused.text
        if "•" in shown:
            again = inside.send(f"{HOME}/main/edit", typed | {"proxy": "http://ann:•••@127.0.0.1:9"})
            assert "Type the password again" in again.text

    def test_a_long_text_in_place_of_a_proxy_is_refused_at_once(
        self, inside: Visitor, pool: Furnished
    ) -> None:
        """The search for a password took minutes in it, in which the process served no other request."""
        pool.account("main")
        typed = {"cap": "1", "weight": "1", "group": "0", "stream_upstream": "pool"}
        started = time.monotonic()

        assert inside.send(f"{HOME}/main/edit", typed | {"proxy": "/" * 100_000}).status_code == 400
        assert time.monotonic() - started < 10

    @pytest.mark.parametrize(
        ("rows", "field", "message"),
        [
            ({"field_1_name": "temperature", "field_1_value": "warm"}, "field_1_value", "must be JSON"),
            ({"field_1_name": "temperature", "field_1_value": "null"}, "field_1_value", "must not be null"),
            ({"field_2_name": "a.b", "field_2_value": "2"}, "field_2_name", "the name of a field"),
            (
                TOP_K | {"field_2_name": "n", "field_2_value": "2"},
                "field_2_value",
                "&#39;n&#39; cannot be set",
            ),
            (
                {"drop_fields": "top_k"} | TOP_K,
                "field_1_value",
                "&#39;top_k&#39; cannot be both left out and set",
            ),
            ({"header_2_name": "Host", "header_2_value": "x"}, "header_2_name", "is set by the gateway"),
            ({"header_1_name": "X-A", "header_1_value": ""}, "header_1_value", "must be one line"),
            ({"header_1_value": "1"}, "header_1_name", "A name is missing"),
            ({"header_1_name": "Cookie", "header_1_value": "1"}, "header_1_value", "holds a secret"),
            (
                {
                    "header_1_name": "X-A",
                    "header_1_value": "1",
                    "header_2_name": "x-a",
                    "header_2_value": "2",
                },
                "header_2_name",
                "There is another header",
            ),
            ({"secret_header_1_name": "X-S"}, "secret_header_1_value", "must be one line"),
            (
                {"model_name_1_name": "gpt-*", "model_name_1_value": "x"},
                "model_name_1_value",
                "not a pattern",
            ),
            ({"header_1_name": "X" * 300, "header_1_value": "1"}, "header_1_name", "at most 64"),
        ],
    )
    def test_errors_are_at_their_row(
        self, inside: Visitor, pool: Furnished, rows: dict[str, str], field: str, message: str
    ) -> None:
        pool.account("main")
        typed = {"cap": "1", "weight": "1", "group": "0"}

        response = inside.send(f"{HOME}/main/edit", typed | rows)

        assert response.status_code == 400
        found = re.search(rf'id="{field}-error">([^<]*)', response.text)
        assert message in (found[1] if found else "")

    def test_more_rows_than_there_may_be(self, inside: Visitor, pool: Furnished, services: Services) -> None:
        """They are refused, not left out without a word."""
        pool.account("main")
        rows = {"header_33_name": "X-A", "header_33_value": "1", "header_99999999_name": "X-B"}

        refused = inside.send(f"{HOME}/main/edit", {"cap": "1", "weight": "1", "group": "0"} | rows)

        assert (refused.status_code, "which is the limit" in refused.text) == (400, True)
        assert services.accounts.find(POOL, "main").settings.headers == {}


class TestFailures:
    def test_rescued(self, inside: Visitor, pool: Furnished, services: Services) -> None:
        """What another account saved is counted and shown at the account that failed."""
        bad, good = pool.account("bad").id, pool.account("good").id
        failed = {"account": bad, "wire": "chat", "error": "bad_gateway", "failure": "server_error"}
        record_request(
            services.scripts,
            POOL,
            time.time(),
            account=good,
            attempts=[failed | {"scope": "account, briefly"}, {"account": good, "wire": "chat"}],
        )

        page = inside.get(f"{HOME}/bad").text
        assert "bad_gateway, rescued by another account" in page
        assert "1 attempt, 1 failed (100\u202f%), 1 rescued by another account with the same model" in page
        assert "also those that requests caused: 1 server error" in page
        links = re.findall(r'href="([^"]*/requests[?][^"]*)">those', page)
        assert [unescape(link).partition("?")[2] for link in links] == [
            "tried=bad&status=failed",
            "tried=bad&retried=true",
        ]
        found = ["No request" not in inside.get(unescape(link)).text for link in links]
        assert found == [False, True]
        assert '<td data-label="Rescued" class="number roomy">1</td>' in inside.get(HOME).text
        assert "rescued" not in inside.get(f"{HOME}/good").text.partition("Recent errors")[2]


class TestList:
    def test_filters_and_order_are_in_the_address(self, inside: Visitor, pool: Furnished) -> None:
        for name in ("account-10", "account-2"):
            pool.account(name)
        pool.account("gpu", kind="compatible")

        def names(query: str) -> list[str]:
            return re.findall(
                r'<th scope="row"[^>]*><a href="[^"]*accounts/([\w-]+)">', inside.get(f"{HOME}{query}").text
            )

        assert names("") == ["account-2", "account-10", "gpu"]
        assert names("?sort=-name") == ["gpu", "account-10", "account-2"]
        assert names("?kind=compatible") == ["gpu"]
        assert names("?q=ACCOUNT&sort=nonsense") == ["account-2", "account-10"]
        assert names("?state=not_used_yet&model=m") == ["account-2", "account-10", "gpu"]
        assert "No account matches" in inside.get(f"{HOME}?q=zzz").text

    def test_the_identity_of_a_sign_in(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """By its plan and a part of its address."""
        tokens = Tokens("a", "r", "", 0, 0, "acc", "plus", "ann.miller@example.com")
        services.accounts.add(POOL, Account("", "one", "chatgpt", "http://127.0.0.1:9"), tokens)

        page = inside.get(HOME).text

        assert 'chatgpt <span class="muted">plus</span>' in page
        assert "an…@example.com" in page
        assert "ann.miller" not in page
        assert ">plus</option>" in page


class TestDetail:
    def test_models_that_rest(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        """They are listed with the reason; the button lets them be tried again."""
        main = pool.account("main")
        outcome: AccountOutcome = {"model": "gpt-5", "why": "missing", "wait_ms": 60_000}
        services.accounts.observe(POOL, main.id, {}, outcome=outcome)

        page = inside.get(f"{HOME}/main").text
        assert "Models that get no requests here for a while" in page
        assert "<code>gpt-5</code><span>missing at its server</span>" in page
        assert "1 model rests" in inside.get(HOME).text

        inside.send(f"{HOME}/main/resume", {}, shown_at=f"{HOME}/main")
        page = inside.get(f"{HOME}/main").text
        assert "Account main was active; 1 model may be tried again." in page
        assert "no requests here for a while" not in page

    def test_today_and_the_last_30_days(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        account = pool.account("main")
        for days in (0, 0, 5):
            at = time.time() - days * 86_400
            record_request(services.scripts, POOL, at, account=account.id, cost=2_000_000)

        page = inside.get(f"{HOME}/main").text

        assert "<dt>Today</dt><dd>2 requests, $4.00</dd>" in page
        assert "<dt>Last 30 days</dt><dd>3 requests, $6.00</dd>" in page

    @pytest.mark.parametrize("path", ["/main", "/main/edit"])
    def test_what_needs_attention(
        self, path: str, inside: Visitor, services: Services, pool: Furnished
    ) -> None:
        """The findings of `poolgate doctor` about the account, such as that of a wrong base URL."""
        account = pool.account("main")
        result = JobResult(1_774_742_400, "upstream_unavailable")
        services.accounts.observe(POOL, account.id, {"look_models": result.to_json()})

        assert "It has never answered" in inside.get(f"{HOME}{path}").text

    def test_models_without_a_price(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        account = pool.account("main")
        services.accounts.list_models(POOL, account.id, ["gpt-5", "own-7b"])

        page = inside.get(f"{HOME}/main").text

        assert "2 models, 1 without a price" in page
        assert page.count("no price</a>") == 1

    def test_a_sign_in(self, inside: Visitor, services: Services, pool: Furnished) -> None:
        tokens = Tokens("a", "r", "", 0, 0, "acc", "plus", "ann@example.com")
        services.accounts.add(POOL, Account("", "one", "chatgpt", "http://127.0.0.1:9"), tokens)

        page = inside.get(f"{HOME}/one").text

        assert "<dt>Plan</dt><dd>plus</dd>" in page
        assert "<dt>WebSocket to its server</dt><dd>off</dd>" in page
        assert "ann@example.com" in page
