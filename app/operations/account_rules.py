"""Rules by which the schemas check accounts of each kind."""

from __future__ import annotations

from app.accounts.kinds import KINDS
from schemas.accounts import KindRules

KIND_RULES = {
    kind.name: KindRules(kind.setup.default_base_url is None, kind.setup.allowed_protocols)
    for kind in KINDS.values()
    if kind.setup is not None
}
SIMULATED_RULES = {  # of accounts that a document may name but does not add
    kind.name: KindRules(needs_base_url=False, protocols=kind.protocols)
    for kind in KINDS.values()
    if kind.is_simulated
}
