"""Check for models that callers request and no account of the pool has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from app.operations.check_accounts import StoredAccount
from app.operations.check_stores import CheckStores
from app.operations.diagnostic import Diagnostic, Level

MODEL_MISSING = "model_not_found"
RECENT_SECONDS = 86400
MAX_MODELS, MAX_NAME_CHARS = 5, 64  # models in the finding; callers may invent names


def check_missing_models(
    stores: CheckStores, pool: str, records: Sequence[StoredAccount], now: float
) -> Iterator[Diagnostic]:
    """Yield the models for which requests were refused in the last day, and that no account lists now."""
    offered = {model for record in records for model in record.account.offered_models}
    requested: Counter[str] = Counter()
    for refusal in stores.refusals.entries(pool):
        entry = refusal.entry
        if entry.row["at_ms"] < (now - RECENT_SECONDS) * 1000:
            break
        if entry.row["error"] == MODEL_MISSING and entry.row["model"] not in offered:
            requested[entry.row["model"]] += 1
    if requested:
        names = ", ".join(_shown(name) for name, _ in requested.most_common(MAX_MODELS))
        more = f" and {len(requested) - MAX_MODELS} more" if len(requested) > MAX_MODELS else ""
        what = f"models were requested that no account lists: {names}{more}"
        yield Diagnostic(
            Level.NOTE, pool, what, "add an account that has them, or see poolgate request list --refused"
        )


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name[:MAX_NAME_CHARS])
