"""Probable mistakes in what a document adds or changes; the commands for one object report the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.accounts.account import Account
from app.accounts.kinds import SIGN_IN_KIND
from app.accounts.model_routes import RouteTable
from app.limits.limit_syntax import parse_limit
from app.limits.prices import PriceTable
from app.operations.account_warnings import account_warnings
from app.operations.key_warnings import key_warnings, limit_models, same_limits
from app.operations.model_routes import route_warnings
from app.operations.setup.changes import Action, PlannedChange
from app.operations.setup.plan import SetupStores
from app.operations.teams import team_warnings
from app.operations.unpriced_models import known_models, unpriced_limits
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit
from app.stores.records.model_routes import ModelRoute
from app.stores.records.teams import Team


def find_mistakes(
    stores: SetupStores,
    pool: str,
    changes: Sequence[PlannedChange],
    now: float,
    *,
    coming: Collection[str] = (),
) -> Iterator[tuple[PlannedChange, str]]:
    """
    Yield (change, sentence) for probable mistakes in the objects that *changes* of *pool* add or change.

    The changes may be made or not: they are compared with the pool that has all of them, at *now* in Unix
    seconds. *coming* are names of accounts with a sign-in that will exist.
    """
    after = _pool_after(stores, pool, changes, coming)
    for change in changes:
        if change.is_change:
            yield from ((change, sentence) for sentence in after.warnings(change, now))


@dataclass(frozen=True, slots=True)
class _PoolAfter:
    """What a pool has after the changes of a plan. The id of a new account is its name."""

    accounts: Mapping[str, Account]  # by name
    routes: Mapping[str, ModelRoute]
    teams: Mapping[str, Team]
    prices: PriceTable

    def warnings(self, change: PlannedChange, now: float) -> list[str]:
        """Return sentences about probable mistakes in the result of *change*."""
        accounts, result = list(self.accounts.values()), change.result
        if isinstance(result, Account):
            return list(account_warnings(result))
        if isinstance(result, ModelRoute):
            return route_warnings(self._with_ids(result), accounts, self.routes.keys())
        if isinstance(result, Team):
            return team_warnings(result, accounts, self.prices)
        if isinstance(result, ApiKey):
            has_default_limits = change.action is Action.ADD and "limits" not in change.differences
            key = self._complete(result, has_default_limits=has_default_limits)
            return key_warnings(key, accounts, now, self.prices, RouteTable(self.routes.values()))
        if change.section == "limits":
            return self._limit_warnings(result, accounts)
        return []

    def _limit_warnings(self, limits: Sequence[Limit], accounts: Sequence[Account]) -> list[str]:
        unpriced = unpriced_limits(limits, known_models(accounts), self.prices)
        return [*same_limits(limits), *limit_models(limits, accounts), *unpriced]

    def _complete(self, key: ApiKey, *, has_default_limits: bool) -> ApiKey:
        """Return *key* with the ids of its accounts; *has_default_limits*: with its team's for new keys."""
        team, limits = self.teams.get(key.team), key.limits
        if has_default_limits and team:
            limits = tuple(map(parse_limit, team.key_limits))
        return replace(key, accounts=self._ids(key.accounts), limits=limits)

    def _with_ids(self, route: ModelRoute) -> ModelRoute:
        """Return *route* with the ids of its accounts in place of their names."""
        return replace(
            route,
            steps=tuple(
                tuple(replace(target, accounts=self._ids(target.accounts)) for target in step)
                for step in route.steps
            ),
        )

    def _ids(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the ids of the accounts *names*; ids and groups stay."""
        return tuple(self.accounts[name].id if name in self.accounts else name for name in names)


def _pool_after(
    stores: SetupStores, pool: str, changes: Sequence[PlannedChange], coming: Collection[str]
) -> _PoolAfter:
    accounts = {account.name: account for account in stores.accounts.all(pool)}
    routes, teams = dict(stores.routes.all(pool)), {team.name: team for team in stores.teams.all(pool)}
    rows = dict(stores.prices.own(pool))
    for name in coming:
        accounts.setdefault(name, Account(name, name, SIGN_IN_KIND, ""))
    for change in changes:
        result = change.result
        if isinstance(result, Account):
            stored = accounts.get(change.name)
            accounts[change.name] = replace(result, id=stored.id if stored else change.name)
        elif isinstance(result, ModelRoute):
            routes[change.name] = result
        elif isinstance(result, Team):
            teams[change.name] = result
        elif change.section == "prices" and change.is_change:
            rows[change.name] = result
    return _PoolAfter(accounts, routes, teams, stores.prices.current(pool).with_overrides(rows, "document"))
