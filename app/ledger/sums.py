"""The sums of summaries: what they are grouped by, their figures, and how these are added up. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.stores.records.ledger import EXTRA, FAILED, FALLBACK_FIGURES, FIGURES, RESCUES
from app.stores.rollups import Figure


class Grouping(StrEnum):
    """What a summary is grouped by, in the order of its parts."""

    ALL = "all"
    KEY = "key"
    ACCOUNT = "account"
    MODEL = "model"
    TEAM = "team"
    ENDPOINT = "endpoint"  # only in measurements: roll-ups do not have it


ROLLED = (Grouping.ALL, Grouping.KEY, Grouping.ACCOUNT, Grouping.MODEL, Grouping.TEAM)
# New figures come last: what an older version stored is shorter, see `complete`.
SUMMARY_FIGURES = ("requests", "errors", *FIGURES, "attempts", FAILED, RESCUES, *FALLBACK_FIGURES)
POSITIONS: dict[str, tuple[int, ...]] = {name: (index,) for index, name in enumerate(SUMMARY_FIGURES)}
POSITIONS["requests"] += POSITIONS["attempts"]
POSITIONS[EXTRA] = POSITIONS["attempts"]
(_ATTEMPTS,) = POSITIONS["attempts"]

Amounts = list[int]  # in the order of SUMMARY_FIGURES
Sums = dict[str, Amounts]  # id (or model; '' for all) -> amounts
Summary = dict[str, Sums]  # sums by grouping
Breakdowns = dict[str, Summary]  # summary by the field of an Only


@dataclass(frozen=True, slots=True)
class Only:
    """Selects the usage of one key, account, model, team or endpoint by its Grouping and its id or name."""

    noun: Grouping
    id: str

    @property
    def field(self) -> str:
        """Where its breakdowns are stored."""
        return f"{self.noun}={self.id}"

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        """The groupings of its usage: roll-ups by team have no keys, and no roll-up has endpoints."""
        if self.noun is Grouping.ENDPOINT:
            return ()
        if self.noun is Grouping.TEAM:
            return Grouping.ACCOUNT, Grouping.MODEL
        return tuple(by for by in (Grouping.KEY, Grouping.ACCOUNT, Grouping.MODEL) if by is not self.noun)


def complete(sums: Sums) -> Sums:
    """Add to stored *sums* figures that are newer, an attempt per request and else 0; return *sums*."""
    for amounts in sums.values():
        if len(amounts) < len(SUMMARY_FIGURES):
            if len(amounts) == _ATTEMPTS:
                amounts.append(amounts[0])
            amounts += [0] * (len(SUMMARY_FIGURES) - len(amounts))
    return sums


def summarize(figures: Iterable[Figure], of_teams: Iterable[Figure] = ()) -> Summary:
    """Return the sums of *figures* by every grouping; the keys of *of_teams* are teams."""
    summary: Summary = {by: defaultdict(lambda: [0] * len(SUMMARY_FIGURES)) for by in ROLLED}
    total, by_key, by_account, by_model, by_team = (summary[by] for by in ROLLED)
    for key, account, model, name, amount in figures:
        for index in POSITIONS.get(name, ()):
            total[""][index] += amount
            by_key[key][index] += amount
            by_account[account][index] += amount
            by_model[model][index] += amount
    for team, _, _, name, amount in of_teams:
        for index in POSITIONS.get(name, ()):
            by_team[team][index] += amount
    return summary


def break_down(figures: Iterable[Figure], of_teams: Iterable[Figure]) -> Breakdowns:
    """Return the sums of each key, account, model and team by each other noun that `Only` allows."""
    breakdowns: Breakdowns = defaultdict(lambda: defaultdict(dict))
    for noun, each in (
        *((Grouping.KEY, figure) for figure in figures),
        *((Grouping.TEAM, figure) for figure in of_teams),
    ):
        _add_to_breakdowns(breakdowns, noun, each)
    return breakdowns


def _add_to_breakdowns(breakdowns: Breakdowns, noun: Grouping, figure: Figure) -> None:
    positions = POSITIONS.get(figure.name)
    if not positions:
        return
    ids = {noun: figure.key, Grouping.ACCOUNT: figure.account, Grouping.MODEL: figure.model}
    pairs = [(noun, Grouping.ACCOUNT), (noun, Grouping.MODEL)]
    if noun is Grouping.KEY:
        pairs += [(Grouping.ACCOUNT, by) for by in (Grouping.KEY, Grouping.MODEL)]
        pairs += [(Grouping.MODEL, by) for by in (Grouping.KEY, Grouping.ACCOUNT)]
    for of, by in pairs:
        amounts = breakdowns[f"{of}={ids[of]}"][by.value].setdefault(ids[by], [0] * len(SUMMARY_FIGURES))
        for index in positions:
            amounts[index] += figure.amount


def add_up(parts: Iterable[Sums]) -> Sums:
    """Return the sums of *parts* by id."""
    lines: dict[str, list[Amounts]] = defaultdict(list)
    for sums in parts:
        for line, amounts in sums.items():
            lines[line].append(amounts)
    return {line: [*map(sum, zip(*all_amounts, strict=True))] for line, all_amounts in lines.items()}


def count_figures(amounts: Amounts, figures: Iterable[Figure]) -> None:
    """Add *figures* to *amounts*."""
    for figure in figures:
        for index in POSITIONS.get(figure.name, ()):
            amounts[index] += figure.amount
