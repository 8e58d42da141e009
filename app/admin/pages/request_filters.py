"""Filters of the list of requests: in its address, on its toolbar, and as a query of the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from flask import g, url_for

from app.admin.pages import choices
from app.admin.pages.clock import parse_moment
from app.admin.pages.forms import Form
from app.admin.pages.lists import Filter
from app.admin.services import services
from app.errors import InvalidRequest
from app.ledger.query import MAX_MINIMUM, LedgerQuery
from app.presentation.names import Names
from app.presentation.requests import ledger_query
from app.stores.records.ledger import LedgerEntry

TEXTS = (
    *("key", "account", "tried", "model", "requested", "team", "owner"),
    *("endpoint", "status", "error", "retried", "cached", "refused"),
)
EXTRA = (
    ("labels", "Labels"),
    ("min_seconds", "At least (s)"),
    ("min_dollars", "At least ($)"),
    ("since", "From"),
    ("until", "To"),
)
FIELDS = (*TEXTS, *(name for name, _ in EXTRA))
STATUSES = (
    ("ok", "answered"),
    ("failed", "failed"),
    ("429", "429: limited"),
    ("499", "499: caller disconnected"),
    ("4xx", "400 to 499"),
    ("5xx", "500 and above"),
    ("429,5xx", "429, or 500 and above"),
)
ENDPOINTS = (
    *("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions"),
    *("/v1/images/generations", "/v1/audio/transcriptions", "/v1/audio/speech", "/v1/moderations"),
)


def read_form(args: Mapping[str, str]) -> Form:
    """Return the filters in the query of the current address."""
    return Form(args, *FIELDS, under={"label": "labels", "min_ms": "min_seconds", "min_cost": "min_dollars"})


def parse_query(form: Form, names: Names) -> LedgerQuery:
    """Return the query in *form*. Raises InvalidRequest with the name of the field."""
    params: dict[str, Any] = {name: form[name].strip() for name in TEXTS}
    params |= {
        "label": ",".join(form.lines("labels")),
        "min_ms": _minimum(form, "min_seconds", 1000),
        "min_cost": _minimum(form, "min_dollars", 1_000_000),
        "since": parse_moment(form["since"], "since"),
        "until": parse_moment(form["until"], "until"),
    }
    return ledger_query(names, params)


def _minimum(form: Form, name: str, scale: int) -> int:
    """Return a number in *form* times *scale*, 0 if it is empty."""
    text = form[name].strip()
    try:
        number = float(text or 0) * scale
    except ValueError:
        number = -1
    if not (math.isfinite(number) and 0 <= number <= MAX_MINIMUM):
        raise InvalidRequest("must be a number, not below zero", param=name)
    return math.ceil(number)


def toolbar_filters(names: Names) -> tuple[list[Filter], list[Filter]]:
    """Return the filters that are always shown, and those in the menu, with suggestions from the pool."""
    keys, accounts = (sorted(each.values()) for each in (names.key, names.account))
    models = [name for name, _ in choices.listed_models()]
    routes = list(services().routes.all(g.pool))
    yes_or_no = (("true", "yes"), ("false", "no"))
    shown = [
        Filter("key", "Key", keys, free=True),
        Filter("account", "Account", accounts, free=True),
        Filter("model", "Model", models, free=True),
        Filter("status", "Status", STATUSES),
        Filter("refused", "Requests", [("true", "refused before an account was tried")]),
    ]
    more = [
        Filter("tried", "Any attempt at account", accounts, free=True),
        Filter("requested", "Requested model or route", [*routes, *models], free=True),
        Filter("endpoint", "Endpoint", ENDPOINTS, free=True),
        Filter("error", "Error code", free=True),
        Filter("retried", "Several attempts", yes_or_no),
        Filter("cached", "From the response cache", yes_or_no),
        Filter("team", "Team", choices.team_choices(), free=True),
        Filter("owner", "Owner", free=True),
    ]
    return shown, more


def address(view: str, query: Mapping[str, str]) -> str:
    """Return the address of *view* with *query*, which (unlike in `url_for`) may have `endpoint`."""
    return url_for(view) + (f"?{urlencode(query)}" if query else "")


@dataclass(frozen=True, slots=True)
class RequestLinks:
    """The addresses that cells of a row link to. Live updates build them outside a request."""

    list_path: str
    detail_path: str  # with the placeholder ID
    active: Mapping[str, str] = field(default_factory=dict)  # filters; cells add their own

    @classmethod
    def with_filters(cls, active: Mapping[str, str]) -> RequestLinks:
        return cls(url_for("requests.show"), url_for("requests.detail", request_id="ID"), active)

    def detail(self, entry: LedgerEntry) -> str:
        """Return the address of the page of *entry*."""
        return self.detail_path.replace("ID", quote(entry.request_id, safe="")) + f"?entry={entry.id}"

    def only(self, name: str, value: object) -> str:
        """Return the address of the list with one more filter, *name*."""
        return f"{self.list_path}?{urlencode({**self.active, name: str(value)})}"
