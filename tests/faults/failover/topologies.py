"""
How accounts stand behind the gateway: which serves the model that fails, and which is left.

    A  one account for everything            B  one for the primary model, one for the fallback
    G  two for the primary model, one for the fallback            C  two equal accounts
    W  no fallback named: a broken account, and a healthy one in a later group
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.failover.scenarios import (
    COMPLETE,
    HEALTHY,
    NO_PREFILL,
    SCENARIOS,
    Pace,
    Scenario,
    answering,
)
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

PRIMARIES = tuple(scenario.model for scenario in SCENARIOS)
OTHERS = (HEALTHY, NO_PREFILL)


@dataclass(frozen=True, slots=True)
class Topology:
    """*accounts* by name: the models of each, empty for any. Those that play faults begin with `p`."""

    name: str
    accounts: dict[str, tuple[str, ...]]
    names_fallbacks: bool = True
    policy: str = "balanced"

    def arrange(self, pool: PoolOfTest, upstream: ScriptedUpstream, settings: str) -> None:
        pool.set(policy=self.policy, settings=settings)
        for group, (name, models) in enumerate(self.accounts.items()):
            pool.account(name, upstream.base_url(name), kind="compatible", models=models, group=group)

    def play(self, upstream: ScriptedUpstream, scenario: Scenario, pace: Pace) -> None:
        """Set what each account plays in *scenario*."""
        upstream.script(answering(pace))
        upstream.script(COMPLETE, model=HEALTHY, account="p*")
        upstream.script(*scenario.plays(pace), model=scenario.model, account="p*")

    def is_primary(self, account: str, model: str, scenario: Scenario) -> bool:
        return account.startswith("p") and model == scenario.model


TOPOLOGIES = {
    topology.name: topology
    for topology in (
        Topology("A", {"p": ()}),
        Topology("B", {"p": PRIMARIES, "f": OTHERS}),
        Topology("C", {"p1": (), "p2": ()}),
        Topology("G", {"p1": PRIMARIES, "p2": PRIMARIES, "f": OTHERS}),
        Topology("W", {"p": (), "f": ()}, names_fallbacks=False, policy="ordered"),
    )
}
