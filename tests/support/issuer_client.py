"""The client of the sign-in service for tests, and accounts that are signed in there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import requests

from app.accounts.account import Account
from app.accounts.oauth_tokens import Tokens, tokens_from_response
from app.wiring import Services

ROOT = Path(__file__).parents[2]

Json = dict[str, Any]


class Issuer:
    """A handle on one process, which ends by `stop`, or with the process that started it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.issuer"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{json.loads(self._process.stdout.readline())['port']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)

    def sign_in(self, seconds: float = 3600, **about: Any) -> tuple[str, Tokens]:
        """Return the name of a new sign-in and its tokens; the access token lasts *seconds*."""
        response = self._post("/_sign_in", {"seconds": seconds, **about})
        return response["name"], tokens_from_response(response, time.time())

    def approve(self, user_code: str) -> None:
        self._post("/_approve", {"user_code": user_code})

    def stage(self, name: str, *plays: Json) -> None:
        """Set how the next exchanges of the sign-in *name* go."""
        self._post("/_stage", {"name": name, "plays": plays})

    def release(self, name: str) -> None:
        self._post("/_release", {"name": name})

    def sign_in_state(self, name: str) -> Json:
        """Return {exchanges, reused, alive, held, reasons} of sign-in *name*."""
        response: Json = requests.get(f"{self.url}/_sign_in", {"name": name}, timeout=10).json()
        return response

    def _post(self, call: str, body: Json) -> Json:
        response: Json = requests.post(self.url + call, json=body, timeout=10).json()
        return response


def signed_in(
    services: Services, issuer: Issuer, *, pool: str = "default", name: str = "ann", **about: Any
) -> tuple[str, Account]:
    """Return the name of a new sign-in and the account in *pool* that has it."""
    sign_in, tokens = issuer.sign_in(**about)
    services.pools.ensure(pool)
    account = Account(
        id="",
        name=name,
        kind="chatgpt",
        base_url=services.settings.chatgpt_base_url,
        protocols=("responses",),
        chatgpt_account_id=tokens.account_id,
    )
    return sign_in, services.accounts.add(pool, account, tokens)
