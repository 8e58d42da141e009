"""
Load on a real service while everything around it breaks: `python -m tests.chaos --minutes 30 [--seed N]`.

gunicorn's workers and the background worker are killed; Redis is paused, killed, restarted and
failed over; accounts fail and come back; clients leave; keys and pool have limits. What each
client saw is written to a history, and `tests.chaos.check`, a program of its own, reads it and
Redis and reports violations.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import orjson
from cryptography.fernet import Fernet

from app.stores.records.limits import limits_from_json
from tests.chaos.clients import MODELS, PLAYS, TEXT, Clients
from tests.chaos.history import Recorder
from tests.chaos.troubles import Troubles
from tests.chaos.workers import held, resident_mib
from tests.support.gateway import AS_SHIPPED, ROOT, Gateway, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.redis import short_folder
from tests.support.replicated import Replicated
from tests.support.store import limit
from tests.support.upstream_client import ScriptedUpstream

ACCOUNTS = 4
CAP = 20
CLIENTS = 24
WORKERS = 3
SAMPLE_SECONDS = 2.0
QUIET_SECONDS = 90.0  # for leases of killed workers to expire, and for spooled entries to be settled
LOOK_AGAIN_SECONDS = 12.0  # what the store forgot is found within ten
LOOKS = 5
LIMITS = {
    "free": [],
    "rate": [limit("rate", "requests", "minute", 60), limit("output", "output_tokens", "minute", 900)],
    "few": [limit("few", "parallel_requests", "none", 3), limit("tokens", "total_tokens", "hour", 20_000)],
    "spent": [limit("spent", "requests", "ever", 100), limit("budget", "total_tokens", "ever", 10_000)],
}
POOL_LIMITS = [
    limit("together", "parallel_requests", "none", 18, scope="pool"),
    limit("all", "output_tokens", "ever", 10_000_000, scope="pool"),
]


def run(
    history: Recorder, seconds: float, seed: int, clients: int, workers: int, kinds: Collection[str]
) -> str:
    """Make a run with *kinds* of trouble (all, if empty), check it, and return what is wrong, as lines."""
    upstream = ScriptedUpstream().start()
    secrets = {"POOLGATE_SECRET_KEYS": Fernet.generate_key().decode()}
    counting = {"GUNICORN_CMD_ARGS": "--config=tests/chaos/counting.py"}
    try:
        with short_folder() as folder, _store(folder) as store:
            counted = folder / "counted"
            counted.mkdir()
            env = {**AS_SHIPPED, **secrets, **counting, "COUNTING_FOLDER": str(counted)}
            with running_gateway(store.url, folder / "home", workers=workers, **env) as gateway:
                pool = gateway.pool()
                names = _prepare(pool, upstream, history, seed)
                keys = dict(names.values())
                callers = Clients(pool, keys, history, seed)
                with ThreadPoolExecutor(clients) as threads:
                    list(threads.map(lambda number: callers.one(random.Random(number)), range(clients)))
                time.sleep(LOOK_AGAIN_SECONDS)
                _note_held("idle", gateway, counted, history)

                def background() -> subprocess.Popen[bytes]:
                    return _background(store.url, folder / "home", secrets)

                accounts = [f"a{number}" for number in range(ACCOUNTS)]
                chance = random.Random(seed)
                troubles = Troubles(gateway, store, upstream, accounts, background, history, chance, kinds)
                try:
                    with _sampled(troubles.spared, upstream, history):
                        _load(callers, troubles, clients, seconds)
                        _settle_down(pool, callers, store)
                    _note_held("after", gateway, counted, history)
                    history.flush()
                    return _checked(history.path, pool, store.url)
                finally:
                    troubles.stop()
    finally:
        upstream.stop()


@contextmanager
def _store(folder: Path) -> Iterator[Replicated]:
    store = Replicated(folder)
    try:
        yield store
    finally:
        store.stop()


def _prepare(
    pool: PoolOfTest, upstream: ScriptedUpstream, history: Recorder, seed: int
) -> dict[str, tuple[str, str]]:
    """Make accounts and keys; return ids and secrets of the keys by name."""
    upstream.script(*PLAYS, repeat="cycle")
    for number in range(ACCOUNTS):
        name = f"a{number}"
        upstream.script(*PLAYS, account=name, repeat="cycle")
        models = tuple(f"m{each}" for each in range(MODELS))  # else those of its list alone are served
        pool.account(name, upstream.base_url(name), cap=CAP, protocols=("chat", "responses"), models=models)
    pool.set(limits=orjson.dumps(POOL_LIMITS).decode())
    services = pool.gateway.services
    made = {
        name: services.api_keys.create(pool.name, name, limits=limits_from_json(each))
        for name, each in LIMITS.items()
    }
    history.note(
        "setup",
        seed=seed,
        pool=pool.name,
        text=TEXT,
        limits={"": POOL_LIMITS, **{made[name][0].id: each for name, each in LIMITS.items()}},
        accounts=[account.id for account in services.accounts.all(pool.name)],
    )
    return {name: (key.id, secret) for name, (key, secret) in made.items()}


def _background(url: str, home: Path, secrets: dict[str, str]) -> subprocess.Popen[bytes]:
    env = {"PATH": os.environ["PATH"], "POOLGATE_HOME": str(home), "REDIS_URL": url, **secrets}
    command = [sys.executable, "-m", "workers"]
    return subprocess.Popen(command, cwd=ROOT, env={**env, "POOLGATE_LOG_LEVEL": "error"})


def _note_held(kind: str, gateway: Gateway, counted: Path, history: Recorder) -> None:
    """Look some times: what is there at every look stays."""
    looks = []
    for _ in range(LOOKS):
        looks.append(held(gateway, counted))
        time.sleep(1.0)
    history.note(kind, **{what: min(look[what] for look in looks) for what in looks[0]})


@contextmanager
def _sampled(spared: int, upstream: ScriptedUpstream, history: Recorder) -> Iterator[None]:
    """Note the memory of one worker, and what the upstream saw, as it happens."""
    ended = threading.Event()

    def sample() -> None:
        over = False
        while not over:
            over = ended.wait(SAMPLE_SECONDS)
            history.note("memory", of=spared, mib=resident_mib(spared))
            for seen in upstream.take():
                number = str(seen.body).partition("request ")[2].partition(";")[0]
                if number:
                    history.note(
                        "upstream",
                        number=int(number),
                        account=seen.account,
                        began=seen.at,
                        end=seen.end,
                        billed=seen.billed,
                    )

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _load(callers: Clients, troubles: Troubles, clients: int, seconds: float) -> None:
    with ThreadPoolExecutor(clients) as threads:
        until = time.monotonic() + seconds
        staying = callers.start(threads, clients, until)
        troubles.until(until - 5)
        for each in staying:
            each.result()


def _settle_down(pool: PoolOfTest, callers: Clients, store: Replicated) -> None:
    """Wait until nothing is open, with a request now and then, as in a quiet service."""
    store.await_replica()
    chance = random.Random(0)

    def quiet() -> bool:
        callers.one(chance)
        time.sleep(1.0)
        return not (pool.open_leases() or pool.in_flight())

    eventually(quiet, QUIET_SECONDS)
    time.sleep(LOOK_AGAIN_SECONDS)


def _checked(path: Path, pool: PoolOfTest, url: str) -> str:
    command = [sys.executable, "-m", "tests.chaos.check", str(path), "--redis", url]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(checked.stdout, checked.stderr, sep="", end="", flush=True)
    return "" if checked.returncode == 0 else checked.stdout or "the checker failed"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--troubles", default="", help="only these, such as kill_worker,account_down")
    parser.add_argument("--history", type=Path, help="where to write it; else a file under /tmp")
    arguments = parser.parse_args()
    path = arguments.history or Path(tempfile.mkstemp(prefix="chaos-", suffix=".jsonl")[1])
    with Recorder(path) as history:
        kinds = [each for each in arguments.troubles.split(",") if each]
        seconds = arguments.minutes * 60
        wrong = run(history, seconds, arguments.seed, arguments.clients, arguments.workers, kinds)
    print(f"seed {arguments.seed}, history in {path}:", "WRONG" if wrong else "well")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
