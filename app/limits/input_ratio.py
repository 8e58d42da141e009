"""
The ratio of the input tokens that upstreams report to the gateway's estimates, by model.

A response that its client left has no usage report. The reports of earlier requests are the next best
source for its input. Each process learns by itself; nothing is shared or stored.
"""

from __future__ import annotations

WEIGHT = 0.2  # of the newest request: prompts change slowly, models not at all
MAX_MODELS = 1000  # callers choose the names


class InputRatio:
    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}

    def learn(self, model: str, estimate: int, reported: int) -> None:
        """Record that an *estimate* of input tokens was *reported* otherwise; zeros are ignored."""
        if estimate <= 0 or reported <= 0:
            return
        ratio = reported / estimate
        if len(self._ratios) >= MAX_MODELS:
            self._ratios.clear()
        known = self._ratios.get(model, ratio)
        self._ratios[model] = known + WEIGHT * (ratio - known)

    def ratio(self, model: str) -> float:
        """Return the factor for an estimate; 1 where nothing is known."""
        return self._ratios.get(model, 1.0)
