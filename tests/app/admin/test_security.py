"""The pages for passwords, second factors, sessions, operators and tokens."""

from __future__ import annotations

import re

import pytest

from app.operators.sign_in_throttle import NAME_AND_ADDRESS
from tests.support.admin import PASSWORD, Visitor, audited, everything_stored, turn_on_second_factor
from tests.support.authenticator import Authenticator

NEW = "another long password"
AT = "/admin/security"


@pytest.fixture
def elsewhere(app, inside) -> Visitor:
    """Ann in another browser."""
    visitor = Visitor(app, "192.0.2.3")
    visitor.sign_in()
    return visitor


class TestSessions:
    def test_one_is_ended_at_once(self, inside, elsewhere, services):
        (other,) = (one for one in services.operator_stores.sessions.all("ann") if one.address == "192.0.2.3")
        assert "192.0.2.3" in inside.get(AT).text

        inside.send(f"{AT}/sessions", {"id": other.id}, shown_at=AT)

        assert not elsewhere.is_signed_in()
        assert inside.is_signed_in()
        assert audited(services)[-1]["action"] == "session.end"

    def test_everywhere(self, inside, elsewhere):
        assert "Sign out everywhere?" in inside.get(f"{AT}/sessions/end-all").text
        assert elsewhere.is_signed_in()

        response = inside.send(f"{AT}/sessions/end-all", {})

        assert response.location == "/admin/sign-in"
        assert not elsewhere.is_signed_in()
        assert not inside.is_signed_in()

    def test_those_of_another_operator_cannot_be(self, app, inside, services):
        services.operator_stores.operators.create("bea", PASSWORD)
        bea = Visitor(app)
        bea.sign_in("bea")
        (hers,) = services.operator_stores.sessions.all("bea")

        inside.send(f"{AT}/sessions", {"id": hers.id}, shown_at=AT)

        assert bea.is_signed_in()

    def test_a_browser_that_calls_itself_markup(self, app, ann):
        visitor = Visitor(app)
        token = visitor.csrf_token("/admin/sign-in")
        form = {"csrf_token": token, "name": "ann", "password": PASSWORD}
        visitor.post("/admin/sign-in", form, headers={"User-Agent": "<script>alert(1)</script>"})

        page = visitor.get(AT).text
        assert "&lt;script&gt;alert" in page
        assert "<script>alert" not in page


class TestPassword:
    FORM = {"password": PASSWORD, "new_password": NEW, "new_password_again": NEW}

    def test_it_is_changed_and_other_sessions_end(self, app, inside, elsewhere, services):
        assert inside.send(f"{AT}/password", self.FORM).status_code == 303

        assert inside.is_signed_in()
        assert not elsewhere.is_signed_in()
        assert Visitor(app).sign_in().status_code == 401
        assert Visitor(app).sign_in(password=NEW).status_code == 303
        assert [one["action"] for one in audited(services)].count("operator.password") == 1

    @pytest.mark.parametrize(
        ("change", "field", "message"),
        [
            ({"password": "not mine at all"}, "password", "is not your password"),
            ({"new_password": "short", "new_password_again": "short"}, "new_password", "at least 12"),
            ({"new_password_again": "something else"}, "new_password_again", "does not match"),
        ],
    )
    def test_bad_input(self, app, inside, change, field, message):
        response = inside.send(f"{AT}/password", self.FORM | change)

        assert response.status_code == 400
        assert message in re.search(rf'id="{field}-error">([^<]*)<', response.text)[1]
        assert NEW not in response.text
        assert Visitor(app).sign_in().status_code == 303

    def test_guessing_the_old_one_is_throttled(self, inside):
        wrong = self.FORM | {"password": "not mine at all"}
        statuses = [inside.send(f"{AT}/password", wrong).status_code for _ in range(NAME_AND_ADDRESS + 1)]

        assert statuses == [400] * NAME_AND_ADDRESS + [429]


