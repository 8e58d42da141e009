"""The page on which an invited person becomes an operator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app import administration
from app.operators.sign_in_throttle import NAME_AND_ADDRESS
from app.stores.records.audit import Actor, Via
from app.stores.records.operators import Role
from tests.support.admin import PASSWORD, Visitor, audited

AT = "/admin/invitation"


@pytest.fixture
def secret(services, ann):
    return administration.operator_operations(services, Actor(ann, Via.PAGE)).invite(
        Role.VIEWER, 3600.0, "bea", owner=ann
    )[1]


def accept(visitor, secret, **change):
    form = {"token": secret, "name": "Bea", "password": PASSWORD, "password_again": PASSWORD} | change
    return visitor.send(AT, form, shown_at="/admin/sign-in")


def names(services):
    return [one.name for one in services.operator_stores.operators.all()]


def test_an_invited_person_is_signed_in_with_the_role(app, services, secret):
    visitor = Visitor(app)
    shown = visitor.get(f"{AT}?token={secret}")
    assert (shown.status_code, "ann invites you to these pages as viewer" in shown.text) == (200, True)

    assert accept(visitor, secret).status_code == 303

    assert "Your role is viewer" in visitor.get("/admin/security").text
    assert services.operator_stores.operators.find("bea").role is Role.VIEWER
    entry = audited(services)[-1]
    assert (entry["action"], entry["object"], entry["invited_by"]) == ("operator.create", "bea", "ann")
    assert secret not in str(audited(services))


def test_it_works_once(app, services, secret):
    accept(Visitor(app), secret)

    again = accept(Visitor(app), secret, name="eve")

    assert again.status_code == 404
    assert "has been used or revoked" in again.text
    assert names(services) == ["ann", "bea"]


def test_at_once_one_of_many_wins(app, services, secret):
    operators = services.operator_stores.operators

    def run(number):
        try:
            return operators.accept(secret, f"bea-{number}", PASSWORD).name
        except Exception as error:
            return type(error).__name__

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(run, range(12)))

    assert outcomes.count("InvalidRequest") == 11
    assert len(names(services)) == 2
    assert services.operator_stores.invitations.all() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "ann"}, "name"),
        ({"password": "short", "password_again": "short"}, "password"),
        ({"password_again": "another"}, "password_again"),
    ],
)
def test_bad_input_leaves_it_open(app, services, secret, change, field):
    response = accept(Visitor(app), secret, **change)

    assert response.status_code == 400
    assert f'id="{field}-error"' in response.text
    assert names(services) == ["ann"]
    assert accept(Visitor(app), secret).status_code == 303


@pytest.mark.parametrize("token", ["", "wrong", "x" * 5000, "é"])
def test_an_unknown_one(app, ann, token):
    visitor = Visitor(app)

    assert visitor.get(AT, query_string={"token": token}).status_code == 404
    assert accept(visitor, token).status_code == 404


@pytest.mark.parametrize("end", ["demoted", "removed"])
def test_it_ends_with_the_ownership_of_its_author(app, services, secret, end):
    operators = services.operator_stores.operators
    operators.create("carl", PASSWORD)
    operators.remove("ann") if end == "removed" else operators.set_role("ann", Role.ADMIN)

    assert accept(Visitor(app), secret).status_code == 404
    assert services.operator_stores.invitations.all() == []


def test_one_of_the_command_line_stays(app, services, ann):
    _, secret = administration.operator_operations(services, Actor("root", Via.CLI)).invite(
        Role.ADMIN, 3600.0
    )
    services.operator_stores.operators.create("carl", PASSWORD)
    services.operator_stores.operators.remove("ann")

    assert accept(Visitor(app), secret).status_code == 303


def test_attempts_are_limited(app, services, ann):
    visitor = Visitor(app)
    for _ in range(NAME_AND_ADDRESS):
        accept(visitor, "wrong")

    response = accept(visitor, "wrong")

    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0


def test_without_a_csrf_token(app, services, secret):
    response = Visitor(app).post(AT, {"token": secret, "name": "bea", "password": PASSWORD})

    assert response.status_code == 403
    assert names(services) == ["ann"]


def test_a_request_for_the_head_alone_accepts_nothing(app, services, secret):
    """It needs no CSRF token."""
    query = {"token": secret, "name": "bea", "password": PASSWORD, "password_again": PASSWORD}

    response = Visitor(app).client.head(AT, query_string=query)

    assert response.status_code == 200
    assert names(services) == ["ann"]
