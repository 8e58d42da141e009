"""A name that no account has is known to be wrong; one that could turn out right is not."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.known_models import FRESH_SECONDS, KnownModels
from app.stores import keys
from app.stores.scripts import Scripts


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(redis_client: Any, clock: Clock) -> KnownModels:
    return KnownModels(Scripts(redis_client), demo=False, clock=clock)


def put(client: Any, name: str, *, kind: str = "openai", models: str = "[]", listed: str = "[]") -> None:
    client.hset(keys.account_names("p"), name, name)
    client.hset(keys.account("p", name), mapping={"kind": kind, "models": models, "listed": listed})


def test_no_account(known: KnownModels) -> None:
    """A pool without accounts does not report models as unknown."""
    assert not known.lacks("p", "m")


def test_listed_or_declared(known: KnownModels, redis_client: Any) -> None:
    put(redis_client, "a", listed='["m", "n"]')
    put(redis_client, "b", models='["o"]', listed='["m", "n", "o", "q"]')

    assert [known.lacks("p", model) for model in ("m", "o", "q")] == [False, False, True]
    assert known.lacks("p", "m", ["b"])


def test_not_listed_yet(known: KnownModels, redis_client: Any) -> None:
    """An account whose models were never listed may have any model."""
    put(redis_client, "a", listed='["m"]')
    put(redis_client, "b")

    assert not known.lacks("p", "q")


@pytest.mark.parametrize("demo", [True, False])
def test_demo(redis_client: Any, demo: bool) -> None:
    """The simulated upstream counts only where it serves requests."""
    put(redis_client, "a", listed='["m"]')
    put(redis_client, "d", kind="demo", listed='["demo"]')

    assert KnownModels(Scripts(redis_client), demo=demo).lacks("p", "demo") is not demo


def test_read_once_for_a_while(known: KnownModels, redis_client: Any, clock: Clock) -> None:
    """Frequent queries are answered from memory, and a new list takes effect within seconds."""
    put(redis_client, "a", listed='["m"]')
    assert known.lacks("p", "q")
    put(redis_client, "a", listed='["m", "q"]')
    assert known.lacks("p", "q")

    clock.now += FRESH_SECONDS + 0.1
    assert not known.lacks("p", "q")


def test_kinds_that_do_not_list_all_their_models(known: KnownModels, redis_client: Any) -> None:
    """The image models of a ChatGPT account are in no list."""
    put(redis_client, "a", listed='["m"]')
    put(redis_client, "b", kind="chatgpt", listed='["n"]')

    assert known.lacks("p", "gpt-image-2")
    assert not known.lacks("p", "gpt-image-2", unlisted_kinds=("chatgpt",))
    assert known.lacks("p", "gpt-image-2", ["a"], unlisted_kinds=("chatgpt",))
