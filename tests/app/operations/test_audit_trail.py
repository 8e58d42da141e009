"""The changes of one actor in the audit log."""

from __future__ import annotations

from app.operations.audit_trail import AuditTrail
from tests.app.operations.conftest import ANN


def test_a_pool_is_created_once(services, audited):
    trail = AuditTrail(services.audit, ANN, services.pools)

    trail.ensure_pool("team")
    trail.ensure_pool("team")

    assert "team" in services.pools.names()
    assert [entry[:2] for entry in audited()] == [("pool.create", "team")]


def test_a_note_names_the_actor(services):
    AuditTrail(services.audit, ANN, services.pools).note("account.export", "team", "main", size=3)

    (entry,) = services.audit.page().entries
    assert (entry["who"], entry["via"], entry["action"], entry["size"]) == ("ann", "api", "account.export", 3)
