"""Sign-in, sign-out and first start, and their entries in the audit log."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet

from app.config import Settings
from app.operators.sign_in_throttle import NAME_AND_ADDRESS
from app.web_wiring import build_web
from tests.support.admin import (
    PASSWORD,
    Visitor,
    admin_app,
    audited,
    everything_stored,
    turn_on_second_factor,
)

WRONG = "is incorrect"


class TestSignIn:
    def test_right(self, visitor, ann, services):
        response = visitor.sign_in()

        assert (response.status_code, response.location) == (303, "/admin/")
        assert visitor.is_signed_in()
        assert [one["action"] for one in audited(services)] == ["session.open"]

    @pytest.mark.parametrize("name", ["Ann", " ann ", "ＡＮＮ"])
    def test_the_name_as_people_type_it(self, visitor, ann, name):
        visitor.sign_in(name)

        assert visitor.is_signed_in()

    @pytest.mark.parametrize(
        ("name", "password"),
        [
            ("ann", "wrong horse battery"),
            ("ann", ""),
            ("ann", PASSWORD.upper()),
            ("bob", PASSWORD),
            ("", ""),
            ("a b", PASSWORD),
            ("x" * 500, "y" * 5000),
            ("{.office}op:ann", PASSWORD),
        ],
    )
    def test_errors_have_the_same_words(self, visitor, ann, name, password):
        """The response does not reveal whether the name is known."""
        response = visitor.sign_in(name, password)

        assert response.status_code == 401
        assert WRONG in response.text
        assert not visitor.is_signed_in()

    def test_the_name_remains_and_the_password_does_not(self, visitor, ann):
        page = visitor.sign_in("bob", "a secret that was typed").text

        assert 'value="bob"' in page
        assert "a secret that was typed" not in page

    def test_markup_in_the_name_stays_text(self, visitor, ann):
        page = visitor.sign_in('"><script>alert(1)</script>', "x").text

        assert "<script>alert" not in page

    def test_an_unknown_name_is_not_logged(self, visitor, ann, services):
        """It may be a password in the wrong field."""
        visitor.sign_in("hunter2hunter2", PASSWORD)
        visitor.sign_in("ann", "wrong horse battery")

        assert [(one["action"], one["who"], one["address"]) for one in audited(services)] == [
            ("session.refuse", "", "192.0.2.1"),
            ("session.refuse", "ann", "192.0.2.1"),
        ]

    def test_who_is_signed_in_need_not_be_again(self, inside):
        assert inside.get("/admin/sign-in").status_code == 303

    @pytest.mark.parametrize("path", ["https://evil.test/", "//evil.test", "/\\evil.test", "/v1/models"])
    def test_it_leads_nowhere_else(self, visitor, ann, path):
        assert f'value="{path}"' not in visitor.get(f"/admin/sign-in?next={quote(path)}").text
        assert visitor.sign_in(next=path).location == "/admin/"

    @pytest.mark.parametrize("site", [None, "cross-site"])
    def test_requires_its_own_form(self, visitor, ann, site):
        """Otherwise another site could sign a visitor in under a different name."""
        form = {"name": "ann", "password": PASSWORD}
        if site is None:
            response = visitor.post("/admin/sign-in", form)
        else:
            form["csrf_token"] = visitor.csrf_token("/admin/sign-in")
            response = visitor.post("/admin/sign-in", form, headers={"Sec-Fetch-Site": site})

        assert response.status_code == 403
        assert not visitor.is_signed_in()

    def test_a_stranger_leaves_nothing_in_the_store(self, visitor, ann, redis_client):
        before = sorted(redis_client.keys("*"))

        visitor.get("/admin/sign-in")
        visitor.get("/admin/")

        assert sorted(redis_client.keys("*")) == before


class TestCookie:
    @pytest.mark.parametrize(
        ("https", "name", "secure"), [(False, "poolgate", False), (True, "__Secure-poolgate", True)]
    )
    def test_its_flags(self, app, ann, https, name, secure):
        cookie = Visitor(app, https=https).sign_in().headers["Set-Cookie"]

        assert cookie.startswith(f"{name}=")
        assert {"HttpOnly", "SameSite=Lax", "Path=/admin"} <= set(cookie.split("; "))
        assert ("Secure" in cookie.split("; ")) is secure
        assert "Domain" not in cookie

    def test_one_from_before_the_sign_in_is_of_no_use_after_it(self, app, visitor, ann):
        """Session fixation: a cookie that was planted or read before the sign-in is not signed in by it."""
        visitor.get("/admin/sign-in")
        planted = visitor.client.get_cookie("poolgate", "gate.test", "/admin").value
        visitor.sign_in()
        cookie = visitor.client.get_cookie("poolgate", "gate.test", "/admin").value

        assert planted != cookie
        assert not _with_cookie(app, planted).is_signed_in()
        assert _with_cookie(app, cookie).is_signed_in()

    def test_a_new_sign_in_ends_the_session_before(self, app, inside):
        old = inside.client.get_cookie("poolgate", "gate.test", "/admin").value
        token = inside.csrf_token("/admin/security")
        inside.post("/admin/sign-in", {"csrf_token": token, "name": "ann", "password": PASSWORD})

        assert inside.is_signed_in()
        assert not _with_cookie(app, old).is_signed_in()

    @pytest.mark.parametrize("change", [lambda c: c[:-2] + "AA", lambda c: "", lambda c: "x" * 4000])
    def test_a_forged_cookie(self, app, inside, change):
        cookie = inside.client.get_cookie("poolgate", "gate.test", "/admin").value

        assert not _with_cookie(app, change(cookie)).is_signed_in()

    def test_stored_tokens_do_not_authenticate(self, inside, redis_client):
        """The store has hashes of ids, passwords and codes alone."""
        with inside.client.session_transaction(base_url="http://gate.test/admin/") as cookie:
            secret = cookie["sid"]

        stored = everything_stored(redis_client)
        assert secret not in stored
        assert PASSWORD not in stored
        assert "$argon2id$" in stored


class TestSignOut:
    def test_the_session_is_ended_in_the_store(self, app, inside, services):
        old = inside.client.get_cookie("poolgate", "gate.test", "/admin").value

        response = inside.send("/admin/sign-out", {}, shown_at="/admin/security")

        assert (response.status_code, response.location) == (303, "/admin/sign-in")
        assert not inside.is_signed_in()
        assert not _with_cookie(app, old).is_signed_in()
        assert audited(services)[-1]["action"] == "session.close"

    def test_no_other_site_can_do_it(self, inside):
        inside.post("/admin/sign-out")

        assert inside.is_signed_in()

    def test_a_link_does_not(self, inside):
        assert inside.get("/admin/sign-out").status_code == 405


class TestThrottling:
    def test_it_locks_and_reports_for_how_long(self, visitor, ann, services):
        for _ in range(NAME_AND_ADDRESS):
            assert visitor.sign_in("ann", "wrong horse battery").status_code == 401

        response = visitor.sign_in()  # the right one, too late

        assert response.status_code == 429
        assert 0 < int(response.headers["Retry-After"]) <= 900
        assert "Try again in" in response.text
        assert not visitor.is_signed_in()
        visitor.sign_in()
        actions = [one["action"] for one in audited(services)]
        assert actions == ["session.refuse"] * NAME_AND_ADDRESS + ["session.lock"]

    def test_another_address_is_not_locked(self, app, visitor, ann):
        for _ in range(NAME_AND_ADDRESS + 1):
            visitor.sign_in("ann", "wrong horse battery")

        assert Visitor(app, "192.0.2.9").sign_in().status_code == 303

    def test_a_header_is_no_other_address(self, visitor, ann):
        """No proxy is trusted here, so what is forwarded is not believed."""
        for number in range(NAME_AND_ADDRESS):
            _try_from(visitor, f"198.51.100.{number}")

        assert _try_from(visitor, "198.51.100.99").status_code == 429

    def test_a_success_gives_back_what_was_counted(self, visitor, ann):
        for _ in range(3):
            for _ in range(NAME_AND_ADDRESS - 1):
                visitor.sign_in("ann", "wrong horse battery")
            assert visitor.sign_in().status_code == 303
            visitor.send("/admin/sign-out", {}, shown_at="/admin/security")


class TestSecondFactor:
    def test_the_password_alone_is_not_enough(self, visitor, ann, services, later):
        phone, _ = turn_on_second_factor(services, ann)

        assert visitor.sign_in().status_code == 401
        assert visitor.sign_in(code=phone.at(later.now())).status_code == 401  # spent when it was turned on

    def test_a_fresh_code_is_and_works_once(self, app, ann, services, later):
        phone, _ = turn_on_second_factor(services, ann)
        later(30)
        code = phone.at(later.now())

        assert Visitor(app).sign_in(code=f"{code[:3]} {code[3:]}").status_code == 303
        assert Visitor(app).sign_in(code=code).status_code == 401

    def test_a_recovery_code_works_once(self, app, ann, services):
        _, codes = turn_on_second_factor(services, ann)

        assert Visitor(app).sign_in(code=codes[0].upper()).status_code == 303
        assert Visitor(app).sign_in(code=codes[0]).status_code == 401
        assert Visitor(app).sign_in(code=codes[1].replace("-", " ")).status_code == 303
        assert services.operator_stores.operators.find(ann).recovery_codes == len(codes) - 2


class TestFirstStart:
    FORM = {"name": "ann", "password": PASSWORD, "password_again": PASSWORD}

    def test_without_operators_everything_leads_there(self, visitor):
        assert visitor.get("/admin/").location == "/admin/sign-in"
        assert visitor.get("/admin/sign-in").location == "/admin/first-start"
        assert visitor.get("/admin/first-start").status_code == 200

    def test_the_token_lets_the_first_one_in_and_the_page_is_gone(self, app, visitor, services, redis_client):
        token = services.operator_stores.operators.new_start_token()
        assert token not in everything_stored(redis_client)

        response = visitor.send("/admin/first-start", {"token": token, **self.FORM})

        assert (response.status_code, response.location) == (303, "/admin/")
        assert visitor.is_signed_in()
        assert audited(services)[0]["action"] == "operator.create"
        assert visitor.get("/admin/first-start").status_code == 404
        late = Visitor(app)
        form = {"csrf_token": late.csrf_token("/admin/sign-in"), "token": token, **self.FORM, "name": "eve"}
        assert late.post("/admin/first-start", form).status_code == 404
        assert [one.name for one in services.operator_stores.operators.all()] == ["ann"]

    @pytest.mark.parametrize(
        ("change", "field", "message"),
        [
            ({"token": "guessed"}, "token", "is not the one that was printed"),
            ({"token": ""}, "token", "is missing"),
            ({"name": "a b"}, "name", "must be 1 to 64"),
            ({"name": ""}, "name", "must be 1 to 64"),
            ({"password": "short", "password_again": "short"}, "password", "at least 12 characters"),
            ({"password": "aaaaaaaaaaaaaaa", "password_again": "aaaaaaaaaaaaaaa"}, "password", "same few"),
            ({"password_again": "something else"}, "password_again", "does not match"),
        ],
    )
    def test_bad_input(self, visitor, services, change, field, message):
        """A message next to the field, the submitted values except passwords, and nothing stored."""
        token = services.operator_stores.operators.new_start_token()
        form = {"token": token, **self.FORM, **change}

        response = visitor.send("/admin/first-start", form)

        assert response.status_code == 400
        field_error = re.search(rf'id="{field}-error">([^<]*)<', response.text)
        assert field_error, response.text
        assert message in field_error[1]
        assert f'value="{form["name"]}"' in response.text
        assert form["password"] not in response.text
        assert not services.operator_stores.operators.exist()

    def test_guessing_is_throttled(self, app, visitor, services):
        services.operator_stores.operators.new_start_token()
        statuses = [
            visitor.send("/admin/first-start", {"token": "guessed", **self.FORM}).status_code
            for _ in range(NAME_AND_ADDRESS + 1)
        ]

        assert statuses == [400] * NAME_AND_ADDRESS + [429]
        token = services.operator_stores.operators.new_start_token()
        owner = Visitor(app, "192.0.2.9")
        assert owner.send("/admin/first-start", {"token": token, **self.FORM}).status_code == 303

    def test_access_needs_a_valid_token(self, visitor, services):
        """None was printed: no token is the right one, an empty one neither."""
        assert visitor.send("/admin/first-start", {"token": " ", **self.FORM}).status_code == 400
        assert not services.operator_stores.operators.exist()


def _with_cookie(app, value: str) -> Visitor:
    visitor = Visitor(app, "192.0.2.66")
    visitor.client.set_cookie("poolgate", value, domain="gate.test", path="/admin")
    return visitor


def _try_from(visitor: Visitor, forwarded: str):
    form = {"csrf_token": visitor.csrf_token("/admin/sign-in"), "name": "ann", "password": "wrong wrong"}
    headers = {"X-Forwarded-For": forwarded, "X-Real-IP": forwarded, "Forwarded": f"for={forwarded}"}
    return visitor.post("/admin/sign-in", form, headers=headers)


def test_after_a_change_of_keys_who_is_signed_in_stays(redis_url, redis_client, tmp_path):
    """As long as the older key is in the list."""
    older, newer = (Fernet.generate_key().decode() for _ in range(2))

    def app_with(*keys: str):
        return admin_app(build_web(Settings(redis_url=redis_url, home=tmp_path, secret_keys=keys)))

    app = app_with(older)
    app.extensions["poolgate"].operator_stores.operators.create("ann", PASSWORD)
    visitor = Visitor(app)
    visitor.sign_in()
    cookie = visitor.client.get_cookie("poolgate", "gate.test", "/admin").value

    assert _with_cookie(app_with(newer, older), cookie).is_signed_in()
    assert not _with_cookie(app_with(newer), cookie).is_signed_in()
