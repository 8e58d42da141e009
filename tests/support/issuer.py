"""
A sign-in service for tests: a real HTTP process that rotates refresh tokens and forgives nothing.

    python -m tests.support.issuer      prints {"port": N}, ends when its stdin closes

A second use of a refresh token is answered with `refresh_token_reused` and ends that sign-in.
The control calls, which `Issuer` in `issuer_client` makes:

    POST /_sign_in    {seconds, account_id, email, plan}   a new sign-in; returns its tokens
    POST /_approve  {user_code}                 the person enters a device code
    POST /_stage    {name, plays}               how the next exchanges of that sign-in go, in order:
                    {status, body}  a response, without an exchange      {}  as always
                    {hold: "before" | "after"}  stand still before the exchange, or after it
                    {lose: true}    exchange, and hang up without a response
    POST /_release  {name}                      let that sign-in's held exchange go on
    GET  /_sign_in    ?name=                      {exchanges, reused, alive, held, reasons}
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import gevent.socket
import orjson
from gevent.event import Event
from gevent.server import StreamServer

from tests.support.http_server import HttpError, Request, head, json_response, read_request
from tests.support.sign_in_tokens import issued_token

Json = dict[str, Any]


@dataclass
class SignIn:
    name: str
    about: Json
    exchanges: int = 0
    reused: int = 0
    alive: bool = True
    held: str = ""
    reasons: list[str] = field(default_factory=list)
    plays: list[Json] = field(default_factory=list)
    gate: Event = field(default_factory=Event)

    def tokens(self) -> Json:
        """Tokens of the current rotation: `<name>.<rotation>` is what a refresh token looks like."""
        auth = {"chatgpt_account_id": self.about["account_id"], "chatgpt_plan_type": self.about["plan"]}
        claims: Json = {"https://api.openai.com/auth": auth, "jti": f"{self.name}.{self.exchanges}"}
        expiry = {"exp": int(time.time() + self.about["seconds"])}
        return {
            "access_token": issued_token(**claims, **expiry),
            "id_token": issued_token(**claims, email=self.about["email"]),
            "refresh_token": f"{self.name}.{self.exchanges}",
        }


class Lost(Exception):
    """The response is not to be sent."""


class Service:
    def __init__(self) -> None:
        self._sign_ins: dict[str, SignIn] = {}
        self._numbers = itertools.count(1)
        self._codes: dict[str, Json] = {}  # authorization codes, with the parameters of their requests
        self._devices: dict[str, Json] = {}

    def serve(self, sock: Any, address: Any) -> None:
        reader = sock.makefile("rb")
        try:
            while (request := read_request(reader, sock)) is not None:
                sock.sendall(self._response(request))
        except (OSError, Lost, HttpError):
            return
        finally:
            reader.close()

    def _response(self, request: Request) -> bytes:
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        match request.method, request.path:
            case "POST", "/oauth/token":
                return self._token(request)
            case "GET", "/oauth/authorize":
                return self._authorize(query)
            case "POST", "/api/accounts/deviceauth/usercode":
                return self._device_start(request.json())
            case "POST", "/api/accounts/deviceauth/token":
                return self._device_poll(request.json())
            case "GET", "/_sign_in":
                return json_response(200, self._state(self._sign_ins[query["name"]]), {})
            case "POST", path if path.startswith("/_"):
                return json_response(200, getattr(self, path[1:])(**request.json()), {})
        return json_response(404, {}, {})

    def _sign_in(self, seconds: int = 3600, **about: Any) -> Json:
        sign_in = self._new_sign_in(seconds=seconds, **about)
        return {"name": sign_in.name, **sign_in.tokens()}

    def _new_sign_in(self, **about: Any) -> SignIn:
        name = f"sign_in{next(self._numbers)}"
        made = {"seconds": 3600, "account_id": f"acc-{name}", "email": f"{name}@example.com", "plan": "plus"}
        self._sign_ins[name] = SignIn(name, made | about)
        return self._sign_ins[name]

    def _approve(self, user_code: str) -> Json:
        self._devices[user_code]["approved"] = True
        return {}

    def _stage(self, name: str, plays: list[Json]) -> Json:
        self._sign_ins[name].plays = plays
        return {}

    def _release(self, name: str) -> Json:
        self._sign_ins[name].gate.set()
        return {}

    def _state(self, sign_in: SignIn) -> Json:
        names = ("exchanges", "reused", "alive", "held", "reasons")
        return {name: getattr(sign_in, name) for name in names}

    def _token(self, request: Request) -> bytes:
        if request.headers["content-type"] == "application/x-www-form-urlencoded":
            form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
            return self._redeem(form)
        body = request.json()
        sign_in = self._sign_ins.get(body["refresh_token"].rpartition(".")[0])
        if sign_in is None or body["grant_type"] != "refresh_token":
            return json_response(400, {"error": "invalid_grant"}, {})
        play = sign_in.plays.pop(0) if sign_in.plays else {}
        if "status" in play:
            return json_response(play["status"], play.get("body", {}), {})
        self._hold(sign_in, play, "before")
        response = self._exchange(sign_in, body)
        self._hold(sign_in, play, "after")
        if play.get("lose"):
            raise Lost
        return response

    def _hold(self, sign_in: SignIn, play: Json, where: str) -> None:
        if play.get("hold") == where:
            sign_in.gate.clear()
            sign_in.held = where
            sign_in.gate.wait()
            sign_in.held = ""

    def _exchange(self, sign_in: SignIn, body: Json) -> bytes:
        if not sign_in.alive:
            return json_response(401, {"error": {"code": "refresh_token_invalidated"}}, {})
        if body["refresh_token"] != f"{sign_in.name}.{sign_in.exchanges}":
            sign_in.reused += 1
            sign_in.alive = False
            return json_response(401, {"error": {"code": "refresh_token_reused"}}, {})
        sign_in.exchanges += 1
        sign_in.reasons.append(body["refresh_reason"])
        return json_response(200, sign_in.tokens(), {})

    def _authorize(self, query: Json) -> bytes:
        """Sign in at once, as a person who consents."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = f"code{next(self._numbers)}"
        self._codes[code] = query
        where = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        return head(302, {"location": where, "content-length": "0"})

    def _redeem(self, form: Json) -> bytes:
        requested = self._codes.pop(form["code"], {})
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            requested.get("code_challenge") != challenge
            or requested.get("redirect_uri") != form["redirect_uri"]
        ):
            return json_response(400, {"error": "invalid_grant", "error_description": "no such code"}, {})
        return json_response(200, self._new_sign_in().tokens(), {})

    def _device_start(self, body: Json) -> bytes:
        user_code = f"CODE-{next(self._numbers)}"
        self._devices[user_code] = {"id": f"device-{user_code}", "approved": False}
        device_code = {"device_auth_id": f"device-{user_code}", "user_code": user_code, "interval": "0.01"}
        return json_response(200, device_code, {})

    def _device_poll(self, body: Json) -> bytes:
        device = self._devices[body["user_code"]]
        if not device["approved"] or device["id"] != body["device_auth_id"]:
            return json_response(403, {"error": {"code": "deviceauth_authorization_unknown"}}, {})
        verifier, code = f"verifier-{body['user_code']}", f"code{next(self._numbers)}"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        port = listener.getsockname()[1]
        redirect_uri = f"http://127.0.0.1:{port}/deviceauth/callback"
        self._codes[code] = {"code_challenge": challenge, "redirect_uri": redirect_uri}
        response = {"authorization_code": code, "code_challenge": challenge, "code_verifier": verifier}
        return json_response(200, response, {})


listener = gevent.socket.socket()


def main() -> None:
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    StreamServer(listener, Service().serve).start()
    print(orjson.dumps({"port": listener.getsockname()[1]}).decode(), flush=True)
    gevent.socket.wait_read(sys.stdin.fileno())


if __name__ == "__main__":
    main()
