"""The models that a request of the playground can choose, and why some cannot be served now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.accounts.account import Account
from app.accounts.model_routes import RouteTable
from app.accounts.offered_models import OfferedModel, offered_models
from app.presentation.accounts import failure_label
from app.presentation.route_serving import Rests, serving_now
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import RouteTarget


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
        obstacles = {model.name: self._obstacle(model, key) for model in self._offered(key)}
        choices = [
            (name, f"{name} ({obstacle})" if obstacle else name) for name, obstacle in obstacles.items()
        ]
        return sorted(choices, key=lambda choice: bool(obstacles[choice[0]]))

    def first_served(self, keys: Sequence[ApiKey]) -> ApiKey | None:
        """Return the first of *keys* with a model that can be served; else the first, None without any."""
        served = (key for key in keys if any(not self._obstacle(model, key) for model in self._offered(key)))
        return next(served, keys[0] if keys else None)

    def _offered(self, key: ApiKey) -> list[OfferedModel]:
        return offered_models(key, self.accounts, self.routes, demo=self.demo)

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
