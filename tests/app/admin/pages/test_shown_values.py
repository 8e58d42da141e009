"""A form does not silently replace what was changed after it was opened."""

from __future__ import annotations

import re
from html import unescape
from typing import Any, NamedTuple

import pytest
from werkzeug.test import TestResponse

from app.admin.pages.shown_values import digests_of
from app.stores.records.operators import Role
from tests.support.admin import PASSWORD, Visitor

PAGES = "/admin/p/default"
_SHOWN = re.compile(r'name="shown" value="([^"]*)"')
_ID = re.compile(r'name="id" value="([^"]*)"')


class Edit(NamedTuple):
    """What two tabs submit to the form at `path`: both change the value of `field`, the first to `now`."""

    path: str
    first: dict[str, str]
    second: dict[str, str]
    field: str
    now: str


ACCOUNT = {"cap": "100", "weight": "1", "group": "0"}
TARGET = {"name": "fast", "target_1_order": "then"}
PRICE = {"model": "m1", "output": "9"}
LIMIT = {"key_limit_1_unit": "requests", "key_limit_1_period": "day", "key_limit_1_mode": "strict"}
HOOK = {"format": "slack", "account": "yes"}
ROLE = {"password": PASSWORD}
POOL = {"policy": "balanced"}
EDITS = [
    Edit(f"{PAGES}/keys/ann/edit", {"owner": "A"}, {"owner": "B"}, "owner", "A"),
    Edit(f"{PAGES}/accounts/main/edit", {**ACCOUNT, "cap": "5"}, {**ACCOUNT, "cap": "7"}, "cap", "5"),
    Edit(
        f"{PAGES}/teams/red/edit",
        {**LIMIT, "key_limit_1_amount": "5"},
        {**LIMIT, "key_limit_1_amount": "7"},
        "key_limit_1_amount",
        "5",
    ),
    Edit(
        f"{PAGES}/settings/models?name=fast",
        {**TARGET, "target_1_model": "m2"},
        {**TARGET, "target_1_model": "m3"},
        "target_1_model",
        "m2",
    ),
    Edit(f"{PAGES}/settings/prices?model=m1", {**PRICE, "input": "5"}, {**PRICE, "input": "7"}, "input", "5"),
    Edit(
        f"{PAGES}/settings/alerts?name=ops",
        {**HOOK, "remind_hours": "5"},
        {**HOOK, "remind_hours": "7"},
        "remind_hours",
        "5",
    ),
    Edit(
        f"{PAGES}/settings/routing",
        {**POOL, "zone": "Asia/Tokyo"},
        {**POOL, "zone": "UTC"},
        "zone",
        "Asia/Tokyo",
    ),
    Edit(f"{PAGES}/settings/time-limits", {"of": "*", "total": "5"}, {"of": "*", "total": "7"}, "total", "5"),
    Edit(
        f"{PAGES}/limits/of-key/ann",
        {"do": "set", "changed": "5", "changed_mode": "strict"},
        {"do": "set", "changed": "7", "changed_mode": "strict"},
        "changed",
        "5",
    ),
    Edit(
        "/admin/security/operators/cat/role",
        {**ROLE, "role": "admin"},
        {**ROLE, "role": "owner"},
        "role",
        "admin",
    ),
]


@pytest.fixture
def furnished(pool: Any, services: Any, inside: Visitor) -> Visitor:
    """The pages of a pool that has each record once."""
    pool.account("main")
    pool.key("ann")
    services.operator_stores.operators.create("cat", PASSWORD, role=Role.VIEWER)
    for path, form in (
        ("/teams/create", {"name": "red"}),
        ("/settings/models", {**TARGET, "target_1_model": "m1"}),
        ("/settings/prices", {**PRICE, "input": "1"}),
        ("/settings/alerts", {**HOOK, "name": "ops", "url": "https://ops.test/x", "remind_hours": "1"}),
        (
            "/limits/of-key/ann",
            {
                "do": "add",
                "limit_1_amount": "9",
                "limit_1_unit": "requests",
                "limit_1_period": "day",
                "limit_1_mode": "strict",
            },
        ),
    ):
        assert inside.send(PAGES + path, form).status_code in (302, 303), path
    return inside


def shown(page: TestResponse) -> dict[str, str]:
    """Return the hidden fields of the form of *page* that edits a record."""
    found = {"shown": _SHOWN, "id": _ID} if "/limits/of" in page.request.path else {"shown": _SHOWN}
    return {name: unescape(pattern.findall(page.text)[0]) for name, pattern in found.items()}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.path.rpartition("default/")[2])
def test_two_tabs(furnished: Visitor, edit: Edit) -> None:
    """The second is refused, names what was changed by whom, and may then replace it."""
    opened = shown(furnished.get(edit.path))
    assert furnished.send(edit.path, {**edit.first, **opened}).status_code == 303

    refused = furnished.send(edit.path, {**edit.second, **opened})

    assert refused.status_code == 400
    assert re.search(r"Nothing was saved\.</strong> ann changed it \d+ s ago, since you opened", refused.text)
    assert f"is “{edit.now}” now" in unescape(refused.text)
    assert edit.second[edit.field] in refused.text
    assert furnished.send(edit.path, {**edit.second, **shown(refused)}).status_code == 303
    assert shown(furnished.get(edit.path)) != shown(refused)


def test_the_same_change_in_both(furnished: Visitor, services: Any) -> None:
    """It replaces nothing, and what the second tab alone changes is saved."""
    path = f"{PAGES}/keys/ann/edit"
    opened = shown(furnished.get(path))
    furnished.send(path, {"owner": "A", **opened})

    assert furnished.send(path, {"owner": "A", "models": "m1", **opened}).status_code == 303
    assert services.api_keys.find("default", "ann").models == ("m1",)


def test_a_field_that_the_form_would_empty(furnished: Visitor) -> None:
    """Also a value that the form never showed, such as a first owner."""
    path = f"{PAGES}/keys/ann/edit"
    opened = shown(furnished.get(path))
    furnished.send(path, {"owner": "A", **opened})

    refused = furnished.send(path, {"models": "m1", **opened})

    assert refused.status_code == 400
    assert 'id="owner-error">is “A” now' in refused.text


@pytest.mark.parametrize("text", ["x", "=", "owner=", " ", "a=b=c", "é" * 5000])
def test_other_texts_in_the_field(furnished: Visitor, text: str) -> None:
    path = f"{PAGES}/keys/ann/edit"

    assert furnished.send(path, {"owner": "A", "on_cut": "fail", "shown": text}).status_code in (303, 400)


def test_digests_reveal_no_value() -> None:
    assert digests_of({"owner": "Ann", "models": ""}) == "owner=17239b6e"
