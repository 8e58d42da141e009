"""
The ratio of the input tokens that upstreams report to the gateway's estimates, by model.

If a client leaves during a response, no usage is reported. The reports of earlier requests then give the best
estimate of its input. Each process learns separately; nothing is shared or stored.
"""

from __future__ import annotations

WEIGHT = 0.2  # weight of the newest request: prompts change slowly, and models do not change
MAX_MODELS = 1000  # callers choose the names


class InputRatio:
    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}

    def learn(self, model: str, estimate: int, reported: int) -> None:
        """Record that upstream *reported* so many input tokens for an *estimate*; zeros are ignored."""
        if estimate <= 0 or reported <= 0:
            return
        ratio = reported / estimate
        if len(self._ratios) >= MAX_MODELS:
            self._ratios.clear()
        known = self._ratios.get(model, ratio)
        self._ratios[model] = known + WEIGHT * (ratio - known)

    def ratio(self, model: str) -> float:
        """Return the factor by which to multiply an estimate; 1 if nothing is known."""
        return self._ratios.get(model, 1.0)
