"""The policy that requires a second factor of operators who sign in with a password."""

from __future__ import annotations

import re

import pytest

from app.operators import totp
from app.stores.records.operators import (
    Identity,
    NewAdminToken,
    NewOperator,
    Role,
    SignInMethod,
    SignInPolicy,
)
from tests.support.admin import OPEN_ENDPOINTS, PASSWORD, Visitor, audited, turn_on_second_factor
from tests.support.authenticator import Authenticator

AT = "/admin/security/operators/policy"
SET_UP = "/admin/security/second-factor"
API = "/admin/api/sign-in-policy"
REQUIRED = SignInPolicy(second_factor_required=True)


@pytest.fixture
def required(services):
    services.operator_stores.policy.put(REQUIRED)


@pytest.fixture
def bea(app, services):
    """A viewer who is signed in with a password alone."""
    services.operator_stores.operators.create("bea", PASSWORD, Role.VIEWER)
    visitor = Visitor(app, "192.0.2.3")
    assert visitor.sign_in("bea").status_code == 303
    return visitor


def set_up(visitor: Visitor) -> str:
    page = visitor.send(SET_UP, {"do": "begin", "password": PASSWORD}).text
    secret = re.search(r'id="secret">([A-Z2-7]{32})<', page)[1]
    code = Authenticator(secret).at(totp.now())
    return visitor.send(SET_UP, {"do": "confirm", "code": code}).text


class TestRequiring:
    def test_an_owner_with_a_second_factor(self, inside, ann, bea, services):
        turn_on_second_factor(services, ann)
        assert "Without one: bea." in inside.get(AT).text

        response = inside.send(AT, {"second_factor": "required", "password": PASSWORD})

        assert response.status_code == 303
        assert services.operator_stores.policy.current() == REQUIRED
        entry = audited(services)[-1]
        assert (entry["action"], entry["who"]) == ("operator.policy", "ann")
        assert entry["after"] == {"second_factor_required": True}
        assert "It is required of operators" in inside.get("/admin/security/operators").text

    def test_an_owner_without_one(self, inside, services):
        response = inside.send(AT, {"second_factor": "required", "password": PASSWORD})

        assert response.status_code == 400
        assert "You need a second factor yourself" in response.text
        assert services.operator_stores.policy.current() == SignInPolicy()

    def test_the_password_is_required(self, inside, ann, services):
        turn_on_second_factor(services, ann)

        response = inside.send(AT, {"second_factor": "required", "password": "wrong"})

        assert (response.status_code, services.operator_stores.policy.current()) == (400, SignInPolicy())

    def test_no_longer(self, inside, ann, services, required):
        turn_on_second_factor(services, ann)

        assert inside.send(AT, {"second_factor": "optional", "password": PASSWORD}).status_code == 303

        assert services.operator_stores.policy.current() == SignInPolicy()

    def test_an_owner_who_signs_in_by_another_service(self, services):
        """That service may require a second factor; there is none to set up here."""
        identity = Identity(SignInMethod.OIDC, "https://id", "ann")
        services.operator_stores.operators.create_verified(NewOperator("ann", identity=identity))

        assert not services.operator_stores.operators.find("ann").lacks_second_factor

    def test_only_owners(self, bea):
        assert bea.get(AT).status_code == 403
        assert bea.get(API).status_code == 403


class TestApi:
    @pytest.fixture
    def headers(self, services, ann):
        _, secret = services.operator_stores.admin_tokens.create(NewAdminToken("ci", ann, ann))
        return {"Authorization": f"Bearer {secret}"}

    def test_only_shown(self, visitor, services, headers, required):
        """The page requires the owner's password, which neither a token nor a session's cookie has."""
        assert visitor.get(API, headers=headers).json == {"second_factor_required": True}

        refused = visitor.client.patch(API, json={"second_factor_required": False}, headers=headers)

        assert refused.status_code == 405
        assert services.operator_stores.policy.current() == REQUIRED

    def test_a_token_works_without_a_second_factor(self, visitor, headers, required):
        assert visitor.get("/admin/api/operators", headers=headers).status_code == 200


