"""The keys, models, accounts and teams that cost the most in a span."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from flask import url_for

from app.ledger.caller_figures import requests_of_callers
from app.ledger.sums import Grouping
from app.ledger.usage_reading import UsageReading
from app.presentation.names import Names
from app.presentation.usage_report import is_of_callers

NUMBER = 5


@dataclass(frozen=True, slots=True)
class TopRow:
    """One row; `cost` is in micro-dollars, `href` is '' if there is no page."""

    name: str
    href: str
    cost: int
    requests: int


@dataclass(frozen=True, slots=True)
class TopList:
    """The first rows by cost, or by requests if nothing has a price."""

    by: str
    title: str
    rows: Sequence[TopRow]
    total: int  # total cost
    number: int  # number of all rows


def top_lists(usage: UsageReading, span: str, names: Names) -> list[TopList]:
    """Return the top keys, models, accounts and teams in *span*."""
    groups: tuple[tuple[Grouping, str, Callable[[str], tuple[str, str]]], ...] = (
        (Grouping.KEY, "Keys", _link("api_keys.detail", names, Grouping.KEY)),
        (Grouping.MODEL, "Models", lambda model: (model, url_for("requests.show", model=model))),
        (Grouping.ACCOUNT, "Accounts", _link("accounts.detail", names, Grouping.ACCOUNT)),
        (Grouping.TEAM, "Teams", _link("teams.detail", names, Grouping.TEAM)),
    )
    lists, within = [], usage.range_of(span).as_one_point
    for by, title, link in groups:
        totals = usage.read(within, by).totals()
        requests_of = requests_of_callers if is_of_callers(by) else itemgetter("requests")
        rows = [(figures["cost"], requests_of(figures), one) for one, figures in totals.items() if one]
        rows.sort(key=lambda row: (-row[0], -row[1], row[2]))
        top = [TopRow(*link(one), cost, requests) for cost, requests, one in rows[:NUMBER]]
        lists.append(TopList(by, title, top, sum(row[0] for row in rows), len(rows)))
    return lists


def _link(endpoint: str, names: Names, by: Grouping) -> Callable[[str], tuple[str, str]]:
    """Return a function that maps an id to its name and the address of its page; '' if it was removed."""

    def link(object_id: str) -> tuple[str, str]:
        label = names.label(by, object_id)
        is_there = object_id in names.of(by) or object_id in (names.teams or ())
        return label, url_for(endpoint, name=label) if is_there else ""

    return link
