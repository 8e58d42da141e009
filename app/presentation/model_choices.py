"""The models that a request of the playground can choose, and why some cannot be served now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.accounts.account import Account, demo_serves
from app.accounts.model_routes import RouteTable
from app.accounts.offered_models import OfferedModel, offered_models
from app.presentation.accounts import failure_label
from app.presentation.route_serving import Rests, serving_now
from app.stores.records.accounts import AccountState
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import RouteTarget

MAX_EXPLAINED = 100  # models: of further ones, only that they cannot be served
NOT_SERVED = "cannot be served now"


@dataclass(frozen=True, slots=True)
class ModelChoices:
    """
    The models of a pool at `now`, in Unix seconds. `rests` are the models that rest then; `demo` is whether
    demo accounts answer.
    """

    accounts: Sequence[Account]
    routes: RouteTable
    now: float
    rests: Rests = field(default_factory=dict)
    demo: bool = False

    def of(self, key: ApiKey) -> list[tuple[str, str]]:
        """Return (name, label) of each model that *key* may use: those that can be served now come first."""
        offered, served = self._offered(key, self.accounts), self._served(key)
        others = [model for model in offered if model.name not in served]
        obstacles = {model.name: self._obstacle(model, key) for model in others[:MAX_EXPLAINED]}
        obstacles |= {model.name: NOT_SERVED for model in others[MAX_EXPLAINED:]}
        names = sorted((model.name for model in offered), key=lambda name: bool(obstacles.get(name)))
        return [(name, f"{name} ({obstacles[name]})" if obstacles.get(name) else name) for name in names]

    def first_served(self, keys: Sequence[ApiKey]) -> ApiKey | None:
        """Return the first of *keys* with a model that is surely served; else the first, None without any."""
        return next((key for key in keys if self._served(key)), keys[0] if keys else None)

    def _served(self, key: ApiKey) -> set[str]:
        """Return the names that an account serves which is in use, has room, and has no resting models."""
        ready = [
            account
            for account in self.accounts
            if account.state is AccountState.ACTIVE
            and not account.unproven
            and account.in_flight < account.cap
            and not self.rests.get(account.id)
        ]
        return {model.name for model in self._offered(key, ready)}

    def _offered(self, key: ApiKey, accounts: Sequence[Account]) -> list[OfferedModel]:
        demo = self.demo and demo_serves(self.accounts)
        return offered_models(key, accounts, self.routes, demo=demo)

    def _obstacle(self, model: OfferedModel, key: ApiKey) -> str:
        """Return why *model* cannot be served to *key*, or may not be; '' if it can be."""
        steps = model.route.steps if model.route else ((RouteTarget(model.name),),)
        serving = serving_now(steps, self.accounts, self.rests, self.now, key)
        if serving["model"] is None:
            reason = serving["reason"]
            return (
                f"cannot be served now: {reason if model.route else reason.removeprefix(f'{model.name}: ')}"
            )
        failures = {account.name: account.unproven for account in self.accounts}
        failed = [(name, failures[name]) for name in serving["accounts"] if failures[name]]
        if len(failed) < len(serving["accounts"]):
            return ""
        return f"no answer yet: {failed[0][0]}, {failure_label(failed[0][1])}"
