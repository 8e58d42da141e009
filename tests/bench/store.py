"""
How often a request calls Redis, and what each script costs the server.

The calls of one real request are watched (`MONITOR`), then repeated under new ids while Redis
counts its own microseconds (`INFO commandstats`).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from app.accounts.kinds import SCRIPT_KINDS
from app.stores.scripts import PARTS, source
from tests.bench.load import Running, run
from tests.bench.stage import DemoRequest, Server

SCRIPTS = {hashlib.sha1(source(name, kinds=SCRIPT_KINDS).encode()).hexdigest(): name for name in PARTS}
PERIODIC = ("renew_leases", "unsettled")  # sent while a request happens to run
WITH_ID = ("admit", "settle")  # each call is about another request


class Called(NamedTuple):
    script: str
    words: list[str]  # of the command: EVALSHA, digest, 2, key, key, argument


def figures(server: Server, accounts: tuple[int, ...], calls: int) -> dict[str, Any]:
    """Return the round trips of a request, and each script's microseconds for pools of so many *accounts*."""
    assert server.gateway is not None
    client: Any = server.gateway.services.scripts.client
    measured: dict[str, Any] = {}
    for number in accounts:
        options = DemoRequest(stream=False, accounts=number)
        run(server.load(options, requests=2))
        commands = _commands_of_one(server, client, replace(options))
        measured["round_trips"] = len(commands)
        called = [Called(SCRIPTS[words[1]], words) for words in commands if words[1] in SCRIPTS]
        measured[f"script_us_{number}"] = {one.script: _microseconds(client, one, calls) for one in called}
    return measured


def _commands_of_one(server: Server, client: Any, options: DemoRequest) -> list[list[str]]:
    """
    Return what the gateway sends to Redis for one request, without what it sends periodically.

    It is the second of two: the key of the first is known for ten seconds.
    """
    load, commands, settled = server.load(options, requests=2), [], 0
    with client.monitor() as monitor, Running(load) as running:
        for entry in monitor.listen():
            words = entry["command"].split(" ")
            if entry["client_type"] == "lua" or SCRIPTS.get(words[1]) in PERIODIC:
                continue
            commands.append(words)
            if SCRIPTS.get(words[1]) == "settle":
                settled += 1
                if settled == 2:
                    break
                commands.clear()
        running.until("done")
    return commands


def _microseconds(client: Any, called: Called, calls: int) -> float:
    client.config_resetstat()
    for number in range(calls):
        words = list(called.words)
        if called.script in WITH_ID:
            arguments = orjson.loads(words[-1])
            arguments["id"] = f"req_again{number}"
            words[-1] = orjson.dumps(arguments).decode()
        client.execute_command(*words)
    return float(client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"])
