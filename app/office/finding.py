"""What a checkup found."""

from __future__ import annotations

from dataclasses import dataclass

WRONG, NOTE = "wrong", "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` wants somebody to do what `mend` says; a `note` is good to know."""

    level: str
    where: str
    what: str
    mend: str = ""
