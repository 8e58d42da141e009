"""A form that was submitted and not handled is repeated by the page of the error, to submit it again."""

from __future__ import annotations

import re
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from redis.exceptions import ConnectionError
from werkzeug.test import TestResponse

from app.errors import StoreUnavailable
from app.stores.errors import store_error
from app.stores.failures import public_address
from app.stores.records.operators import Role
from tests.support.admin import Visitor

OWN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
CREATE = "/admin/p/default/keys/create"
TYPED = {"name": "bea", "owner": 'Bea "B" <b@example.com>', "label_1_name": "env", "label_1_value": "prod"}
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


def submit(visitor: Visitor, form: dict[str, Any], path: str = CREATE, **headers: str) -> TestResponse:
    return visitor.post(path, form, headers={**OWN, **headers})


def hidden(page: TestResponse) -> dict[str, str]:
    """Return the hidden fields of the form that submits again, with its CSRF token."""
    assert "Submit again" in page.text
    return {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}


def typed(page: TestResponse) -> dict[str, str]:
    return {name: value for name, value in hidden(page).items() if name != "csrf_token"}


def end_sessions(services: Any) -> None:
    services.operator_stores.sessions.end_all("ann")


def break_store(monkeypatch: pytest.MonkeyPatch, target: Any, name: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The store is away")

    monkeypatch.setattr(target, name, fail)


def test_after_the_session_has_ended(inside, services):
    """Sign in and submit twice: the token of the page is that of no session yet."""
    form = {"csrf_token": inside.csrf_token(CREATE), **TYPED}
    end_sessions(services)

    page = submit(inside, form)

    assert page.status_code == 401
    assert "Your session has ended" in page.text
    assert "Nothing was saved." in page.text
    assert "submit it here, and again on the page that\nfollows" in page.text
    assert 'href="/admin/sign-in"' in page.text
    assert typed(page) == TYPED
    inside.sign_in()
    again = submit(inside, hidden(page))
    assert (again.status_code, typed(again)) == (403, TYPED)
    assert "Nothing was saved." in again.text
    assert "open the page" not in again.text  # one instruction: to submit it again
    assert submit(inside, hidden(again)).status_code == 200
    assert services.api_keys.find("default", "bea").owner == TYPED["owner"]


def test_after_sign_out_in_another_tab(inside):
    """Although the browser has no session cookie any more."""
    form = {"csrf_token": inside.csrf_token(CREATE), **TYPED}
    inside.send("/admin/sign-out", {}, shown_at="/admin/security")

    assert typed(submit(inside, form)) == TYPED


def test_over_http_a_browser_sends_its_origin_alone(inside, services):
    end_sessions(services)

    page = inside.post(CREATE, TYPED, headers={"Origin": "http://gate.test"})

    assert typed(page) == TYPED


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {"Origin": "http://evil.test"},
        {},
    ],
)
def test_a_form_of_another_site(inside, services, headers):
    """It is not repeated: a click would submit it with a token that fits. A script is led to the sign-in."""
    refused = inside.post(CREATE, TYPED, headers=headers)
    assert (refused.status_code, "Submit again" in refused.text) == (403, False)
    assert "open the page of the form again" in refused.text

    end_sessions(services)
    assert inside.post(CREATE, TYPED, headers=headers).status_code == 303


def test_without_the_store(inside, services, monkeypatch):
    """The caller cannot be authenticated, so nothing has begun; once it is back, one click saves."""
    form = {"csrf_token": inside.csrf_token(CREATE), **TYPED}
    with monkeypatch.context() as patch:
        break_store(patch, services.operator_stores.sessions, "touch")
        page = submit(inside, form)

    assert (page.status_code, typed(page)) == (503, TYPED)
    assert "Nothing was saved." in page.text
    assert submit(inside, hidden(page)).status_code == 200
    assert services.api_keys.find("default", "bea").owner == TYPED["owner"]


def test_a_store_that_fails_in_the_middle(inside, services, monkeypatch):
    """Then the page does not claim that nothing was saved."""
    form = {"csrf_token": inside.csrf_token(CREATE), **TYPED}
    break_store(monkeypatch, type(services.api_keys), "create")

    page = submit(inside, form)

    assert (page.status_code, typed(page)) == (503, TYPED)
    assert "It is not known whether this was saved" in page.text
    assert "Nothing was saved" not in page.text


def refuse_connections(monkeypatch: pytest.MonkeyPatch, target: Any, name: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        error = ConnectionError("Error 111 connecting to 10.0.0.5:6379. Connection refused.")
        raise store_error(error) from error

    monkeypatch.setattr(target, name, fail)


@pytest.mark.parametrize("address", [CREATE, "/admin/api/keys?pool=default"])
def test_what_is_wrong_with_the_store(inside, services, monkeypatch, address):
    """The text is for operators, not for callers of the gateway; who is not known gets no address."""
    refuse_connections(monkeypatch, services.operator_stores.sessions, "touch")

    page = inside.get(address)

    assert page.status_code == 503
    assert "The store (Redis) refuses connections. Nothing can be shown or saved" in page.text
    assert "10.0.0.5" not in page.text
    assert "admitted" not in page.text


def test_the_address_of_the_store(inside, services, redis_url, monkeypatch):
    refuse_connections(monkeypatch, type(services.pools), "check")
    refuse_connections(monkeypatch, type(services.api_keys), "all")

    page = inside.get("/admin/p/default/keys")

    assert page.status_code == 503
    assert f"The store at {public_address(redis_url)} refuses connections" in unescape(page.text)


def test_another_role(inside, services):
    services.operator_stores.operators.create("bea", "correct horse battery")
    form = {"csrf_token": inside.csrf_token(CREATE), **TYPED}
    services.operator_stores.operators.set_role("ann", Role.VIEWER)

    page = submit(inside, form)

    assert (page.status_code, typed(page)) == (403, TYPED)
    assert "Nothing was saved." in page.text


def test_passwords_are_not_repeated(inside, services):
    form = {
        "csrf_token": inside.csrf_token("/admin/security/operators/invite"),
        "role": "viewer",
        "password": "secret-12",
    }
    end_sessions(services)

    page = submit(inside, form, "/admin/security/operators/invite")

    assert typed(page) == {"role": "viewer"}
    assert "secret-12" not in page.text


def test_a_form_that_is_too_long(inside, services):
    """A caller who is not authenticated is read no further than a sign-in form would be."""
    end_sessions(services)

    page = submit(inside, {"text": "x" * 100_000})

    assert page.status_code == 401
    assert "The contents cannot be repeated here" in page.text


def test_a_file(inside, services):
    """A page cannot choose it for the operator."""
    end_sessions(services)

    page = submit(inside, {"name": "bea", "file": (BytesIO(b"{}"), "auth.json")})

    assert "A file has to be chosen again" in page.text
    assert "Submit again" not in page.text


def test_pages_that_are_read(inside, monkeypatch, services):
    break_store(monkeypatch, services.operator_stores.sessions, "touch")

    page = inside.get(CREATE)

    assert page.status_code == 503
    assert "saved" not in page.text
