"""Teams: API keys that share limits, between those of each key and those of the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypedDict

import orjson

from app.records import public_fields, record
from app.stores.records.limits import Limit, limits_from_json, limits_to_json


class TeamState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"  # its keys are refused


class TeamJson(TypedDict):
    """The public fields of a Team."""

    name: str
    pool: str
    state: TeamState
    limits: Sequence[Mapping[str, object]]  # LimitJson; in the admin API with their usage
    key_limits: tuple[str, ...]
    created_at: float


@record
class Team:
    """A team of a pool, known by its name. New keys get the limits in `key_limits`, which are texts."""

    name: str
    pool: str
    state: TeamState = TeamState.ACTIVE
    limits: tuple[Limit, ...] = ()
    key_limits: tuple[str, ...] = ()
    created_at: float = 0.0  # Unix seconds

    @property
    def is_active(self) -> bool:
        return self.state is TeamState.ACTIVE

    def public(self) -> TeamJson:
        """Return the fields that operators may see."""
        return {**public_fields(self, TeamJson), "limits": limits_to_json(self.limits)}


def read_stored_team(stored: Mapping[str, str], pool: str) -> Team:
    """Return the team in *stored*, its Redis hash."""
    return Team(
        name=stored["name"],
        pool=pool,
        state=TeamState(stored.get("state", TeamState.ACTIVE)),
        limits=limits_from_json(orjson.loads(stored.get("limits") or "[]")),
        key_limits=tuple(orjson.loads(stored.get("key_limits") or "[]")),
        created_at=int(stored.get("created_ms") or 0) / 1000,
    )
