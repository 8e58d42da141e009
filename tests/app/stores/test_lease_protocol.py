"""
Every order in which two requests, their workers and the store can act, looked at one by one.

The store is the model that `test_against_model` compares with the scripts. A worker may crash
at any step; a reply may be lost, so that the command is sent again or given up; a command that
was given up may still be executed at any later time; a lease may expire at any time, also
while its worker runs on. `pytest -s` prints how many states that makes.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.support.model import Account, Model
from tests.support.store import limit

Json = dict[str, Any]

BOUND, USED, MOST = 10, 4, 15  # one request's hold fits once, and again after the other has settled
MAX_ATTEMPTS = 2
TTL_MS = 1000
OVER = ("done", "refused", "gave up", "crashed")


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker knows of its request, and a command that it gave up and that is still under way."""

    step: str = "new"  # new, admit, run, report, settle, or one of OVER
    attempt: int = 1
    tried: tuple[str, ...] = ()
    account: str = ""
    stuck: tuple[str, int, tuple[str, ...]] | None = None


@dataclass
class World:
    model: Model
    workers: dict[str, Worker]

    def copy(self) -> World:
        copied: World = pickle.loads(pickle.dumps(self))
        return copied

    def fingerprint(self) -> str:
        model = self.model
        parts = (model.accounts, model.counters, model.requests, self.workers)
        return repr([sorted(part.items()) for part in parts] + [sorted(model.settled), sorted(model.rows)])


def first_world() -> World:
    limits = [limit("t", "output_tokens", "ever", MOST), limit("p", "parallel_requests", "none", 2)]
    model = Model(0, {"k": limits, "": []})
    model.accounts = {"a": Account(1), "b": Account(1)}
    return World(model, {"q1": Worker(), "q2": Worker()})


# the store


def responses(
    world: World, id: str, step: str, attempt: int, tried: tuple[str, ...]
) -> Iterator[tuple[World, Json]]:
    """Return every state and reply that executing a command can lead to."""
    arguments = {"id": id, "key": "k", "model": "m", "tried": list(tried), "attempt": attempt, "mark": {}}
    arguments |= {"bounds": {"input_tokens": 0, "output_tokens": BOUND, "cost": 0}, "ttl_ms": TTL_MS}
    arguments |= {"calendar": {}, "never": []}
    if step == "settle":
        after = world.copy()
        row = {"input_tokens": 0, "output_tokens": USED, "cost": 0}
        if id in after.model.requests or id in after.model.settled:
            after.model.settle(id, {}, row)
            yield after, {}
        return
    for reply in possible_replies(world, id):
        after = world.copy()
        try:
            getattr(after.model, step)(arguments, reply)
        except AssertionError:
            continue  # the store would not answer that
        yield after, reply


def possible_replies(world: World, id: str) -> list[Json]:
    replies: list[Json] = [{"account": name} for name in world.model.accounts]
    replies += [{"refused": "limit", "why": why} for why in ("spent", "held")]
    replies += [{"refused": "no_accounts", "states": {"active": 2}}]
    replies += [{"refused": "settled"}, {"refused": "lease"}]
    return replies


# what can happen next


def next_worlds(world: World) -> Iterator[World]:
    for id, worker in world.workers.items():
        if worker.step in ("admit", "report", "settle"):
            yield from commanded(world, id, worker)
        if worker.stuck:
            for after, _ in responses(world, id, *worker.stuck):
                yield with_worker(after, id, replace(worker, stuck=None))
        if worker.step == "new":
            yield with_worker(world, id, replace(worker, step="admit"))
        if worker.step == "run":
            yield with_worker(world, id, replace(worker, step="settle"))
            if worker.attempt < MAX_ATTEMPTS:
                tried = (*worker.tried, worker.account)
                yield with_worker(world, id, replace(worker, step="report", tried=tried))
        if worker.step not in OVER:
            yield with_worker(world, id, replace(worker, step="crashed"))
    yield from expiries(world)


