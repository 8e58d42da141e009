"""What callers request and the pool does not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from app.operations.check_accounts import Record
from app.operations.diagnostic import NOTE, Finding

if TYPE_CHECKING:
    from app.wiring import Services

NOT_FOUND = "model_not_found"
RECENT_SECONDS = 86400
MAX_MODELS, MAX_NAME_CHARS = 5, 64  # shown; the names are the callers' to invent


def missing_models(services: Services, pool: str, records: Sequence[Record], now: float) -> Iterator[Finding]:
    """Yield which models were requested and refused in the last day, and are still listed by no account."""
    offered = {model for record in records for model in (record.account.models or record.account.listed)}
    wanted: Counter[str] = Counter()
    for refusal in services.ledger.refusals.entries(pool):
        entry = refusal.entry
        if entry.row["at_ms"] < (now - RECENT_SECONDS) * 1000:
            break
        if entry.row["error"] == NOT_FOUND and entry.row["model"] not in offered:
            wanted[entry.row["model"]] += 1
    if wanted:
        names = ", ".join(_shown(name) for name, _ in wanted.most_common(MAX_MODELS))
        more = f" and {len(wanted) - MAX_MODELS} more" if len(wanted) > MAX_MODELS else ""
        what = f"models were requested that no account lists: {names}{more}"
        yield Finding(
            NOTE, pool, what, "add an account that has them, or see poolgate request list --refused"
        )


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name[:MAX_NAME_CHARS])