class TestSecondFactor:
    def test_on_by_a_code_and_off_by_the_password(self, app, inside, services, later, redis_client):
        page = inside.send(f"{AT}/second-factor", {"do": "begin", "password": PASSWORD}).text
        secret = re.search(r'id="secret">([A-Z2-7]{32})<', page)[1]
        assert "<svg" in page
        assert " style=" not in page  # which the policy would not let through
        assert not services.operator_stores.operators.find("ann").second_factor

        wrong = inside.send(f"{AT}/second-factor", {"do": "confirm", "code": "000000"}, shown_at=AT)
        assert wrong.status_code == 400
        assert '<a href="#code">Code</a> must be the code that the app shows now' in wrong.text
        assert secret in wrong.text
        assert not services.operator_stores.operators.find("ann").second_factor

        code = Authenticator(secret).at(later.now())
        codes = inside.send(f"{AT}/second-factor", {"do": "confirm", "code": code}, shown_at=AT).text
        recovery = re.findall(r"\b\w{5}-\w{5}-\w{5}\b", codes)
        assert len(recovery) == 10
        stored = everything_stored(redis_client)
        assert secret not in stored
        assert not any(one in stored for one in recovery)
        assert secret not in inside.get(AT).text
        assert Visitor(app).sign_in().status_code == 401

        inside.send(f"{AT}/second-factor", {"do": "off", "password": PASSWORD})
        assert Visitor(app).sign_in().status_code == 303

    @pytest.mark.parametrize("step", ["begin", "off"])
    def test_each_step_requires_the_password(self, inside, services, ann, step, later):
        if step == "off":
            turn_on_second_factor(services, ann)

        response = inside.send(f"{AT}/second-factor", {"do": step, "password": "not mine at all"})

        assert response.status_code == 400
        assert services.operator_stores.operators.find(ann).second_factor is (step == "off")

    def test_none_is_confirmed_that_was_not_begun(self, inside):
        response = inside.send(f"{AT}/second-factor", {"do": "confirm", "code": "000000"}, shown_at=AT)

        assert response.status_code == 404


class TestTokens:
    def test_one_is_shown_once_works_and_is_revoked(self, app, inside, redis_client):
        form = {"name": "ci", "expires": "2127-01-31", "password": PASSWORD}
        secret = re.search(r"pgadm-[\w-]{43}", inside.send(f"{AT}/tokens", form).text)[0]
        call = {"headers": {"Authorization": f"Bearer {secret}"}}
        assert Visitor(app).get("/admin/api/a-call", **call).status_code == 200
        assert secret not in inside.get(AT).text
        assert secret not in everything_stored(redis_client)

        assert "Revoke the admin token ci?" in inside.get(f"{AT}/tokens/ci/revoke").text
        assert Visitor(app).get("/admin/api/a-call", **call).status_code == 200

        inside.send(f"{AT}/tokens/ci/revoke", {})

        assert Visitor(app).get("/admin/api/a-call", **call).status_code == 401

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": "a b"}, "name"),
            ({"expires": "soon"}, "expires"),
            ({"expires": "2001-01-01"}, "expires"),
            ({"password": "not mine at all"}, "password"),
        ],
    )
    def test_bad_input(self, inside, services, change, field):
        form = {"name": "ci", "expires": "", "password": PASSWORD} | change

        response = inside.send(f"{AT}/tokens", form)

        assert response.status_code == 400
        assert f'id="{field}-error"' in response.text
        assert services.operator_stores.admin_tokens.all() == []


def test_the_audit_log_holds_no_secret(inside, services, later):
    page = inside.send(f"{AT}/tokens", {"name": "ci", "password": PASSWORD}).text
    secret = re.search(r"pgadm-[\w-]{43}", page)[0]
    _, codes = turn_on_second_factor(services, "ann")

    audit_text = str(audited(services))

    assert "admin_token.create" in audit_text
    assert not any(one in audit_text for one in (secret, PASSWORD, "argon2", *codes))