def commanded(world: World, id: str, worker: Worker) -> Iterator[World]:
    command = (worker.step, worker.attempt, worker.tried)
    for after, reply in responses(world, id, *command):
        yield with_worker(after, id, after_reply(worker, reply))
        yield after  # the reply was lost: the worker will repeat the call, or crash
        if worker.step != "settle":
            yield with_worker(after, id, given_up(worker))
    if worker.stuck is None:
        if worker.step != "settle":  # a settlement is never given up but by a crash
            yield with_worker(world, id, replace(given_up(worker), stuck=command))
        yield with_worker(world, id, replace(worker, step="crashed", stuck=command))


def after_reply(worker: Worker, reply: Json) -> Worker:
    if worker.step == "settle":
        return replace(worker, step="done")
    if "refused" in reply:
        return replace(worker, step="refused" if worker.step == "admit" else "settle")
    attempt = worker.attempt + (worker.step == "report")
    return replace(worker, step="run", attempt=attempt, account=reply["account"])


def given_up(worker: Worker) -> Worker:
    """Without the store no request begins; requests that have begun end and are settled."""
    return replace(worker, step="gave up" if worker.step == "admit" else "settle")


def expiries(world: World) -> Iterator[World]:
    for id, request in world.model.requests.items():
        if not request.expired:
            after = world.copy()
            after.model.requests[id].deadline = 0
            after.model.sweep(1)
            after.model.requests[id].deadline = TTL_MS
            yield after


def with_worker(world: World, id: str, worker: Worker) -> World:
    return World(world.model, world.workers | {id: worker})


# what must hold


def check(world: World) -> None:
    model = world.model
    running = [request for request in model.requests.values() if not request.expired]
    tokens, parallel = model.counters.get("t"), model.counters.get("p")
    recorded = sum(output for _, _, _, output, *_ in model.rows)
    for name, account in model.accounts.items():
        assert account.in_flight == sum(request.account == name for request in running)
    if tokens and parallel:
        assert tokens.s + tokens.h <= MOST
        assert (tokens.h, parallel.h) == (BOUND * len(running), len(running))
        assert tokens.s == recorded
    for id, worker in world.workers.items():
        check_ledger(world, id, worker)
        request = model.requests.get(id)
        if worker.step == "run" and request and not request.expired:
            assert (request.account, request.attempt) == (worker.account, worker.attempt)


def check_ledger(world: World, id: str, worker: Worker) -> None:
    """One row for each request that is over, and one more where the first was a guess."""
    recorded = {source: output for row, source, _, output, *_ in world.model.rows if row == id}
    assert len(recorded) == sum(row == id for row, *_ in world.model.rows)
    assert sum(recorded.values()) in (0, USED, BOUND)
    assert recorded.keys() in ({}.keys(), {"upstream"}, {"estimated"}, {"estimated", "corrected"})
    if worker.step == "done":
        assert sum(recorded.values()) == USED
    if worker.step == "refused":
        assert not recorded
    is_over = worker.step in OVER and not worker.stuck
    if is_over and id not in world.model.requests and worker.step != "done":
        assert sum(recorded.values()) in (0, USED)


def test_every_order_of_events() -> None:
    start = first_world()
    seen, queue = {start.fingerprint()}, deque([start])
    over = 0
    while queue:
        world = queue.popleft()
        check(world)
        ended = True
        for after in next_worlds(world):
            ended = False
            mark = after.fingerprint()
            if mark not in seen:
                seen.add(mark)
                queue.append(after)
        if ended:
            over += 1
            check_nothing_left(world)
    print(f"{len(seen)} states, {over} of them final")
    assert over > 10


def check_nothing_left(world: World) -> None:
    """In a final state no slot is taken and nothing is reserved, whichever process crashed."""
    assert all(request.expired for request in world.model.requests.values())
    assert all(account.in_flight == 0 for account in world.model.accounts.values())
    assert all(counter.h == 0 for counter in world.model.counters.values())
