"""
What upstreams count as input, beside what we would have guessed, by model.

An answer that its client left brings no count. The next best thing to the upstream's own word
on this request is its word on the ones before. Each process learns for itself, from each
request that was told; nothing of it needs to be shared or kept.
"""

from __future__ import annotations

WEIGHT = 0.2  # of the newest request: prompts change slowly, models not at all
MAX_MODELS = 1000  # remembered; callers choose the names


class InputRatio:
    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}

    def learn(self, model: str, guessed: int, told: int) -> None:
        """Note that *guessed* tokens of input turned out to be *told*; nothing read says nothing."""
        if guessed <= 0 or told <= 0:
            return
        ratio = told / guessed
        if len(self._ratios) >= MAX_MODELS:
            self._ratios.clear()
        known = self._ratios.get(model, ratio)
        self._ratios[model] = known + WEIGHT * (ratio - known)

    def ratio(self, model: str) -> float:
        """Return by what to multiply a guess; 1 where nothing is known."""
        return self._ratios.get(model, 1.0)
