"""The usage of a request in words: its tokens, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.formatting import count, dollars
from app.stores.records.ledger import UsageSource

NO_PRICE = "no price"  # of the model, which is not the same as free
SOURCES: Mapping[str, str] = {
    UsageSource.UPSTREAM: "counted by the upstream",
    UsageSource.CACHE: "from the response cache",
}


def tokens_text(usage: Mapping[str, Any]) -> str:
    """Return the tokens in *usage*, figures of the ledger: `1,234 in, 56 out; counted by the upstream`."""
    cached, reasoning = usage.get("cached_tokens"), usage.get("reasoning_tokens")
    read = f"{count(usage.get('input_tokens', 0))} in" + (f" ({count(cached)} from cache)" if cached else "")
    written = f"{count(usage.get('output_tokens', 0))} out"
    written += f" ({count(reasoning)} reasoning)" if reasoning else ""
    source = str(usage.get("source") or UsageSource.ESTIMATED)
    return f"{read}, {written}; {SOURCES.get(source, source)}"


def cost_text(usage: Mapping[str, Any]) -> str:
    """Return the cost, and the part in it that failed attempts caused; NO_PRICE if the model has none."""
    cost, failed = usage.get("cost"), usage.get("waste_cost")
    if cost is None:
        return NO_PRICE
    return dollars(cost) + (f", of which {dollars(failed)} for failed attempts" if failed else "")
