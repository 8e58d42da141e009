from __future__ import annotations

import re
from importlib import resources

from app.stores.records.accounts import AccountCounts, AccountState, ModelState, PoolCounts

LUA = resources.files("app.stores") / "lua"
OF_RECORDINGS = "record_response.lua"  # these have states of their own
TEXT = "".join(
    file.read_text() for file in LUA.iterdir() if file.name.endswith(".lua") and file.name != OF_RECORDINGS
)


def is_in_scripts(state: str) -> bool:
    return f"'{state}'" in TEXT or f"{state} = " in TEXT


class TestAccountState:
    def test_scripts_write_no_other(self) -> None:
        """Every state that the scripts store for an account is a member of AccountState."""
        written = re.findall(r"set_state\(\w+, '(\w+)'|\bstate = '(\w+)'|NX', .*, 'state', '(\w+)'", TEXT)
        states = {state for match in written for state in match if state}

        assert "credential_expired" in states
        assert states <= set(AccountState)

    def test_scripts_know_each(self) -> None:
        assert [
            state for state in AccountState if f"'{state}'" not in TEXT and f"{state} = " not in TEXT
        ] == []


class TestModelState:
    def test_scripts_know_each(self) -> None:
        assert all(map(is_in_scripts, ModelState))


class TestPoolCounts:
    def test_states(self) -> None:
        """Each state has a count, also where no account is in it."""
        counts = PoolCounts((AccountCounts("p", "a", "paused", 0, 0, {}),), 0)

        assert counts.by_state() == {state: int(state == "paused") for state in AccountState}
