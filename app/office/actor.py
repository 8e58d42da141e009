"""Who changes something, and by which way."""

from __future__ import annotations

from dataclasses import dataclass

CLI, API, PAGE, START = "cli", "api", "page", "start"


@dataclass(frozen=True, slots=True)
class Actor:
    """*name* is a person's or a token's; *via* one of cli, api, page, start; *address* an IP or ''."""

    name: str
    via: str
    address: str = ""
