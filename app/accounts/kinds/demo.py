"""The account of the built-in simulated upstream, which `poolgate up` adds."""

from __future__ import annotations

from app.accounts.kinds.kind import Kind

KIND = Kind(
    name="demo",
    providers=("demo", "openai"),
    owned_by="poolgate-demo",
    is_simulated=True,
    may_be_private=True,
    passes_through=False,
)
