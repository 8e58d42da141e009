"""Operators in the store: created once, changed while they exist, their secrets sealed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.errors import NotFound
from app.stores import keys
from app.stores.operators import (
    START_SECONDS,
    CreateResult,
    OperatorRepository,
    RemoveResult,
    RoleResult,
    SecondFactor,
)
from app.stores.records.operators import NewOperator, Role
from app.stores.scripts import Scripts
from app.stores.secrets import Vault

FACTOR = SecondFactor("BASE32SECRET", step=10, recovery_digests=("aa", "bb"))


@pytest.fixture
def operators(redis_client: Any) -> OperatorRepository:
    return OperatorRepository(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))


class TestCreating:
    def test_by_name(self, operators: OperatorRepository) -> None:
        assert not operators.exist()

        assert operators.create(NewOperator("bea", password_hash="hash-b")) is CreateResult.MADE
        assert operators.create(NewOperator("ann", password_hash="hash-a")) is CreateResult.MADE

        assert operators.exist()
        assert [operator.name for operator in operators.all()] == ["ann", "bea"]
        assert [operators.has(name) for name in ("ann", "eve")] == [True, False]
        assert operators.password_hash("ann") == "hash-a"

    def test_a_taken_name(self, operators: OperatorRepository) -> None:
        """The existing password stays; a repeated call creates no second operator."""
        operators.create(NewOperator("ann", password_hash="hash-a"))

        assert operators.create(NewOperator("ann", password_hash="other")) is CreateResult.TAKEN
        assert operators.create(NewOperator("ann", password_hash="hash-a")) is CreateResult.MADE
        assert operators.password_hash("ann") == "hash-a"

    def test_a_start_token_works_once(self, operators: OperatorRepository, redis_client: Any) -> None:
        operators.put_start_token("right")
        assert 0 < redis_client.ttl(keys.start_token()) <= START_SECONDS

        assert (
            operators.create(NewOperator("eve", password_hash="hash", start_digest="wrong"))
            is CreateResult.CLOSED
        )
        assert operators.is_start_token("right")
        assert (
            operators.create(NewOperator("ann", password_hash="hash", start_digest="right"))
            is CreateResult.MADE
        )
        assert not operators.is_start_token("right")
        assert (
            operators.create(NewOperator("bea", password_hash="hash", start_digest="right"))
            is CreateResult.CLOSED
        )

    def test_a_new_start_token_replaces_the_one_before(self, operators: OperatorRepository) -> None:
        operators.put_start_token("old")
        operators.put_start_token("new")

        assert (operators.is_start_token("old"), operators.is_start_token("new")) == (False, True)


class TestRemoving:
    def test_the_last_one_stays(self, operators: OperatorRepository) -> None:
        operators.create(NewOperator("ann", password_hash="hash"))
        operators.create(NewOperator("bea", password_hash="hash"))

        assert operators.remove("eve") is RemoveResult.UNKNOWN
        assert operators.remove("bea") is RemoveResult.REMOVED
        assert operators.remove("ann") is RemoveResult.LAST
        assert [operator.name for operator in operators.all()] == ["ann"]


class TestSecondFactor:
    def test_pending_until_it_is_confirmed(self, operators: OperatorRepository) -> None:
        operators.create(NewOperator("ann", password_hash="hash"))
        operators.put_pending_secret("ann", "PENDING")
        assert (operators.pending_secret("ann"), operators.second_factor_secret("ann")) == ("PENDING", None)

        operators.put_second_factor("ann", FACTOR)

        assert operators.pending_secret("ann") is None
        assert operators.second_factor_secret("ann") == FACTOR.secret
        ann = operators.find("ann")
        assert (ann.second_factor, ann.recovery_codes) == (True, 2)

    def test_secrets_are_sealed(self, operators: OperatorRepository, redis_client: Any) -> None:
        operators.create(NewOperator("ann", password_hash="hash"))
        operators.put_second_factor("ann", FACTOR)
        operators.put_pending_secret("ann", "PENDING")

        stored = redis_client.hgetall(keys.operator("ann")).values()
        assert not any(secret in value for value in stored for secret in (FACTOR.secret, "PENDING"))

    def test_a_code_is_used_once(self, operators: OperatorRepository) -> None:
        """Nor is the code of an earlier time step, or a recovery code a second time."""
        operators.create(NewOperator("ann", password_hash="hash"))
        operators.put_second_factor("ann", FACTOR)

        steps = [operators.spend_code("ann", step=step, recovery_digest="") for step in (10, 11, 11, 9)]
        codes = [operators.spend_code("ann", step=None, recovery_digest=each) for each in ("aa", "aa", "cc")]

        assert steps == [False, True, False, False]
        assert codes == [True, False, False]
        assert operators.find("ann").recovery_codes == 1

    def test_removed(self, operators: OperatorRepository) -> None:
        operators.create(NewOperator("ann", password_hash="hash"))
        operators.put_second_factor("ann", FACTOR)

        operators.remove_second_factor("ann")

        assert operators.second_factor_secret("ann") is None
        ann = operators.find("ann")
        assert (ann.second_factor, ann.recovery_codes) == (False, 0)


def test_unknown_operators(operators: OperatorRepository) -> None:
    """A change creates none; the name in the error is cut."""
    changes = [
        lambda: operators.find("eve"),
        lambda: operators.set_password_hash("eve", "hash"),
        lambda: operators.second_factor_secret("eve"),
        lambda: operators.pending_secret("eve"),
        lambda: operators.put_pending_secret("eve", "secret"),
        lambda: operators.put_second_factor("eve", FACTOR),
        lambda: operators.remove_second_factor("eve"),
    ]
    for change in changes:
        with pytest.raises(NotFound):
            change()
    assert operators.password_hash("eve") is None
    assert not operators.exist()
    with pytest.raises(NotFound) as error:
        operators.find("x" * 1000)
    assert len(error.value.message) < 100


class TestRoles:
    def test_changed(self, operators: OperatorRepository) -> None:
        operators.create(NewOperator("ann", password_hash="hash"))
        operators.create(NewOperator("bea", Role.VIEWER, "hash"))
        assert [operator.role for operator in operators.all()] == [Role.OWNER, Role.VIEWER]

        assert operators.set_role("bea", Role.ADMIN) is RoleResult.CHANGED
        assert operators.find("bea").role is Role.ADMIN
        assert operators.set_role("eve", Role.ADMIN) is RoleResult.UNKNOWN
        assert not operators.has("eve")

    def test_the_last_owner_stays_one(self, operators: OperatorRepository) -> None:
        operators.create(NewOperator("ann", password_hash="hash"))
        operators.create(NewOperator("bea", Role.ADMIN, "hash"))

        assert operators.set_role("ann", Role.ADMIN) is RoleResult.LAST
        assert operators.set_role("ann", Role.OWNER) is RoleResult.CHANGED
        assert operators.remove("ann") is RemoveResult.LAST
        assert operators.remove("bea") is RemoveResult.REMOVED

    def test_owners_who_remove_each_other_at_once(self, operators: OperatorRepository) -> None:
        """One of them stays, however many race."""
        names = [f"owner-{number}" for number in range(20)]
        for name in names:
            operators.create(NewOperator(name, password_hash="hash"))

        def leave(number: int) -> object:
            name = names[number]
            return operators.remove(name) if number % 2 else operators.set_role(name, Role.VIEWER)

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(leave, range(len(names))))

        assert len([one for one in operators.all() if one.role is Role.OWNER]) == 1
