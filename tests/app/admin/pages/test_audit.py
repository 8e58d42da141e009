"""The page of the audit log."""

from __future__ import annotations

import csv
import html
import io
import re

import pytest

from app.stores.records.audit import Actor, Via
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor

HOME = f"/admin/p/{POOL}/settings/audit"


def test_who_changed_what(inside: Visitor, services: Services, pool: Furnished) -> None:
    pool.key("other")
    inside.send(f"/admin/p/{POOL}/keys/create", {"name": "ann", "limits": "", "on_cut": "fail"})
    inside.send(f"/admin/p/{POOL}/keys/ann/disable", {})

    page = inside.get(HOME).text

    assert "key: create" in page
    assert '<span class="muted">state:</span> active → disabled' in page
    assert f'<a href="/admin/p/{POOL}/keys/ann">ann</a>' in page
    assert ("on cut:" in page, "key_" in page) == (False, False)
    assert "192.0.2.2" in page
    found = inside.get(f"{HOME}?action=key.disable").text
    assert ("key: disable" in found, "key: create" in found) == (True, False)
    assert inside.get(f"{HOME}?q=ANN").text.count("<tr>") == 4  # with the head and the sign-in of ann
    assert inside.get(f"{HOME}?q=nothing").text.count("<tr>") == 0
    assert inside.get(f"{HOME}?who=nobody").text.count("<tr>") == 0


@pytest.mark.parametrize(("fields", "rest"), [(8, None), (9, "1 more field"), (10, "2 more fields")])
def test_a_change_of_many_fields(
    fields: int, rest: str | None, inside: Visitor, services: Services, pool: Furnished
) -> None:
    """Those after the first eight are folded."""
    with services.audit.change(Actor("ann", Via.CLI), "account.add", POOL, "main") as change:
        change.after = {f"field_{number}": "x" for number in range(fields)}

    page = inside.get(f"{HOME}?action=account").text
    assert re.findall("<summary>([0-9]+ more fields?)</summary>", page) == ([rest] if rest else [])


def test_pages_and_export(
    inside: Visitor, services: Services, pool: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export has what the filters show, on all pages; no text is taken for a formula."""
    for name in ("READ_ENTRIES", "MAX_READ"):
        monkeypatch.setattr(f"app.stores.audit.{name}", 2)
    for name in ("a", "b", "c"):
        services.audit.note(Actor("=ann", Via.CLI), "account.test", POOL, name)

    first = inside.get(f"{HOME}?action=account").text
    assert "cursor=" in first
    older = html.unescape(re.findall(r'href="([^"]*cursor=[^"]*)"', first)[0])
    assert "Newest" in inside.get(older).text

    response = inside.get(f"{HOME}/export.csv?action=account")
    rows = list(csv.reader(io.StringIO(response.text)))
    assert response.mimetype == "text/csv"
    assert [row[5] for row in rows] == ["object", "c", "b", "a"]
    assert rows[1][1] == "'=ann"


def test_other_pools_have_their_own(inside: Visitor, services: Services, pool: Furnished) -> None:
    services.pools.ensure("team-b")
    inside.send("/admin/p/team-b/keys/create", {"name": "secret-project", "on_cut": "fail"})

    assert "secret-project" not in inside.get(HOME).text
    assert "secret-project" in inside.get("/admin/p/team-b/settings/audit").text
