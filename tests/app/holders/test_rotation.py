"""A holder gives the key a new secret."""

from __future__ import annotations

import re
from functools import partial

import pytest
from flask import Flask

from app.accounts.settings import with_flag
from app.errors import InvalidApiKey
from app.holders.pages.rotation import MAX_OVERLAP_HOURS
from app.operators.sign_in_throttle import NAME_AND_ADDRESS
from app.wiring import Services
from tests.app.holders.conftest import POOL, Holder
from tests.support.admin import audited

SECRET = re.compile(r'id="secret">(sk-pg-[^<]+)<')


def rotate(holder: Holder, hours: str = "0") -> str:
    """Rotate the key, and return its new secret."""
    found = SECRET.search(holder.send("/my/rotate", {"hours": hours}).text)
    assert found
    return found[1]


def test_the_new_secret_is_shown_once(ann: Holder, services: Services, secret: str) -> None:
    new = rotate(ann)

    assert services.api_keys.authenticate(new).name == "ann"
    with pytest.raises(InvalidApiKey):
        services.api_keys.authenticate(secret)
    assert new not in ann.get("/my").text


def test_with_an_overlap(ann: Holder, services: Services, secret: str) -> None:
    new = rotate(ann, "2")

    assert services.api_keys.authenticate(secret).id == services.api_keys.authenticate(new).id
    assert "valid until" in ann.get("/my").text
    assert "refused from now on" in ann.get("/my/rotate").text


def test_this_session_continues_and_others_end(app: Flask, ann: Holder, secret: str) -> None:
    thief = Holder(app, "192.0.2.66")
    thief.enter(secret)

    rotate(ann, "2")

    assert ann.is_inside()
    assert not thief.is_inside()
    assert thief.enter(secret) == 401


def test_the_audit_log_names_the_key(ann: Holder, services: Services, secret: str) -> None:
    new = rotate(ann)

    entry = audited(services)[-1]
    assert (entry["who"], entry["via"], entry["action"], entry["object"]) == (
        "key:ann",
        "page",
        "key.rotate",
        "ann",
    )
    assert entry["address"] == "192.0.2.2"
    assert not any(one in str(entry) for one in (secret, new))


@pytest.mark.parametrize("hours", ["", "-1", "x", "1.5", str(MAX_OVERLAP_HOURS + 1), "9" * 400])
def test_hours(ann: Holder, services: Services, secret: str, hours: str) -> None:
    response = ann.send("/my/rotate", {"hours": hours})

    assert response.status_code == 400
    assert 'id="hours-error"' in response.text
    assert services.api_keys.authenticate(secret).name == "ann"


def test_without_a_csrf_token(ann: Holder, services: Services, secret: str) -> None:
    assert ann.post("/my/rotate", {"hours": "0"}).status_code == 403
    assert services.api_keys.authenticate(secret).name == "ann"


def test_again_and_again(ann: Holder) -> None:
    """Each one is an entry of the audit log."""
    for _ in range(NAME_AND_ADDRESS):
        rotate(ann)

    response = ann.send("/my/rotate", {"hours": "0"})

    assert response.status_code == 429
    assert "was rotated several times just now" in response.text
    assert ann.is_inside()


class TestPoolThatForbidsIt:
    @pytest.fixture(autouse=True)
    def _forbid(self, services: Services) -> None:
        services.pools.change(POOL, settings=partial(with_flag, name="holders_rotate", value=False))

    def test_it_is_not_offered(self, ann: Holder) -> None:
        assert "/my/rotate" not in ann.get("/my").text

    def test_it_is_refused(self, ann: Holder, services: Services, secret: str) -> None:
        response = ann.send("/my/rotate", {"hours": "0"}, shown_at="/my")

        assert response.status_code == 403
        assert "may not rotate" in response.text
        assert services.api_keys.authenticate(secret).name == "ann"


def test_a_form_that_arrives_after_an_operator_has_rotated_the_key(ann: Holder, services: Services) -> None:
    """A thief could otherwise hold one back, and take the key again after each rotation."""
    secrets: list[str] = []

    response = ann.send_slowly(
        "/my/rotate", {"hours": "0"}, lambda: secrets.append(services.api_keys.rotate(POOL, "ann")[1])
    )

    assert response.status_code == 303
    assert not ann.is_inside()
    assert services.api_keys.authenticate(secrets[0]).name == "ann"
