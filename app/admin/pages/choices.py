"""The suggestions of pickers: models, accounts, teams, owners and labels of the pool of this page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask import g

from app.accounts.account import Account
from app.admin.services import services
from app.formatting import natural
from app.patterns import STAR
from app.presentation.accounts import shown_state, state_label
from app.presentation.api_keys import label_texts
from app.stores.records.api_keys import ApiKey

MAX_CHOICES = 500  # options of a picker, about 30 kB; other values can be typed
MAX_NAMED = 2  # account names shown next to a model

Choice = tuple[str, str]  # a value, and a note about it


def model_choices(accounts: Iterable[Account] | None = None) -> list[Choice]:
    """Return the model routes of the pool, then the models that *accounts* list (None: all accounts)."""
    routes = [(name, "model route") for name in services().routes.all(g.pool)]
    return [*routes, *listed_models(accounts)][:MAX_CHOICES]


def listed_models(accounts: Iterable[Account] | None = None) -> list[Choice]:
    """Return the models that *accounts* list (None: all of the pool), each with the names of the accounts."""
    listing: dict[str, list[str]] = {}
    for account in services().accounts.all(g.pool) if accounts is None else accounts:
        for model in account.offered_models:
            if STAR not in model:
                listing.setdefault(model, []).append(account.name)
    return [(model, _shortened(names)) for model, names in sorted(listing.items(), key=_by_name)][
        :MAX_CHOICES
    ]


def account_choices(accounts: Iterable[Account] | None = None) -> list[Choice]:
    """Return the names of *accounts* (None: all of the pool), with kind and state."""
    chosen = services().accounts.all(g.pool) if accounts is None else accounts
    notes = {account.name: f"{account.kind}, {state_label(shown_state(account))}" for account in chosen}
    return sorted(notes.items(), key=_by_name)[:MAX_CHOICES]


def team_choices() -> list[str]:
    """Return the names of the teams of the pool."""
    return _sorted(team.name for team in services().teams.all(g.pool))


def owner_choices(api_keys: Sequence[ApiKey]) -> list[str]:
    """Return the owners of *api_keys*."""
    return _sorted(key.owner for key in api_keys if key.owner)


def label_choices(api_keys: Sequence[ApiKey]) -> list[str]:
    """Return the labels of *api_keys*, as `name=value`."""
    return _sorted(text for key in api_keys for text in label_texts(key))


def _sorted(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts), key=natural)[:MAX_CHOICES]


def _by_name(item: tuple[str, object]) -> list[tuple[int, int, str]]:
    return natural(item[0])


def _shortened(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
