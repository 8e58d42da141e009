"""Passwords: rules, hashes, and that hashing does not block other requests."""

from __future__ import annotations

import time

import gevent
import pytest
from argon2 import extract_parameters

from app.errors import InvalidRequest
from app.operators import passwords

GOOD = "correct horse battery"


@pytest.mark.parametrize("password", [GOOD, "äöü äöü äöü xyz", "x1y2z3w4v5u6", "p" * 900 + "asdfgh"])
def test_a_good_one(password):
    assert passwords.checked_password(password, "ann") == password


@pytest.mark.parametrize(
    ("password", "name", "message"),
    [
        ("", "ann", "at least 12"),
        ("elevenchars", "ann", "at least 12"),
        ("x" * 2000, "ann", "at least 12"),
        ("ann.long@name.test", "ann.long@name.test", "the name"),
        ("ANN.long@name.test", "ann.long@name.test", "the name"),
        ("abababababababab", "ann", "same few"),
    ],
)
def test_a_bad_one(password, name, message):
    with pytest.raises(InvalidRequest, match=message) as error:
        passwords.checked_password(password, name)
    assert error.value.param == "password"


def test_stored_hashes_are_argon2id_at_the_usual_cost():
    """Source: https://www.rfc-editor.org/rfc/rfc9106#section-4 , the second recommendation."""
    hashed = passwords.hash_password(GOOD)

    cost = extract_parameters(hashed)
    assert hashed.startswith("$argon2id$")
    assert (cost.memory_cost, cost.time_cost, cost.salt_len) == (65536, 3, 16)
    assert passwords.verify_password(hashed, GOOD)
    assert not passwords.verify_password(hashed, GOOD + " ")
    assert not passwords.verify_password(None, GOOD)


def test_a_hash_stored_before():
    """What has been stored is valid after an update of the library."""
    stored = (
        "$argon2id$v=19$m=65536,t=3,p=4$r5qYtzonbIbi2/Gof5IwGA$ONvwgpExmeSllrvvL/AbQp8PsoOYFCRsMpLc4s+zTig"
    )
    assert passwords.verify_password(stored, GOOD)
    assert not passwords.verify_password(stored, GOOD + " ")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "no hash",
        "$argon2id$",
        "$argon2id$v=19$m=0,t=3,p=4$r5qYtzonbIbi2/Gof5IwGA$ONvwgpExmeSllrvvL/AbQp8PsoOYFCRsMpLc4s+zTig",
        "$argon2id$v=19$m=65536,t=3,p=0$r5qYtzonbIbi2/Gof5IwGA$ONvwgpExmeSllrvvL/AbQp8PsoOYFCRsMpLc4s+zTig",
        "$argon2i$v=19$m=65536,t=3,p=4$r5qYtzonbIbi2/Gof5IwGA$ONvwgpExmeSllrvvL/AbQp8PsoOYFCRsMpLc4s+zTig",
    ],
)
def test_what_is_no_hash_matches_no_password(stored):
    assert not passwords.verify_password(stored, GOOD)


def test_hashing_does_not_block():
    """The hash is computed in a thread, while other greenlets continue."""
    ticks = []

    def tick() -> None:
        while True:
            gevent.sleep(0.001)
            ticks.append(time.monotonic())

    ticking = gevent.spawn(tick)
    gevent.sleep(0)
    passwords.hash_password(GOOD)
    ticking.kill()

    assert ticks


def test_few_are_made_at_once(monkeypatch):
    """Each takes 64 MiB."""
    under_way = []
    most = []

    def slow(password: str) -> str:
        under_way.append(password)
        most.append(len(under_way))
        time.sleep(0.01)
        under_way.pop()
        return password

    monkeypatch.setattr(passwords._hasher.__class__, "hash", lambda _, password: slow(password))
    gevent.joinall([gevent.spawn(passwords.hash_password, GOOD) for _ in range(10)], raise_error=True)

    assert len(most) == 10
    assert max(most) <= passwords.MAX_CONCURRENT
