"""The OAuth requests, against a sign-in service that checks them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from app.errors import UpstreamProtocolError, UpstreamRedirected, UpstreamRejected, UpstreamUnreachable
from app.upstream.oauth import CLIENT_ID, Grant, OAuth, challenge_of, new_verifier
from tests.support.ports import free_port

REDIRECT = "http://127.0.0.1:1455/auth/callback"


def oauth_at(issuer: str) -> OAuth:
    return OAuth(issuer, connect_timeout_seconds=5, originator="poolgate", user_agent="poolgate/1")


@pytest.fixture
def oauth(issuer):
    return oauth_at(issuer.url)


def test_challenge():
    """The example of RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_verifiers_are_new_and_long_enough():
    assert len({new_verifier() for _ in range(10)}) == 10
    assert 43 <= len(new_verifier()) <= 128


class TestBrowser:
    def test_the_requested_parameters(self, oauth, issuer):
        url = urlsplit(oauth.authorize_url(REDIRECT, "v", "s"))

        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{issuer.url}/oauth/authorize"
        assert parse_qs(url.query) == {
            "response_type": ["code"],
            "client_id": [CLIENT_ID],
            "redirect_uri": [REDIRECT],
            "scope": ["openid profile email offline_access"],
            "code_challenge": [challenge_of("v")],
            "code_challenge_method": ["S256"],
            "state": ["s"],
            "id_token_add_organizations": ["true"],
            "codex_cli_simplified_flow": ["true"],
            "originator": ["poolgate"],
        }

    def test_a_code_becomes_tokens(self, oauth):
        verifier = new_verifier()

        response = oauth.exchange(Grant(self.code(oauth, verifier), verifier, REDIRECT))

        assert {"access_token", "refresh_token", "id_token"} <= response.keys()

    def test_only_with_the_verifier_of_the_request(self, oauth):
        with pytest.raises(UpstreamRejected) as refused:
            oauth.exchange(Grant(self.code(oauth, new_verifier()), new_verifier(), REDIRECT))

        assert refused.value.code == "invalid_grant"

    def code(self, oauth: OAuth, verifier: str) -> str:
        response = requests.get(
            oauth.authorize_url(REDIRECT, verifier, "s"), allow_redirects=False, timeout=10
        )
        return parse_qs(urlsplit(response.headers["location"]).query)["code"][0]


class TestDevice:
    def test_from_code_to_tokens(self, oauth, issuer):
        device = oauth.start_device()
        assert device.page == f"{issuer.url}/codex/device"
        assert device.interval_seconds == 0.01  # sent as a string
        assert oauth.poll_device(device) is None

        issuer.approve(device.user_code)

        assert "refresh_token" in oauth.exchange(oauth.poll_device(device))


class TestRefresh:
    def test_rotates(self, oauth, issuer):
        sign_in, tokens = issuer.sign_in()

        response = oauth.refresh(tokens.refresh_token, "proactive_expiry")

        assert response["refresh_token"] == f"{sign_in}.1"
        assert issuer.sign_in_state(sign_in)["reasons"] == ["proactive_expiry"]

    def test_a_used_token_ends_the_sign_in(self, oauth, issuer):
        """The simulated service that the other tests use confirms it."""
        sign_in, tokens = issuer.sign_in()
        oauth.refresh(tokens.refresh_token, "proactive_expiry")

        with pytest.raises(UpstreamRejected) as refused:
            oauth.refresh(tokens.refresh_token, "proactive_expiry")

        assert (refused.value.code, refused.value.upstream_status) == ("refresh_token_reused", 401)
        assert not issuer.sign_in_state(sign_in)["alive"]

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (400, {"error": "invalid_grant", "error_description": "secret"}, "invalid_grant"),
            (401, {"error": {"type": "session", "message": "secret"}}, "session"),
            (403, {"detail": "secret"}, "status_403"),
            (400, {"error": "a secret with spaces"}, "status_400"),
            (500, [], "status_500"),
        ],
    )
    def test_refusals_show_only_their_code(self, oauth, issuer, status, body, code):
        sign_in, tokens = issuer.sign_in()
        issuer.stage(sign_in, {"status": status, "body": body})

        with pytest.raises(UpstreamRejected) as refused:
            oauth.refresh(tokens.refresh_token, "proactive_expiry")

        assert refused.value.code == code
        assert "secret" not in str(refused.value)

    def test_responses_that_make_no_sense(self, oauth, issuer):
        sign_in, tokens = issuer.sign_in()
        issuer.stage(sign_in, {"status": 200, "body": []})

        with pytest.raises(UpstreamProtocolError):
            oauth.refresh(tokens.refresh_token, "proactive_expiry")

    def test_redirect_is_reported_as_such(self, oauth, issuer):
        sign_in, tokens = issuer.sign_in()
        issuer.stage(sign_in, {"status": 302, "body": {}})

        with pytest.raises(UpstreamRedirected):
            oauth.refresh(tokens.refresh_token, "proactive_expiry")

    def test_a_response_that_never_came(self, oauth, issuer):
        sign_in, tokens = issuer.sign_in()
        issuer.stage(sign_in, {"lose": True})

        with pytest.raises(UpstreamUnreachable) as lost:
            oauth.refresh(tokens.refresh_token, "proactive_expiry")

        assert lost.value.sent

    def test_nothing_listens(self):
        with pytest.raises(UpstreamUnreachable) as lost:
            oauth_at(f"http://127.0.0.1:{free_port()}").refresh("token", "proactive_expiry")

        assert not lost.value.sent
