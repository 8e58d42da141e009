"""Refused requests as JSON for operators, and usage grouped by owners or labels of keys."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import TypedDict

from app.formatting import NamedId
from app.ledger.points import Series
from app.ledger.sums import Amounts
from app.presentation.names import Names
from app.stores.records.api_keys import ApiKey
from app.stores.records.refusals import RefusalCounts

NO_VALUE = "(none)"  # the group of usage without the team, owner or label by which it is grouped
BY_OWNER, BY_LABEL = "owner", "label:"  # groups by the owner of the key, or by the value of a label


class RefusalCountJson(TypedDict):
    key: NamedId
    code: str
    count: int


class RefusalsJson(TypedDict):
    """`since` is in Unix seconds."""

    object: str
    span: str
    since: int
    total: int
    data: list[RefusalCountJson]


def serialize_refusals(
    refusals: RefusalCounts, span: str, names: Names, key_ids: Collection[str] | None = None
) -> RefusalsJson:
    """Return the number of refused requests by key and code, largest first; with *key_ids*, only theirs."""
    counts = [item for item in refusals.counts.items() if key_ids is None or item[0][0] in key_ids]
    counts.sort(key=lambda item: (-item[1], item[0]))
    return {
        "object": "usage.refusals",
        "span": span,
        "since": refusals.since,
        "total": sum(count for _, count in counts),
        "data": [
            {"key": names.named("key", key), "code": code, "count": count} for (key, code), count in counts
        ],
    }


def key_groups(by: str, api_keys: Callable[[], Iterable[ApiKey]]) -> dict[str, str] | None:
    """
    Return the group of each of *api_keys*, by its id: its owner or label value, '' if it has none.

    *by* is `owner` or `label:NAME`; returns None for anything else, by which the store itself groups.
    """
    if by == BY_OWNER:
        return {key.id: key.owner for key in api_keys()}
    if by.startswith(BY_LABEL):
        name = by.removeprefix(BY_LABEL)
        return {key.id: dict(key.labels).get(name, "") for key in api_keys()}
    return None


def add_teamless(
    by_team: Mapping[str, Mapping[str, int]], by_key: Mapping[str, Mapping[str, int]]
) -> dict[str, Mapping[str, int]]:
    """Return the figures in *by_team* with those of keys without a team as the group '', if there are any."""
    rest = Counter[str]()
    for figures in by_key.values():
        rest.update(figures)
    for figures in by_team.values():
        rest.subtract(figures)
    return {**by_team, **({"": rest} if any(rest.values()) else {})}


def add_groups(series: Series, groups: Mapping[str, str]) -> Series:
    """Return *series*, whose lines are keys, with lines that are the sums of each group of keys."""
    lines: dict[str, list[tuple[int, Amounts]]] = defaultdict(list)
    for key_id, parts in series.lines.items():
        lines[groups.get(key_id, "")].extend(parts)
    return replace(series, lines=dict(lines))


def sum_by_group(
    used: Mapping[str, Mapping[str, int]], groups: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """Return the figures in *used*, by key id, summed by group; removed keys have the group ''."""
    sums: dict[str, dict[str, int]] = {}
    for key_id, figures in used.items():
        group = sums.setdefault(groups.get(key_id, ""), {})
        for name, amount in figures.items():
            group[name] = group.get(name, 0) + amount
    return sums
