"""Who changes something, and by which way."""

from __future__ import annotations

from dataclasses import dataclass

CLI, API, PAGE, START, WORKER = "cli", "api", "page", "start", "worker"


@dataclass(frozen=True, slots=True)
class Actor:
    """*name* is a person's, a token's or a job's; *via* one of those above; *address* an IP or ''."""

    name: str
    via: str
    address: str = ""
