"""
Cases about what upstreams report of an account: lists of models, usage windows, renewed tokens.

A web worker reads them when the account is added, a background worker reads them later. What must hold:
no job fails or takes long, what is stored is bounded, and an honest report afterwards is taken up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import orjson

from app.accounts import kinds
from app.accounts.account import Account
from app.accounts.oauth_tokens import Tokens
from app.stores import keys
from tests.fuzz.afterwards import Operator
from tests.fuzz.case import Call, Json, Play, Played, Shown
from tests.fuzz.judge import late, logged
from tests.fuzz.ordinary import HONEST
from tests.fuzz.ordinary import JSON as JSON_HEADERS
from tests.fuzz.responses import HTTP_CHANGES, rejected
from tests.fuzz.responses import send as send_step
from tests.fuzz.stage import Stage, send
from tests.fuzz.values import odd, written
from tests.support.gateway import ROOT, PoolOfTest

KINDS = ("openai", "compatible", "chatgpt", "chatgpt")
MODELS: Json = {
    "object": "list",
    "data": [
        {"id": name, "object": "model", "created": 1, "owned_by": "them"}
        for name in ("m", "gpt-4o", "honest")
    ],
}
CODEX_MODELS: Json = {
    "models": [
        {
            **{"slug": name, "display_name": "M", "description": "A model", "context_window": 100_000},
            **{
                "input_modalities": ["text"],
                "supported_reasoning_levels": [{"effort": "low", "description": ""}],
            },
            **{"default_reasoning_level": "low", "supports_reasoning_summaries": True, "priority": 1},
            **{"support_verbosity": True, "default_verbosity": "low", "prefer_websockets": False},
            **{
                "supports_parallel_tool_calls": True,
                "supported_in_api": True,
                "minimal_client_version": "0.1",
            },
            **{"base_instructions": "Be short.", "shell_type": "shell_command", "visibility": "list"},
            **{"truncation_policy": {"mode": "bytes", "limit": 1}, "experimental_supported_tools": []},
        }
        for name in ("m", "honest")
    ]
}
WINDOW = {
    "used_percent": 12,
    "limit_window_seconds": 18_000,
    "reset_after_seconds": 60,
    "reset_at": 4_000_000_000,
}
USAGE: Json = {
    "plan_type": "pro",
    "rate_limit": {
        **{"allowed": True, "limit_reached": False, "primary_window": WINDOW, "secondary_window": WINDOW},
        **{"monthly_window": WINDOW},
    },
    "credits": {"has_credits": True, "unlimited": False, "balance": "5.5"},
}
RENEWED: Json = {"access_token": "access-2", "refresh_token": "refresh-2", "id_token": "", "expires_in": 3600}
LENGTHS = (0, 1, 5000, 5001, 40_000)
MAX_BYTES = 5 * 1024 * 1024  # names, metadata, catalogue and usage, each up to a MiB, and all else
MAX_JOB_SECONDS = 45.0  # two queries of ten seconds and a renewal of ten, with what is busy here
MAX_TURN_SECONDS = 0.25
TIMEOUT_SECONDS = 120.0
CREDENTIAL_ENDS = ("credential_dead", "paused")


@dataclass(frozen=True, slots=True)
class ReportCase(Shown):
    """What each report of an account of this *kind* is, of the first time that it is queried on."""

    kind: str
    models: Play
    usage: Play
    renewal: Play


def report_case(name: str, chance: Random) -> ReportCase:
    kind = chance.choice(KINDS)
    models = _play(chance, CODEX_MODELS if kind == "chatgpt" else MODELS, _huge_list)
    return ReportCase(
        name, kind, models, _play(chance, USAGE, _huge_usage), _play(chance, RENEWED, _huge_tokens)
    )


def honest(body: Json) -> Json:
    """Return the play that answers *body*."""
    return {
        "status": 200,
        "headers": dict(JSON_HEADERS),
        "framing": "length",
        "steps": [send_step(json.dumps(body))],
    }


def _play(chance: Random, body: Json, huge: Callable[[Random], Any]) -> Play:
    kind = chance.random()
    if kind < 0.1:
        return Play(honest(body), "honest")
    if kind < 0.2:
        return rejected(chance)
    if kind < 0.22:
        return Play(_slow(chance), "slow")
    if kind < 0.35:
        text = json.dumps(huge(chance))
    elif kind < 0.45:
        text = odd(chance)
    else:
        text = written(body, chance, chance.randrange(1, 5))
    play = {**honest(body), "steps": [send_step(text)]}
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        chance.choice(HTTP_CHANGES)(chance, play)
    if len(text) > 100_000:  # byte by byte it would take the scripted upstream minutes
        for step in play["steps"]:
            step.pop("by", None)
    return Play(play, "odd")


def _slow(chance: Random) -> Json:
    """Return a response that stops, or of which a piece comes each second, without an end."""
    second: Json = {"sleep": 1.0}
    head = {"raw": "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"}
    lines = [each for number in range(90) for each in (second, {"raw": f"x-{number}: 1\r\n"})]
    spaces = [each for _ in range(90) for each in (second, {"send": " "})]
    return chance.choice(
        (
            {"status": 200, "headers": dict(JSON_HEADERS), "steps": [{"stall": True}]},
            {"status": 200, "headers": dict(JSON_HEADERS), "steps": spaces},
            {"status": 429, "headers": dict(JSON_HEADERS), "steps": spaces},
            {"status": None, "before": [head, *lines]},
            {"status": None, "before": [{"stall": True}]},
        )
    )


def _huge_list(chance: Random) -> Any:
    length, width = chance.choice(LENGTHS), chance.choice((1, 200, 250))
    kind = chance.randrange(5)
    names = [f"{number}{'x' * width}"[:257] for number in range(min(length, 4_000_000 // (width + 60)))]
    if kind == 0:
        return {"data": [{"id": name} for name in names], "models": [{"slug": name} for name in names]}
    if kind == 1:
        padding = {"display_name": "é" * width, "base_instructions": "x" * 1000}
        return {
            "data": [{"id": name} for name in names[:2000]],
            "models": [{"slug": name, **padding} for name in names[:2000]],
        }
    if kind == 2:
        return {"data": [{}] * length, "models": [{}] * length}
    if kind == 3:
        deep: Any = {}
        for _ in range(chance.choice((100, 190, 199, 210))):
            deep = [deep]
        return {
            "data": [{"id": "m", "more": deep}],
            "models": [{"slug": "m", "description": deep, "shell_type": deep}],
        }
    names = [json.loads(f'"\\u{number:04x}"') for number in range(1, 600)]
    return {"data": [{"id": name} for name in names], "models": [{"slug": name} for name in names]}


def _huge_usage(chance: Random) -> Any:
    length = chance.choice((100, 10_000, 400_000))
    more = {f"k{number}": number for number in range(length)}
    return {**USAGE, "plan_type": "p" * length, "credits": {**USAGE["credits"], **more}, "rate_limit": more}


def _huge_tokens(chance: Random) -> Any:
    length = chance.choice((8_000, 16_384, 16_385, 80_000, 300_000))
    return {**RENEWED, chance.choice(("access_token", "refresh_token", "id_token")): "x" * length}


class Worker:
    """The process of `tests.fuzz.jobs`. Runs of several cases may be under way at once."""

    def __init__(self, stage: Stage, log: Path) -> None:
        settings = stage.gateway.services.settings
        environ = {
            "PATH": os.environ["PATH"],
            "REDIS_URL": settings.redis_url,
            "POOLGATE_HOME": str(settings.home),
            "POOLGATE_SECRET_KEYS": settings.secret_keys[0],
            "POOLGATE_STORE_TIMEOUT_MS": "5000",
        }
        command = [sys.executable, "-m", "tests.fuzz.jobs"]
        self._stderr = log.open("wb")
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        self._changed = threading.Condition()
        self._responses: dict[int, Json] = {}
        self._number = 0
        self.first_mib = 0.0
        threading.Thread(target=self._listen, daemon=True).start()

    def run(self, pool: str, issuer: str) -> Json | None:
        """Return what came of the jobs; None if they do not end."""
        with self._changed:
            self._number += 1
            number = self._number
            line = orjson.dumps({"pool": pool, "issuer": issuer, "number": number}) + b"\n"
            assert self._process.stdin is not None
            self._process.stdin.write(line)
            self._process.stdin.flush()
            self._changed.wait_for(lambda: number in self._responses, TIMEOUT_SECONDS)
            return self._responses.pop(number, None)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            response = orjson.loads(line)
            with self._changed:
                self._responses[response["number"]] = response
                self._changed.notify_all()

    def close(self) -> None:
        with self._process as process, self._stderr:
            assert process.stdin is not None
            process.stdin.close()
            process.terminate()
            process.wait(10)


class ReportFuzzer:
    def __init__(self, stage: Stage, operator: Operator) -> None:
        self._stage = stage
        self._operator = operator
        self._worker = Worker(stage, stage.log_path)
        stage.closing.callback(self._worker.close)

    def case(self, name: str, chance: Random) -> Shown:
        return report_case(name, chance)

    def play(self, case: Shown) -> Played:
        assert isinstance(case, ReportCase)
        watch, pool = self._stage.watch(), self._stage.gateway.pool()
        secret = pool.key("untouched")
        upstream = self._stage.upstream.scoped(pool.name)
        upstream.script(case.models.steps, account="a", path="/models")
        upstream.script(case.usage.steps, account="a", path="/wham/usage")
        upstream.script(case.renewal.steps, account="issuer", path="/oauth/token")
        upstream.script(HONEST, account="a")
        found = [*self._added(case, pool), *self._jobs(pool), *self._stored(pool)]
        found += self._operator.faults(case.name, pool, secret)
        upstream.script(
            honest(CODEX_MODELS if case.kind == "chatgpt" else MODELS), account="a", path="/models"
        )
        upstream.script(honest(USAGE), account="a", path="/wham/usage")
        upstream.script(honest(RENEWED), account="issuer", path="/oauth/token")
        found += self._taken_up(pool, secret)
        found += [*logged(watch.log()), *late(watch.turns())]
        upstream.reset()
        return Played(pool, [], found)

    def _added(self, case: ReportCase, pool: PoolOfTest) -> Iterator[str]:
        """Add the account: one of kind chatgpt with a sign-in that is about to expire."""
        upstream = self._stage.upstream.scoped(pool.name)
        if case.kind == "chatgpt":
            now = int(time.time())
            tokens = Tokens("access-1", "refresh-1", "", now + 10, now, "acc-1")
            base_url = f"{upstream.root_url('a')}/backend-api"
            account = Account(
                "",
                "a",
                "chatgpt",
                base_url,
                protocols=kinds.KINDS["chatgpt"].protocols,
                chatgpt_account_id="acc-1",
            )
            self._stage.gateway.services.accounts.add(pool.name, account, tokens)
            return
        body = {"name": "a", "kind": case.kind, "base_url": upstream.base_url("a"), "credential": "sk-a"}
        call = Call(
            "POST",
            f"/admin/api/accounts?pool={pool.name}",
            {"content-type": "application/json"},
            json.dumps(body).encode(),
        )
        began = time.monotonic()
        heard = send(self._stage.gateway.url, call, self._operator.full)
        if heard.status != 201:
            yield f"the account was not added: {heard.status} {heard.broken} {heard.body[:300]!r}"
        if (took := time.monotonic() - began) > 15:
            yield f"the account took {took:.1f} s to add"

    def _jobs(self, pool: PoolOfTest) -> Iterator[str]:
        self._clear_job_claims(pool)
        done = self._worker.run(pool.name, self._stage.upstream.scoped(pool.name).root_url("issuer"))
        if done is None:
            yield f"the jobs did not end within {TIMEOUT_SECONDS} s"
            return
        for job, seconds in done["seconds"].items():
            if seconds > MAX_JOB_SECONDS:
                yield f"{job} took {seconds} s"
        if done["turn"] > MAX_TURN_SECONDS:
            yield f"a turn of the event loop of {done['turn']} s, in the background worker"

    def _clear_job_claims(self, pool: PoolOfTest) -> None:
        looks = list(self._stage.client.scan_iter(f"{keys.root(pool.name)}look:*", count=10_000))
        if looks:
            self._stage.client.delete(*looks)

    def _stored(self, pool: PoolOfTest) -> Iterator[str]:
        client = self._stage.client
        names = list(client.scan_iter(keys.root(pool.name) + "*", count=10_000))
        used = sum(client.memory_usage(name, samples=0) or 0 for name in names)
        if used > MAX_BYTES:
            yield f"{used // 1024} KiB in Redis"

    def _taken_up(self, pool: PoolOfTest, secret: str) -> Iterator[str]:
        """An honest report is what is shown, unless the account is out for its credential."""
        yield from self._jobs(pool)
        if pool.states()["a"] in CREDENTIAL_ENDS:
            return
        heard = send(self._stage.gateway.url, Call("GET", "/v1/models"), f"Bearer {secret}")
        if b'"honest"' not in heard.body:
            looks = self._stage.client.hgetall(keys.account(pool.name, self._account_id(pool)))
            reply = {name: text for name, text in looks.items() if name.startswith("look_")}
            yield f"an honest list was not taken up: {heard.status} {heard.body[:200]!r} {reply}"

    def _account_id(self, pool: PoolOfTest) -> str:
        found: str = self._stage.gateway.services.accounts.find(pool.name, "a").id
        return found
