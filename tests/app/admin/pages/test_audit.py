"""The page of the audit log."""

from __future__ import annotations

from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor

HOME = f"/admin/p/{POOL}/settings/audit"


def test_who_changed_what(inside: Visitor, services: Services, pool: Furnished) -> None:
    pool.key("other")
    inside.send(f"/admin/p/{POOL}/keys/create", {"name": "ann", "limits": "", "on_cut": "fail"})
    inside.send(f"/admin/p/{POOL}/keys/ann/disable", {})

    page = inside.get(HOME).text

    assert "key.create" in page
    assert "state: active → disabled" in page
    assert "192.0.2.2" in page
    found = inside.get(f"{HOME}?action=key.disable").text
    assert ("key.disable" in found, "key.create" in found.partition("<table")[2]) == (True, False)
    assert inside.get(f"{HOME}?who=nobody").text.count("<tr>") == 0


def test_other_pools_have_their_own(inside: Visitor, services: Services, pool: Furnished) -> None:
    services.pools.ensure("team-b")
    inside.send("/admin/p/team-b/keys/create", {"name": "secret-project", "on_cut": "fail"})

    assert "secret-project" not in inside.get(HOME).text
    assert "secret-project" in inside.get("/admin/p/team-b/settings/audit").text
