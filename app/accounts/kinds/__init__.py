"""
The kinds of account: one module each, whose `KIND` has everything that depends on the kind.

A new kind is a new module here; the CLI, the admin form, the admin API and the relay read this table.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol

from app.accounts.kinds.kind import Kind
from app.stores.scripts import KindNames


class _Kinds(dict[str, Kind]):
    """Kinds by name. An unknown name, stored by a later version, means a compatible server."""

    def __missing__(self, name: str) -> Kind:
        return self["compatible"]


def _load() -> _Kinds:
    """Return the kinds of all modules in this package by name, sorted."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    kinds = [module.KIND for module in modules if hasattr(module, "KIND")]
    return _Kinds((kind.name, kind) for kind in sorted(kinds, key=lambda kind: kind.name))


def names_where(matches: Callable[[Kind], bool]) -> tuple[str, ...]:
    """Return the names of the kinds for which *matches* is true."""
    return tuple(kind.name for kind in KINDS.values() if matches(kind))


KINDS = _load()
# The kind of accounts that are added by signing in
SIGN_IN_KIND = names_where(lambda kind: kind.has_sign_in)[0]
SCRIPT_KINDS = KindNames(
    simulated=names_where(lambda kind: kind.is_simulated),
    unenforced=names_where(lambda kind: not kind.takes_length),
    unlisted=names_where(lambda kind: not kind.lists_what_it_serves),
)
RESTRICTED_KINDS = names_where(lambda kind: kind.dialect.is_restricted)
KINDS_BY_PROVIDER = {
    provider: names_where(lambda kind, provider=provider: provider in kind.providers)  # type: ignore[misc]
    for provider in sorted({name for kind in KINDS.values() for name in kind.providers})
}


class _HasKind(Protocol):
    @property
    def kind(self) -> str: ...


def find_kind(name: str) -> Kind:
    """Return the kind called *name*; an unknown one, stored by a later version, is a compatible server."""
    return KINDS[name]


def kind_of(account: _HasKind) -> Kind:
    """Return the kind of *account*."""
    return KINDS[account.kind]
