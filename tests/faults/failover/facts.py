"""What one scenario brought: from the caller's side and from the provider's log."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Facts:
    """
    Times of attempts are Unix seconds. Of a sequence, the outcome is that of its worst request.

    `outcome` is `success`, `error` or `hang`.
    """

    outcome: str = "success"
    complete: bool = True
    error: str = ""
    seconds: float = 0.0
    usage: bool = False
    names_fallback: bool = True  # or the fallback was not used
    primary_at: list[float] = field(default_factory=list)
    fallback_at: list[float] = field(default_factory=list)
    prefills: int = 0  # requests that ended with a message of the assistant
    alive: bool = True
    served_during_outage: bool = True
    back_after_seconds: float | None = None  # when the primary answered again, counted from its recovery

    @property
    def truncated_success(self) -> bool:
        return self.outcome == "success" and not self.complete
