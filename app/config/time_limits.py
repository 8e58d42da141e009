"""The timeouts of an upstream call."""

from __future__ import annotations

from dataclasses import dataclass, fields

from app.config.variables import NAMES, ConfigError

MAX_TIME_LIMIT_SECONDS = 86_400  # a day: longer than any response, and accepted by timers


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Timeouts of the phases of an upstream call, in seconds."""

    connect: float = 5.0  # TCP and TLS
    headers: float = 15.0  # from the end of the request to the response headers
    first_progress: float = 12.0  # to the first event after created / in_progress
    first_progress_reasoning: float = 60.0  # the same for reasoning models, which think first
    idle: float = 30.0  # longest silence between two events
    idle_reasoning: float = 120.0
    # Interval of comments in a silent stream, for proxies in between. The first one sends the status.
    keepalive: float = 10.0
    total: float = 600.0  # over all attempts of a request

    def __post_init__(self) -> None:
        for limit in fields(self):
            seconds = getattr(self, limit.name)
            if not 0 < seconds <= MAX_TIME_LIMIT_SECONDS:  # also refuses NaN
                accepted = f"more than 0 and at most {MAX_TIME_LIMIT_SECONDS} seconds"
                raise ConfigError(f"limits.{limit.name}", seconds, accepted)
        for name in ("first_progress", "idle"):
            seconds, reasoning = getattr(self, name), getattr(self, f"{name}_reasoning")
            if seconds > reasoning:
                raise ConfigError(
                    f"limits.{name}", seconds, f"at most limits.{name}_reasoning, {reasoning:g}"
                )
        if self.total < self.connect:
            raise ConfigError(
                NAMES["total"], self.total, f"at least the {self.connect:g} seconds of connecting"
            )