class TestWhoLacksOne:
    def test_reaches_the_page_that_sets_it_up_and_nothing_else(self, app, bea, required):
        token = bea.csrf_token(SET_UP)
        adapter = app.url_map.bind("gate.test")
        seen = 0
        for rule in app.url_map.iter_rules():
            if rule.endpoint in OPEN_ENDPOINTS | {"sign_in.sign_out", "security.factor"}:
                continue
            values = {name: "default" if name == "pool" else "1" for name in rule.arguments}
            for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
                path = adapter.build(rule.endpoint, values, method=method)
                response = bea.client.open(
                    path, method=method, headers={"X-CSRFToken": token}, base_url="http://gate.test"
                )
                seen += 1
                if path.startswith("/admin/api/"):
                    error = response.json["error"]["code"]
                    assert (response.status_code, error) == (403, "second_factor_required"), path
                else:
                    assert (response.status_code, response.location) == (303, SET_UP), path
        assert seen > 100

    def test_the_page_leads_nowhere_else(self, bea, required):
        page = bea.get(SET_UP).text

        assert "requires a second factor" in page
        assert "Sign out" in page
        assert 'aria-label="Main"' not in page

    def test_continues_once_it_is_set_up(self, app, bea, services, required, later):
        assert "I have saved them" in set_up(bea)

        assert bea.get("/admin/security").status_code == 200
        assert Visitor(app).sign_in("bea").status_code == 401  # a code is required

    def test_a_session_of_single_sign_on(self, app, services, required):
        """The issuer decides about second factors of those whom it signs in."""
        identity = Identity(SignInMethod.OIDC, "https://id", "bea")
        services.operator_stores.operators.create("bea", PASSWORD)
        services.operator_stores.operators.link("bea", identity)
        sessions = services.operator_stores.sessions

        by_issuer = sessions.touch(sessions.open("bea", address="", agent="", identity=identity))
        by_password = sessions.touch(sessions.open("bea", address="", agent=""))

        assert (by_issuer.lacks_second_factor, by_password.lacks_second_factor) == (False, True)


class TestTurningOff:
    def test_the_own_one_stays(self, inside, ann, services, required):
        turn_on_second_factor(services, ann)
        assert "Turn it off" not in inside.get(SET_UP).text

        response = inside.send(SET_UP, {"do": "off", "password": PASSWORD})

        assert response.status_code == 400
        assert "cannot be turned off" in response.text
        assert services.operator_stores.operators.find(ann).second_factor

    def test_nor_on_the_page_of_operators(self, inside, ann, services, required):
        turn_on_second_factor(services, ann)

        response = inside.send(f"/admin/security/operators/{ann}/second-factor", {"password": PASSWORD})

        assert response.status_code == 400
        assert services.operator_stores.operators.find(ann).second_factor

    def test_it_can_be_replaced(self, inside, ann, services, required, later):
        former, codes = turn_on_second_factor(services, ann)

        assert "I have saved them" in set_up(inside)

        later(60)
        operators = services.operator_stores.operators
        assert not operators.authenticate(ann, PASSWORD, former.at(later.now()))
        assert not operators.authenticate(ann, PASSWORD, codes[0])

    def test_of_another_who_lost_it(self, inside, ann, bea, services, required):
        """They set up another at their next request."""
        turn_on_second_factor(services, ann)
        turn_on_second_factor(services, "bea")
        assert bea.get("/admin/security").status_code == 200

        at = "/admin/security/operators/bea/second-factor"
        assert inside.send(at, {"password": PASSWORD}).status_code == 303

        assert bea.get("/admin/security").location == SET_UP


def test_doctor_counts_those_who_lack_one(services, ann, bea, required):
    turn_on_second_factor(services, ann)

    (finding,) = [one for one in services.doctor.check() if one.where == "operators"]

    assert finding.what.startswith("1 without the second factor")


def test_doctor_is_content_without_the_policy(services, ann):
    assert not [one for one in services.doctor.check() if one.where == "operators"]
