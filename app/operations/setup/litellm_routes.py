"""
Model routes from LiteLLM's model groups, aliases and fallbacks.

A group becomes a route: each `order` of its deployments is a step, whose targets share conversations by
weight; the steps of its fallbacks follow. Source: https://docs.litellm.ai/docs/routing
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.accounts.route_syntax import RouteTarget
from app.operations.setup.litellm_accounts import Deployment
from app.operations.setup.models import written_step
from app.operations.setup.remarks import Remarks
from app.patterns import STAR, pattern_error
from schemas.bounds import MAX_ROUTE_STEPS, MAX_ROUTE_TARGETS, MAX_ROUTE_WEIGHT
from schemas.model_routes import ROUTE_FIELDS, RouteFields

WEIGHTS = ("weight", "rpm", "tpm")  # the first of these that a deployment has is its weight
FALLBACKS = ("fallbacks", "context_window_fallbacks")  # in the order of their steps
CHAT_MODES = ("chat", "completion", "responses", None)
SCALE = 1000  # weights that are too large or not integers are scaled to this
MAX_ALIASES = 500

Step = list[RouteTarget]


class RouteBuilder:
    """*settings* are those of the router, by the names of `router_settings`."""

    def __init__(
        self, deployments: Sequence[Deployment], settings: Mapping[str, Any], remarks: Remarks
    ) -> None:
        self._settings = settings
        self._remarks = remarks
        self._groups: dict[str, list[Deployment]] = {}
        for deployment in deployments:
            self._groups.setdefault(deployment.group, []).append(deployment)
        self._aliases = self._read_aliases()
        self._steps = {name: self._own_steps(name, group) for name, group in self._groups.items()}

    def routes(self) -> dict[str, dict[str, Any]]:
        """Return the entries of `models` in a document, by the names of routes."""
        routes: dict[str, dict[str, Any]] = {}
        for name in self._groups:
            steps = self._chain(name)
            if not steps:
                continue
            if error := pattern_error(name):
                self._remarks.skipped(_group_path(name), f"the name of a model route {error}")
                continue
            defaults = self._defaults(name)
            routes[name] = {
                "steps": list(map(written_step, steps)),
                **({"defaults": defaults} if defaults else {}),
            }
        for alias, group in self._aliases.items():
            if group in routes and alias not in routes and not pattern_error(alias):
                routes[alias] = routes[group]
            elif group not in routes:
                self._remarks.skipped(f"model_group_alias.{alias[:64]}", f"'{group[:64]}' has no route")
        return routes

    def _read_aliases(self) -> dict[str, str]:
        aliases: dict[str, str] = {}
        given = self._settings.get("model_group_alias")
        for alias, target in list(given.items() if isinstance(given, dict) else ())[:MAX_ALIASES]:
            group = target.get("model") if isinstance(target, dict) else target
            if isinstance(group, str):
                aliases[alias] = group
            if isinstance(target, dict) and target.get("hidden"):
                self._remarks.changed(
                    f"model_group_alias.{alias[:64]}", "hidden is not supported: the name is listed"
                )
        return aliases

    def _own_steps(self, name: str, group: Sequence[Deployment]) -> list[Step]:
        by_order: dict[float, list[Deployment]] = {}
        for deployment in group:
            if STAR in deployment.model:
                self._remark_wildcard(name, deployment)
                continue
            order = deployment.params.get("order")
            rank = float(order) if isinstance(order, int | float) else math.inf
            by_order.setdefault(rank, []).append(deployment)
        return [self._step(name, by_order[rank]) for rank in sorted(by_order)]

    def _remark_wildcard(self, name: str, deployment: Deployment) -> None:
        if STAR not in name:
            self._remarks.skipped(deployment.path, f"'{deployment.model[:64]}' names no model")
            return
        prefix = name.partition(STAR)[0]
        without = f", without '{prefix}'" if prefix else ""
        self._remarks.changed(
            deployment.path,
            f"no route: account '{deployment.account.name}' serves any model under its own name{without}",
        )

    def _step(self, name: str, deployments: Sequence[Deployment]) -> Step:
        weights = self._weights(name, deployments)
        targets: dict[tuple[str, int], RouteTarget] = {}
        for deployment, weight in zip(deployments, weights, strict=True):
            if weight == 0:
                self._remarks.skipped(deployment.path, "its weight is 0")
                continue
            target = targets.setdefault(
                (deployment.model, weight), {"model": deployment.model, "accounts": [], "weight": 0}
            )
            if deployment.account.name not in target["accounts"]:
                target["accounts"].append(deployment.account.name)
                target["weight"] += weight
        step = list(targets.values())
        if len(step) > MAX_ROUTE_TARGETS:
            self._remarks.skipped(
                _group_path(name), f"deployments after the first {MAX_ROUTE_TARGETS} of a step"
            )
        return step[:MAX_ROUTE_TARGETS]

    def _weights(self, name: str, deployments: Sequence[Deployment]) -> list[int]:
        if len(deployments) == 1:
            return [1]
        for source in WEIGHTS:
            numbers = [_positive(deployment.params.get(source)) for deployment in deployments]
            if any(numbers):
                if source != "weight" and len(set(numbers)) > 1:
                    self._remarks.changed(_group_path(name), f"{source} is used as the weight alone")
                return _integers(numbers)
        return [1] * len(deployments)

    def _chain(self, name: str) -> list[Step]:
        """Return the steps of the group *name* and of its fallbacks, each target once."""
        steps: list[Step] = []
        seen: set[tuple[str, ...]] = set()
        if not self._steps[name]:
            return []
        for step in (*self._steps[name], *self._fallback_steps(name)):
            fresh = [target for target in step if _identity(target) not in seen]
            seen.update(map(_identity, fresh))
            if fresh:
                steps.append(fresh)
        if len(steps) > MAX_ROUTE_STEPS:
            self._remarks.skipped(_group_path(name), f"steps after the first {MAX_ROUTE_STEPS}")
        return steps[:MAX_ROUTE_STEPS]

    def _fallback_steps(self, name: str) -> Iterator[Step]:
        for kind in FALLBACKS:
            lists = fallback_lists(self._settings.get(kind))
            path = f"router_settings.{kind}.{name[:64]}"
            targets = lists.get(name)
            if targets is None and kind == "fallbacks" and self._is_chat(name):
                path = "litellm_settings.default_fallbacks"
                targets = self._settings.get("default_fallbacks")
            for target in targets if isinstance(targets, list) else ():
                group = self._aliases.get(target, target) if isinstance(target, str) else ""
                steps = self._steps.get(group)
                if steps:
                    yield from steps
                elif group != name:
                    self._remarks.skipped(path, f"'{str(target)[:64]}' has no route")

    def _is_chat(self, name: str) -> bool:
        """Return whether the group *name* may fall back to chat models."""
        return all(deployment.info.get("mode", "chat") in CHAT_MODES for deployment in self._groups[name])

    def report_lost_fallbacks(self) -> None:
        """Report the fallbacks of groups that have no route."""
        for kind in FALLBACKS:
            for name in fallback_lists(self._settings.get(kind)):
                if not self._steps.get(self._aliases.get(name, name)):
                    self._remarks.skipped(
                        f"router_settings.{kind}.{name[:64]}", f"'{name[:64]}' has no route"
                    )

    def _defaults(self, name: str) -> dict[str, Any]:
        """Return the fields that all deployments of the group *name* set by default."""
        group, fields = self._groups[name], RouteFields()
        defaults: dict[str, Any] = {}
        for field in ROUTE_FIELDS:
            values = [deployment.params.get(field) for deployment in group]
            if values[0] is None or any(value != values[0] for value in values):
                if any(value is not None for value in values):
                    self._remarks.skipped(_group_path(name), f"{field}: it is not that of all deployments")
            elif fields.validate({field: values[0]}):
                self._remarks.skipped(_group_path(name), f"{field}: the value is not valid")
            else:
                defaults[field] = values[0]
        return defaults


def fallback_lists(given: Any) -> dict[str, list[Any]]:
    """Return the fallbacks of each group in LiteLLM's list of one-entry objects."""
    entries = [given] if isinstance(given, dict) else given if isinstance(given, list) else []
    return {
        name: targets
        for entry in entries
        if isinstance(entry, dict)
        for name, targets in entry.items()
        if isinstance(targets, list)
    }


def _group_path(name: str) -> str:
    return f"model_list ({name[:64]})"


def _identity(target: RouteTarget) -> tuple[str, ...]:
    return (target["model"], *target["accounts"])


def _positive(value: Any) -> float:
    is_number = type(value) in (int, float) and math.isfinite(value)
    return value if is_number and value > 0 else 0


def _integers(numbers: Sequence[float]) -> list[int]:
    """Return integers in about the same proportion as *numbers*; 0 stays 0."""
    highest = max(numbers)
    if all(number == int(number) for number in numbers) and highest <= MAX_ROUTE_WEIGHT:
        integers = [int(number) for number in numbers]
        divisor = math.gcd(*integers)
        return [number // divisor for number in integers]
    return [max(1, round(number / highest * SCALE)) if number else 0 for number in numbers]
