"""
An OpenID Connect issuer for tests, over real HTTP: discovery, keys, code with PKCE, and claims of the user.

It is strict about what a client sends. `claims`, `header` and the other attributes change its responses, so
that a test can make it hostile.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

Json = dict[str, Any]
CLIENT_ID, CLIENT_SECRET = "poolgate-test", "a client secret of the test"


class OidcIssuer:
    """A handle on one issuer, which ends with the `with` block."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]
        self.person: Json = {"sub": "person-1", "email": "ann@example.com", "email_verified": True}
        self.claims: Json = {}  # replace claims of the ID token; None removes one
        self.userinfo: Json = {}
        self.make_token: Callable[[Json], str] = self.signed
        self.discovery: Json = {}  # replaces fields of the discovery document
        self.jwks: bytes | None = None
        self.delay_seconds = 0.0  # before the response of the token endpoint
        self.calls: list[str] = []
        self._codes: dict[str, Json] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                issuer.respond(self, b"")

            def do_POST(self) -> None:
                issuer.respond(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def signed(self, claims: Json) -> str:
        """Return *claims* as an ID token, signed with the newest key."""
        key = self.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)

    def unsigned(self, claims: Json) -> str:
        return f"{_part({'alg': 'none'})}.{_part(claims)}."

    def signed_with_the_public_key(self, claims: Json) -> str:
        """Return a token with confused algorithms: HS256, with the public key as its secret."""
        text = f"{_part({'alg': 'HS256', 'kid': self.keys[0].kid})}.{_part(claims)}"
        digest = hmac.digest(self.keys[0].as_pem(private=False), text.encode(), "sha256")
        return f"{text}.{_base64(digest)}"

    def signed_with_another_key(self, claims: Json) -> str:
        other = RSAKey.generate_key(2048, {"kid": self.keys[-1].kid})
        return jwt.encode({"alg": "RS256", "kid": self.keys[-1].kid}, claims, other)

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.calls.append(parts.path)
        match parts.path:
            case "/.well-known/openid-configuration":
                return _send(handler, 200, self._discovery())
            case "/jwks":
                keys = {"keys": [key.as_dict(private=False) for key in self.keys]}
                return _send(handler, 200, self.jwks or keys)
            case "/authorize":
                return _redirect(handler, self._authorize(query))
            case "/token":
                time.sleep(self.delay_seconds)
                form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
                return _send(handler, *self._token(handler, form))
            case "/userinfo":
                is_known = handler.headers["Authorization"] == "Bearer access"
                return _send(handler, 200 if is_known else 401, {"sub": self.person["sub"], **self.userinfo})
        return _send(handler, 404, {})

    def _discovery(self) -> Json:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            **self.discovery,
        }

    def _authorize(self, query: Json) -> str:
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        response = {"code": code, "state": query["state"], "iss": self.url}
        return f"{query['redirect_uri']}?{urlencode(response)}"

    def _token(self, handler: BaseHTTPRequestHandler, form: Json) -> tuple[int, Json]:
        known = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if handler.headers["Authorization"] != f"Basic {known}":
            return 401, {"error": "invalid_client"}
        query = self._codes.pop(form["code"], None)
        challenge = _base64(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            query is None
            or query["code_challenge"] != challenge
            or query["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        issued = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": query["nonce"]}
        claims = {**issued, **self.person, **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.make_token(claims)
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": token}


def _send(handler: BaseHTTPRequestHandler, status: int, content: Json | bytes) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    try:
        handler.wfile.write(body)
    except OSError:  # the client has closed the connection
        handler.close_connection = True


def _redirect(handler: BaseHTTPRequestHandler, where: str) -> None:
    handler.send_response(302)
    handler.send_header("Location", where)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _part(content: Json) -> str:
    return _base64(json.dumps(content).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
