"""The metadata of an issuer: read seldom, also while it is down, and never from another address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from app.config import SignInSettings
from app.errors import UpstreamError, UpstreamProtocolError, UpstreamRedirected, UpstreamUnreachable
from app.operators import oidc_issuer
from app.operators.oidc import OidcClient
from app.operators.oidc_issuer import METADATA_SECONDS, RETRY_SECONDS, OidcIssuer
from app.upstream import bounded_body
from app.upstream.oidc import OidcHttp
from tests.support.oidc_issuer import OidcIssuer as IssuerOfTest
from tests.support.ports import free_port

KEY = OKPKey.generate_key("Ed25519").as_dict(private=False)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class ScriptedHttp:
    """Counts attempts; fails as long as `error` is set, and waits for `gate` where there is one."""

    def __init__(self) -> None:
        self.attempts = 0
        self.error: UpstreamError | None = None
        self.gate: threading.Event | None = None
        self.begun = threading.Event()

    def get(self, url: str) -> dict[str, Any]:
        if url.endswith("/jwks"):
            return {"keys": [KEY]}
        self.attempts += 1
        self.begun.set()
        if self.gate is not None:
            self.gate.wait(10)
        if self.error is not None:
            raise self.error
        at = "https://id.test"
        return {
            "issuer": at,
            "authorization_endpoint": f"{at}/a",
            "token_endpoint": f"{at}/t",
            "jwks_uri": f"{at}/jwks",
        }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def http() -> ScriptedHttp:
    return ScriptedHttp()


@pytest.fixture
def issuer(http: ScriptedHttp, clock: Clock) -> OidcIssuer:
    return OidcIssuer("https://id.test", http, clock)  # type: ignore[arg-type]


@pytest.fixture
def server() -> Iterator[IssuerOfTest]:
    with IssuerOfTest() as server:
        yield server


def test_read_once_an_hour(issuer, http, clock):
    for _ in range(3):
        issuer.current()
    assert http.attempts == 1

    clock.seconds += METADATA_SECONDS
    issuer.current()
    assert http.attempts == 2


class TestDown:
    def test_one_attempt_in_some_seconds(self, issuer, http, clock):
        http.error = UpstreamUnreachable("The sign-in service is not reachable")
        with pytest.raises(UpstreamUnreachable):
            issuer.current()

        clock.seconds += 2
        with pytest.raises(UpstreamError, match="is not reachable: try again") as raised:
            issuer.current()

        assert http.attempts == 1
        assert raised.value.retry_after_seconds == RETRY_SECONDS - 2

    def test_a_date_that_is_set_back(self, http, clock):
        """The wait is by a clock that is never set: else it would last until the wrong date is reached."""
        client = OidcClient(SignInSettings(oidc_issuer="https://id.test", oidc_client_id="c"), http, clock)
        http.error = UpstreamUnreachable("down")
        with pytest.raises(UpstreamUnreachable):
            client.begin("https://gate.test/")

        clock.seconds -= 86_400
        with pytest.raises(UpstreamError, match="try again") as raised:
            client.begin("https://gate.test/")

        assert raised.value.retry_after_seconds <= RETRY_SECONDS

    def test_it_recovers_by_itself(self, issuer, http, clock):
        http.error = UpstreamUnreachable("down")
        with pytest.raises(UpstreamError):
            issuer.current()
        http.error = None

        clock.seconds += RETRY_SECONDS

        assert issuer.current().fields["issuer"] == "https://id.test"

    def test_after_an_hour_of_use(self, issuer, http, clock):
        issuer.current()
        clock.seconds += METADATA_SECONDS
        http.error = UpstreamUnreachable("down")
        for _ in range(3):
            with pytest.raises(UpstreamError):
                issuer.current()

        assert http.attempts == 2

    def test_others_do_not_wait_for_an_attempt_that_hangs(self, issuer, http, monkeypatch):
        monkeypatch.setattr(oidc_issuer, "WAIT_SECONDS", 0.01)
        http.gate = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(issuer.current)
            assert http.begun.wait(10)

            with pytest.raises(UpstreamError, match="has not answered yet"):
                issuer.current()

            http.gate.set()
            assert first.result(10) is issuer.current()
        assert http.attempts == 1

    def test_others_share_an_attempt_that_succeeds(self, issuer, http):
        with ThreadPoolExecutor(20) as pool:
            found = list(pool.map(lambda _: issuer.current(), range(20)))

        assert http.attempts == 1
        assert {id(one) for one in found} == {id(found[0])}


class TestNewerKeys:
    def test_read_again(self, issuer, http, clock):
        known = issuer.current()
        clock.seconds += RETRY_SECONDS

        assert issuer.newer(known) is not known
        assert http.attempts == 2

    def test_not_within_seconds(self, issuer, http):
        """Tokens with unknown keys cause no more requests than these."""
        known = issuer.current()

        assert [issuer.newer(known) for _ in range(3)] == [known] * 3
        assert http.attempts == 1

    def test_a_failure_loses_no_keys(self, issuer, http, clock):
        known = issuer.current()
        clock.seconds += RETRY_SECONDS
        http.error = UpstreamUnreachable("down")
        with pytest.raises(UpstreamError):
            issuer.newer(known)

        assert issuer.current() is known


class TestHostile:
    """Over real HTTP."""

    def issuer(self, url: str) -> OidcIssuer:
        return OidcIssuer(url, OidcHttp(user_agent="poolgate/1"))

    def test_a_document_that_is_too_large(self, server):
        server.discovery = {"x": "x" * bounded_body.MAX_RESPONSE_BYTES}

        with pytest.raises(UpstreamProtocolError, match="too long"):
            self.issuer(server.url).current()

    @pytest.mark.parametrize("named", ["https://evil.test", "", None, 7, ["x"]])
    def test_another_issuer(self, server, named):
        server.discovery = {"issuer": named}

        with pytest.raises(UpstreamProtocolError, match="another issuer"):
            self.issuer(server.url).current()

    def test_a_redirect_to_a_private_address(self, server):
        """None is followed, so none has to be checked."""
        response = b"HTTP/1.1 302 Found\r\nLocation: " + server.url.encode() + b"/jwks\r\n\r\n"

        with _server(response) as port, pytest.raises(UpstreamRedirected):
            self.issuer(f"http://127.0.0.1:{port}").current()

        assert server.calls == []

    def test_not_there(self):
        with pytest.raises(UpstreamUnreachable):
            self.issuer(f"http://127.0.0.1:{free_port()}").current()


class _server:
    """A server that sends *data* to its first client."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client:
            client.recv(65536)
            client.sendall(self._data)
