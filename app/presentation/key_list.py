"""The lists of keys and teams: the content of rows and their order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.formatting import natural
from app.ledger.caller_figures import errors_of_callers, requests_of_callers
from app.presentation.account_list import LastUse
from app.presentation.api_keys import KeyView
from app.presentation.teams import TeamView
from app.stores.records.api_keys import ApiKey, KeyState

Figures = Mapping[str, int]  # requests, errors, cost, …

_STATES = (KeyState.EXPIRED, KeyState.ACTIVE, KeyState.DISABLED)
EARLIER = 0.0  # sorts before every time


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key, with its figures in a time span."""

    view: KeyView
    figures: Figures = field(default_factory=dict)
    refused: int = 0
    last_use: LastUse | None = None  # None: not known, or never
    is_used: bool = False  # ever

    @property
    def key(self) -> ApiKey:
        return self.view.key

    @property
    def requests(self) -> int:
        """How many requests callers sent."""
        return requests_of_callers(self.figures)

    @property
    def errors(self) -> int:
        """How many requests failed for their callers."""
        return errors_of_callers(self.figures)

    @property
    def nearest_percent(self) -> float | None:
        """The used share of its nearest limit, in percent."""
        nearest = self.view.nearest
        return nearest.used_percent if nearest else None


@dataclass(frozen=True, slots=True)
class TeamRow:
    """One team, with its figures of this month."""

    view: TeamView
    figures: Figures = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests callers sent."""
        return requests_of_callers(self.figures)

    @property
    def tokens(self) -> int:
        return self.figures.get("input_tokens", 0) + self.figures.get("output_tokens", 0)

    @property
    def nearest_percent(self) -> float | None:
        """The used share of its nearest limit, in percent."""
        nearest = self.view.nearest
        return nearest.used_percent if nearest else None


# the value by which each column sorts; None sorts last
KEY_COLUMNS: Mapping[str, Callable[[KeyRow], Any]] = {
    "name": lambda row: natural(row.key.name),
    "team": lambda row: natural(row.key.team) if row.key.team else None,
    "owner": lambda row: natural(row.key.owner) if row.key.owner else None,
    "state": lambda row: _STATES.index(row.view.state),
    "requests": lambda row: row.requests,
    "errors": lambda row: row.errors,
    "refused": lambda row: row.refused,
    "cost": lambda row: row.figures.get("cost", 0),
    "nearest": lambda row: row.nearest_percent,
    "last_used": lambda row: row.last_use.at if row.last_use else EARLIER if row.is_used else None,
    "expires": lambda row: row.key.expires_at,
}
TEAM_COLUMNS: Mapping[str, Callable[[TeamRow], Any]] = {
    "name": lambda row: natural(row.view.team.name),
    "state": lambda row: row.view.team.state,
    "keys": lambda row: len(row.view.keys),
    "nearest": lambda row: row.nearest_percent,
    "requests": lambda row: row.requests,
    "tokens": lambda row: row.tokens,
    "cost": lambda row: row.figures.get("cost", 0),
}


def totals(rows: Iterable[KeyRow]) -> dict[str, int]:
    """Return the sums of *rows*: requests, errors, refused and cost."""
    sums = dict.fromkeys(("requests", "errors", "refused", "cost"), 0)
    for row in rows:
        sums["requests"] += row.requests
        sums["errors"] += row.errors
        sums["refused"] += row.refused
        sums["cost"] += row.figures.get("cost", 0)
    return sums
