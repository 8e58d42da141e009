"""Sign-in by an OpenID Connect issuer, over real HTTP; the issuer may be hostile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from cryptography.fernet import Fernet

from app import administration
from app.config import RoleRule, Settings, SignInSettings
from app.errors import InvalidRequest
from app.operations.external_sign_in import ExternalSignIn
from app.operators import oidc_issuer
from app.stores import keys
from app.stores.records.audit import Actor, Via
from app.stores.records.operators import NewAdminToken, Role
from app.upstream import bounded_body, oidc
from app.web_wiring import build_web
from tests.support.admin import PASSWORD, Visitor, admin_app, audited
from tests.support.oidc_issuer import CLIENT_ID, CLIENT_SECRET, OidcIssuer

RULES = (
    RoleRule("owner", "group", "ops"),
    RoleRule("admin", "email", "Bea@Example.com"),
    RoleRule("viewer", "domain", "example.com"),
)


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer() as issuer:
        yield issuer


@pytest.fixture
def settings(redis_url, redis_client, tmp_path, issuer):
    return Settings(
        redis_url=redis_url,
        home=tmp_path,
        secret_keys=(Fernet.generate_key().decode(),),
        store_timeout_seconds=5.0,
        sign_in=SignInSettings(
            oidc_issuer=issuer.url,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=CLIENT_SECRET,
            roles=RULES,
        ),
    )


@pytest.fixture
def services(settings):
    built = build_web(settings)
    built.operator_stores.operators.create("root", PASSWORD)
    return built


@pytest.fixture
def app(services):
    return admin_app(services)


def with_sign_in(settings: Settings, **changes: Any) -> Settings:
    return replace(settings, sign_in=replace(settings.sign_in, **changes))


def begin(visitor: Visitor, **query: str) -> str:
    """Return the address of the callback, as the issuer sends the browser there."""
    begun = visitor.get("/admin/oidc", query_string=query)
    assert begun.status_code == 303, begun.text
    at_issuer = requests.get(begun.location, allow_redirects=False, timeout=10)
    return at_issuer.headers["Location"]


def come_back(visitor: Visitor, callback: str, **change: str):
    parts = urlsplit(callback)
    assert (parts.netloc, parts.path) == ("gate.test", "/admin/oidc/callback")
    query = dict(pair.split("=", 1) for pair in parts.query.split("&"))
    return visitor.get(f"{parts.path}?" + "&".join(f"{k}={v}" for k, v in (query | change).items()))


def sign_in(visitor: Visitor, **query: str):
    return come_back(visitor, begin(visitor, **query))


def who(visitor: Visitor) -> str:
    return visitor.get("/admin/security").text


class TestByRules:
    def test_a_new_operator(self, app, services, issuer):
        visitor = Visitor(app)

        response = sign_in(visitor, next="/admin/p/default/keys")

        assert (response.status_code, response.location) == (303, "/admin/p/default/keys")
        ann = services.operator_stores.operators.find("ann@example.com")
        assert (ann.role, ann.role_by_rules, ann.methods, ann.password_at) == (
            Role.VIEWER,
            True,
            ("oidc",),
            None,
        )
        assert "Your role is viewer" in who(visitor)
        assert [entry["action"] for entry in audited(services)][-2:] == ["operator.create", "session.open"]

    def test_again_as_the_same_operator_with_the_present_role(self, app, services, issuer):
        sign_in(Visitor(app))
        issuer.person |= {"groups": ["staff", "ops"], "email": "other@example.org"}

        sign_in(Visitor(app))

        names = {one.name: one.role for one in services.operator_stores.operators.all()}
        assert names == {"root": Role.OWNER, "ann@example.com": Role.OWNER}
        assert audited(services)[-2]["action"] == "operator.role"

    def test_an_address_and_a_domain_do_not_depend_on_case(self, app, services, issuer):
        issuer.person["email"] = "bea@EXAMPLE.com"
        sign_in(Visitor(app))

        assert services.operator_stores.operators.find("bea@example.com").role is Role.ADMIN

    @pytest.mark.parametrize(
        "person",
        [
            {"email": "ann@example.org"},
            {"email": "ann@example.com.evil.test"},
            {"email_verified": False},
            {"email_verified": None},
            {"email": None},
            {"email": ["ann@example.com"]},
            {"groups": "opsx"},
            {"groups": {"ops": True}, "email": "x@y.test"},
        ],
    )
    def test_without_a_rule(self, app, services, issuer, person):
        if "groups" in person:
            issuer.person["email"] = "x@y.test"
        issuer.person |= person
        visitor = Visitor(app)

        response = sign_in(visitor)

        assert response.status_code == 403
        assert "no rule of this gateway gives you a role" in response.text
        assert not visitor.is_signed_in()
        assert [one.name for one in services.operator_stores.operators.all()] == ["root"]

    def test_an_operator_without_a_rule_left(self, app, services, issuer):
        sign_in(Visitor(app))
        issuer.person["email"] = "ann@example.org"

        assert sign_in(Visitor(app)).status_code == 403

    def test_claims_of_the_userinfo_endpoint(self, app, services, issuer):
        """Some issuers send groups only there."""
        issuer.userinfo = {"groups": ["ops"]}

        sign_in(Visitor(app))

        assert services.operator_stores.operators.find("ann@example.com").role is Role.OWNER

    def test_the_userinfo_endpoint_verifies_no_address_of_the_token(self, app, services, issuer):
        issuer.person = {"sub": "person-1", "email": "bea@example.com"}
        issuer.userinfo = {"email": "x@y.test", "email_verified": True}

        assert sign_in(Visitor(app)).status_code == 403

    def test_who_connects_a_sign_in_is_not_free_of_the_rules(self, app, services, issuer):
        issuer.person["groups"] = ["ops"]
        visitor = Visitor(app)
        sign_in(visitor)
        assert visitor.send("/admin/security/link", {}, shown_at="/admin/security").status_code == 200
        assert sign_in(visitor, link="yes").location == "/admin/security"
        issuer.person["groups"] = []

        sign_in(Visitor(app))

        ann = services.operator_stores.operators.find("ann@example.com")
        assert (ann.role, ann.role_by_rules) == (Role.VIEWER, True)

    def test_the_last_owner_stays_one(self, app, services, issuer):
        issuer.person["groups"] = ["ops"]
        sign_in(Visitor(app))
        services.operator_stores.operators.remove("root")
        issuer.person["groups"] = []

        assert sign_in(Visitor(app)).status_code == 303
        assert services.operator_stores.operators.find("ann@example.com").role is Role.OWNER


class TestRolesThatNoLongerFit:
    """Ann is an owner by her group: she has a session, and a token."""

    @pytest.fixture
    def ann(self, app, issuer):
        issuer.person["groups"] = ["ops"]
        visitor = Visitor(app)
        sign_in(visitor)
        return visitor

    @pytest.fixture
    def token(self, services, ann):
        new = NewAdminToken("ci", "ann@example.com", "ann@example.com")
        return {"Authorization": f"Bearer {services.operator_stores.admin_tokens.create(new)[1]}"}

    def call(self, app, token, path="/admin/api/operators"):
        return app.test_client().get(path, headers=token).status_code

    def test_less_at_the_next_sign_in(self, app, services, issuer, ann, token):
        _, secret = administration.operator_operations(services, Actor("ann@example.com", Via.PAGE)).invite(
            Role.OWNER, 3600.0, owner="ann@example.com"
        )
        issuer.person["groups"] = []

        sign_in(Visitor(app))

        assert ann.get("/admin/security/operators").status_code == 403
        assert self.call(app, token) == 403
        assert services.operator_stores.invitations.open(secret) is None

    def test_none_at_the_next_sign_in(self, app, services, issuer, ann, token):
        issuer.person |= {"groups": [], "email": "ann@example.org"}

        assert [sign_in(Visitor(app)).status_code for _ in range(2)] == [403, 403]

        assert not ann.is_signed_in()
        assert self.call(app, token) == 401
        assert services.operator_stores.operators.find("ann@example.com").suspended
        assert [entry["action"] for entry in audited(services)].count("operator.suspend") == 1

    def test_what_was_suspended_works_again(self, app, services, issuer, ann, token):
        """Claims that the issuer left out by mistake cost nothing for good."""
        person = dict(issuer.person)
        issuer.person |= {"groups": [], "email": "ann@example.org"}
        sign_in(Visitor(app))
        issuer.person = person

        assert sign_in(Visitor(app)).status_code == 303

        assert self.call(app, token) == 200
        assert not services.operator_stores.operators.find("ann@example.com").suspended

    @pytest.mark.parametrize(
        ("rules", "role"),
        [
            ((RoleRule("admin", "group", "ops"),), Role.ADMIN),
            ((RoleRule("viewer", "domain", "Example.com"), RoleRule("owner", "group", "x")), Role.VIEWER),
            ((RoleRule("viewer", "email", "ANN@example.com"),), Role.VIEWER),
            ((RoleRule("viewer", "*"),), Role.VIEWER),
        ],
    )
    def test_other_rules_in_the_settings(self, app, services, settings, ann, token, rules, role):
        """They apply from the first request on that a process with these settings receives."""
        other = admin_app(build_web(with_sign_in(settings, roles=rules)))
        assert self.call(other, token) == 403

        ann.client.application = other
        assert f"Your role is {role}" in who(ann)
        assert self.call(app, token) == 403  # also in a process with the former settings
        entry = audited(services)[-1]
        assert (entry["action"], entry["before"], entry["after"]) == (
            "operator.role",
            {"role": "owner"},
            {"role": role},
        )

    @pytest.mark.parametrize(
        "change",
        [
            {"roles": ()},
            {"roles": (RoleRule("owner", "group", "OPS"),)},
            {"oidc_issuer": "https://id.example.com"},
            {"oidc_issuer": "", "user_header": "X-User", "user_header_from": ("unix",)},
        ],
    )
    def test_none_in_the_settings(self, app, services, settings, ann, token, change):
        other = admin_app(build_web(with_sign_in(settings, **change)))

        assert self.call(other, token) == 401

        assert (ann.is_signed_in(), self.call(app, token)) == (False, 401)
        assert services.operator_stores.operators.find("ann@example.com").suspended

    def test_rules_that_give_more(self, app, services, issuer, settings):
        """They apply from the next sign-in on, as the person may have other groups by now."""
        visitor = Visitor(app)
        sign_in(visitor)
        other = admin_app(build_web(with_sign_in(settings, roles=(RoleRule("owner", "*"),))))
        visitor.client.application = other

        assert "Your role is viewer" in who(visitor)

        again = Visitor(other)
        sign_in(again)
        assert "Your role is owner" in who(visitor)

    def test_the_last_owner_stays_one(self, app, services, settings, ann):
        services.operator_stores.operators.remove("root")
        ann.client.application = admin_app(
            build_web(with_sign_in(settings, roles=(RoleRule("viewer", "*"),)))
        )

        assert "Your role is owner" in who(ann)

        services.operator_stores.operators.create("bea", PASSWORD)
        assert "Your role is viewer" in who(ann)

    def test_a_suspended_owner_is_not_another_owner(self, app, services, issuer, ann):
        issuer.person |= {"groups": [], "email": "ann@example.org"}
        sign_in(Visitor(app))

        with pytest.raises(InvalidRequest):
            services.operator_stores.operators.remove("root")

    def test_a_suspended_operator_with_a_password(self, app, services, issuer, ann):
        services.operator_stores.operators.set_password("ann@example.com", PASSWORD)
        issuer.person |= {"groups": [], "email": "ann@example.org"}
        sign_in(Visitor(app))
        visitor = Visitor(app)

        response = visitor.sign_in("ann@example.com")

        assert (response.status_code, "is suspended" in response.text) == (403, True)
        services.operator_stores.operators.set_role(
            "ann@example.com", Role.VIEWER
        )  # as an owner, or a command
        assert visitor.sign_in("ann@example.com").status_code == 303

    def test_many_workers_at_once(self, services, settings, ann, token):
        other = admin_app(build_web(with_sign_in(settings, roles=(RoleRule("viewer", "*"),))))
        with ThreadPoolExecutor(8) as pool:
            statuses = set(pool.map(lambda _: self.call(other, token), range(16)))

        assert statuses == {403}

    def test_operators_of_an_earlier_version(self, services, settings, redis_client, ann, token):
        """What rules matched then is not known: it is as it was until the next sign-in."""
        redis_client.hdel(keys.operator("ann@example.com"), "facts", "rules")
        other = admin_app(build_web(with_sign_in(settings, roles=(RoleRule("viewer", "*"),))))

        assert self.call(other, token) == 200

    def test_an_issuer_that_is_gone(self, app, services, settings, issuer):
        """Sessions of those whose role no rule assigns began by it, too."""
        visitor = Visitor(app)
        visitor.sign_in("root")
        visitor.send("/admin/security/link", {"password": PASSWORD})
        sign_in(visitor, link="yes")
        by_issuer = Visitor(app)
        sign_in(by_issuer)
        other = admin_app(build_web(with_sign_in(settings, oidc_issuer="")))
        visitor.client.application = by_issuer.client.application = other

        assert (visitor.is_signed_in(), by_issuer.is_signed_in()) == (True, False)


class TestLinking:
    def test_never_by_name_or_address(self, app, services, issuer):
        services.operator_stores.operators.create("ann@example.com", PASSWORD, Role.ADMIN)
        visitor = Visitor(app)

        response = sign_in(visitor)

        assert response.status_code == 403
        assert "signs in another way" in response.text
        assert not visitor.is_signed_in()

    def test_on_the_security_page(self, app, services, issuer):
        issuer.person = {"sub": "person-9"}  # no rule fits
        visitor = Visitor(app)
        visitor.sign_in("root")
        assert visitor.send("/admin/security/link", {"password": "wrong"}).status_code == 400
        assert visitor.send("/admin/security/link", {"password": PASSWORD}).status_code == 200
        response = sign_in(visitor, link="yes")
        assert (response.status_code, response.location) == (303, "/admin/security")

        other = Visitor(app)
        assert sign_in(other).status_code == 303

        assert "Your sign-in, root" in who(other)
        root = services.operator_stores.operators.find("root")
        assert (root.methods, root.role_by_rules, root.role) == (("password", "oidc"), False, Role.OWNER)

    def test_without_a_password_nothing_is_linked(self, app, services, issuer):
        visitor = Visitor(app)
        visitor.sign_in("root")

        sign_in(visitor, link="yes")

        assert services.operator_stores.operators.find("root").methods == ("password",)

    def test_one_of_another_operator(self, app, services, issuer):
        sign_in(Visitor(app))
        visitor = Visitor(app)
        visitor.sign_in("root")
        visitor.send("/admin/security/link", {"password": PASSWORD})

        response = sign_in(visitor, link="yes")

        assert response.status_code == 403
        assert "connected to another operator" in response.text

    def test_a_removed_operator_is_a_stranger_again(self, app, services, issuer):
        sign_in(Visitor(app))
        services.operator_stores.operators.remove("ann@example.com")
        issuer.person["email"] = "x@y.test"

        assert sign_in(Visitor(app)).status_code == 403

    def test_no_password_can_be_set(self, app, services, issuer):
        visitor = Visitor(app)
        sign_in(visitor)

        assert visitor.get("/admin/security/password").status_code == 403
        assert visitor.get("/admin/security/second-factor").status_code == 403


class TestDisconnecting:
    """Root is connected to person-9 and signed in twice: with the password, and by the issuer."""

    AT = "/admin/security/unlink"

    @pytest.fixture
    def by_password(self, app, issuer):
        issuer.person = {"sub": "person-9"}
        visitor = Visitor(app)
        visitor.sign_in("root")
        visitor.send("/admin/security/link", {"password": PASSWORD})
        sign_in(visitor, link="yes")
        return visitor

    @pytest.fixture
    def by_issuer(self, app, by_password):
        visitor = Visitor(app)
        assert sign_in(visitor).status_code == 303
        return visitor

    def test_sessions_that_began_by_it_end(self, app, services, by_password, by_issuer):
        assert "unlink" in by_password.get("/admin/security").text

        assert by_password.send(self.AT, {"password": PASSWORD}).location == "/admin/security"

        assert (by_password.is_signed_in(), by_issuer.is_signed_in()) == (True, False)
        assert services.operator_stores.operators.find("root").methods == ("password",)
        assert "unlink" not in by_password.get("/admin/security").text
        entry = audited(services)[-1]
        assert (entry["action"], entry["object"], entry["sessions_ended"]) == ("operator.unlink", "root", 1)
        assert sign_in(Visitor(app)).status_code == 403  # a stranger again

    def test_in_the_session_that_it_began(self, by_issuer):
        assert by_issuer.send(self.AT, {"password": PASSWORD}).status_code == 303
        assert not by_issuer.is_signed_in()

    def test_the_password_is_required(self, services, by_password):
        assert by_password.send(self.AT, {"password": "wrong"}).status_code == 400
        assert by_password.client.head(self.AT, base_url="http://gate.test").status_code == 200
        assert by_password.post(self.AT, {"password": PASSWORD}).status_code == 403  # without a CSRF token

        assert services.operator_stores.operators.find("root").methods == ("password", "oidc")

    def test_what_is_not_connected(self, app, services):
        visitor = Visitor(app)
        visitor.sign_in("root")

        response = visitor.send(self.AT, {"password": PASSWORD})

        assert (response.status_code, "is not connected" in response.text) == (400, True)

    def test_the_only_way_to_sign_in_stays(self, app, services, issuer):
        issuer.person["groups"] = ["ops"]
        visitor = Visitor(app)
        sign_in(visitor)
        assert "unlink" not in visitor.get("/admin/security").text

        response = visitor.send(self.AT, {})

        assert (response.status_code, "the only way" in response.text) == (400, True)
        assert visitor.is_signed_in()

    def test_rules_cannot_be_escaped(self, app, services, issuer):
        """An operator with both a password and a role by rules would have that role forever."""
        sign_in(Visitor(app))
        services.operator_stores.operators.set_password("ann@example.com", PASSWORD)
        visitor = Visitor(app)
        visitor.sign_in("ann@example.com")

        response = visitor.send(self.AT, {"password": PASSWORD}, shown_at="/admin/security")

        assert (response.status_code, "only an owner" in response.text) == (403, True)
        owner = Visitor(app)
        owner.sign_in("root")
        of_ann = "/admin/security/operators/ann@example.com/unlink"
        assert owner.send(of_ann, {"password": PASSWORD}).status_code == 303
        ann = services.operator_stores.operators.find("ann@example.com")
        assert (ann.methods, ann.role_by_rules) == (("password",), False)

    def test_by_an_owner_for_another(self, app, services, by_password, by_issuer):
        services.operator_stores.operators.create("bea", PASSWORD)
        owner = Visitor(app)
        owner.sign_in("bea")
        of_root = "/admin/security/operators/root/unlink"
        assert of_root in owner.get("/admin/security/operators").text
        assert owner.send(of_root, {"password": "wrong"}).status_code == 400

        assert owner.send(of_root, {"password": PASSWORD}).status_code == 303

        assert not by_issuer.is_signed_in()

    def test_between_the_sign_in_and_its_session(self, app, services, by_password, monkeypatch):
        """An identity that was disconnected meanwhile begins no session."""
        sign_in_of = ExternalSignIn.sign_in

        def disconnect(self, user, invitation_secret=""):
            operator = sign_in_of(self, user, invitation_secret)
            services.operator_stores.operators.unlink(operator.name)
            return operator

        monkeypatch.setattr(ExternalSignIn, "sign_in", disconnect)
        visitor = Visitor(app)

        assert sign_in(visitor).status_code == 404
        assert not visitor.is_signed_in()

    def test_another_identity_in_its_place(self, app, services, issuer, by_password, by_issuer):
        """Sessions that the former one began end; the one that connects the other remains."""
        second = Visitor(app)
        sign_in(second)
        issuer.person = {"sub": "person-10"}
        second.send("/admin/security/link", {"password": PASSWORD})

        assert sign_in(second, link="yes").status_code == 303

        assert [one.is_signed_in() for one in (by_password, by_issuer, second)] == [True, False, True]


class TestInvitations:
    def test_accepted_by_single_sign_on(self, app, services, issuer):
        issuer.person = {"sub": "person-7", "preferred_username": "Bea B."}  # no rule fits
        actor = Actor("root", Via.PAGE)
        _, secret = administration.operator_operations(services, actor).invite(
            Role.ADMIN, 3600.0, owner="root"
        )
        visitor = Visitor(app)

        assert sign_in(visitor, invitation=secret).status_code == 303

        bea = services.operator_stores.operators.find("bea-b.")
        assert (bea.role, bea.role_by_rules) == (Role.ADMIN, False)
        assert services.operator_stores.invitations.all() == []
        assert sign_in(Visitor(app)).status_code == 303  # and later without it

    def test_a_spent_one(self, app, services, issuer):
        response = sign_in(Visitor(app), invitation="spent")

        assert response.status_code == 403
        assert "has been used or revoked" in response.text


class TestHostileResponses:
    @pytest.mark.parametrize(
        "claims",
        [
            {"nonce": "another"},
            {"nonce": None},
            {"aud": "another"},
            {"aud": [CLIENT_ID, "another"]},
            {"aud": [CLIENT_ID, "another"], "azp": "another"},
            {"aud": None},
            {"iss": "https://evil.test"},
            {"iss": None},
            {"exp": 1},
            {"exp": None},
            {"exp": "tomorrow"},
            {"iat": int(time.time()) + 86_400},
            {"nbf": int(time.time()) + 86_400},
            {"sub": None},
            {"sub": ""},
            {"sub": 7},
            {"sub": "x" * 256},
            {"at_hash": "wrong"},
        ],
    )
    def test_claims(self, app, services, issuer, claims):
        issuer.claims = claims
        self.check_refused(app, services, "could not be accepted")

    @pytest.mark.parametrize("subject", ["", "x" * 256, "a\x00b", "a\u2028b"])
    def test_subjects(self, app, services, issuer, subject):
        """The ID token alone is read: what the userinfo endpoint has would be about another person."""
        issuer.claims = {"sub": subject, "groups": ["ops"]}
        self.check_refused(app, services, "its subject is not valid")

    @pytest.mark.parametrize("make", ["unsigned", "signed_with_the_public_key", "signed_with_another_key"])
    def test_signatures(self, app, services, issuer, make):
        issuer.make_token = getattr(issuer, make)
        self.check_refused(app, services, "could not be accepted")

    @pytest.mark.parametrize("token", ["", "a.b.c", "no token", "é.é.é", ".." * 5000])
    def test_what_is_no_token(self, app, services, issuer, token):
        issuer.make_token = lambda claims: token
        self.check_refused(app, services, "could not be accepted")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"state": "another"}, "begun in another browser"),
            ({"state": ""}, "begun in another browser"),
            ({"code": "another"}, "did not accept the code"),
            ({"code": ""}, "did not sign you in"),
            ({"iss": "https%3A%2F%2Fevil.test"}, "another issuer"),
            ({"error": "access_denied"}, "did not sign you in"),
        ],
    )
    def test_queries(self, app, services, issuer, change, message):
        visitor = Visitor(app)

        response = come_back(visitor, begin(visitor), **change)

        assert response.status_code == 403
        assert message in response.text
        assert not visitor.is_signed_in()

    def test_a_callback_in_another_browser(self, app, services, issuer):
        """An attacker could otherwise sign a victim in as themselves."""
        callback = begin(Visitor(app))
        victim = Visitor(app)

        assert come_back(victim, callback).status_code == 403
        begin(victim)
        assert come_back(victim, callback).status_code == 403
        assert not victim.is_signed_in()

    def test_a_code_is_used_once(self, app, services, issuer):
        visitor = Visitor(app)
        callback = begin(visitor)
        cookie = visitor.client.get_cookie("poolgate", domain="gate.test", path="/admin").value
        assert come_back(visitor, callback).status_code == 303
        thief = Visitor(app)
        thief.client.set_cookie("poolgate", cookie, domain="gate.test", path="/admin")

        response = come_back(thief, callback)

        assert response.status_code == 403
        assert "was used before" in response.text

    def test_too_old(self, app, services, issuer, monkeypatch):
        visitor = Visitor(app)
        callback = begin(visitor)
        now = time.time()
        monkeypatch.setattr("app.admin.single_sign_on.time.time", lambda: now + 601)

        assert come_back(visitor, callback).status_code == 403

    def test_claims_about_another_person(self, app, services, issuer):
        issuer.userinfo = {"sub": "person-2", "groups": ["ops"]}
        self.check_refused(app, services, "about another person")

    @pytest.mark.parametrize(
        "jwks",
        [
            b"{}",
            b'{"keys": 7}',
            b"[]",
            b"not json",
            b'{"keys": [{"kty": "RSA", "kid": "first"}]}',
            b'{"keys": ["x"]}',
            b'{"keys": [' + b",".join([b'{"kty": "RSA"}'] * 101) + b"]}",
            b'{"keys": [], "x": "' + b"x" * bounded_body.MAX_RESPONSE_BYTES + b'"}',
        ],
    )
    def test_keys(self, app, services, issuer, jwks):
        issuer.jwks = jwks
        response = Visitor(app).get("/admin/oidc")
        if response.status_code == 303:  # no usable key among them
            self.check_refused(app, services, "could not be accepted")
        else:
            assert response.status_code == 502

    @pytest.mark.parametrize(
        "fields",
        [
            {"issuer": "https://evil.test"},
            {"issuer": None},
            {"token_endpoint": None},
            {"token_endpoint": "ftp://evil.test"},
            {"jwks_uri": "file:///etc/passwd"},
            {"authorization_endpoint": 7},
            {"authorization_endpoint": "javascript:alert(1)"},
        ],
    )
    def test_discovery(self, app, services, issuer, fields):
        issuer.discovery = fields

        assert Visitor(app).get("/admin/oidc").status_code == 502

    def test_a_slow_issuer(self, app, services, issuer, monkeypatch):
        monkeypatch.setattr(oidc, "RESPONSE_SECONDS", 0.2)
        issuer.delay_seconds = 1.0
        visitor = Visitor(app)

        response = sign_in(visitor)

        assert response.status_code == 502
        assert not visitor.is_signed_in()

    def test_attempts_are_limited(self, app, services, issuer):
        issuer.claims = {"nonce": "another"}
        statuses = [sign_in(Visitor(app)).status_code for _ in range(6)]

        assert statuses == [403] * 5 + [429]

    def check_refused(self, app, services, message: str) -> None:
        visitor = Visitor(app)

        response = sign_in(visitor)

        assert response.status_code == 403
        assert message in response.text
        assert not visitor.is_signed_in()
        assert [one.name for one in services.operator_stores.operators.all()] == ["root"]


def test_new_keys_of_the_issuer(app, services, issuer, monkeypatch):
    """A key that is not known yet is looked up once."""
    monkeypatch.setattr(oidc_issuer, "RETRY_SECONDS", 0.0)
    sign_in(Visitor(app))
    issuer.keys.append(type(issuer.keys[0]).generate_key(2048, {"kid": "second", "use": "sig"}))

    assert sign_in(Visitor(app)).status_code == 303
    assert issuer.calls.count("/jwks") == 2


def test_the_button_is_there(app, services):
    page = Visitor(app).get("/admin/sign-in?next=/admin/security").text

    assert "/admin/oidc?next=/admin/security" in page


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test", "/admin/../x"])
def test_no_open_redirect(app, services, issuer, target):
    assert sign_in(Visitor(app), next=target).location == "/admin/"


def test_nothing_secret_is_logged_or_audited(app, services, issuer, caplog, capsys):
    callback = begin(visitor := Visitor(app))
    issuer.claims = {"nonce": "another"}
    come_back(visitor, callback)
    issuer.claims = {}
    sign_in(Visitor(app))

    code = callback.split("code=")[1].split("&")[0]
    written = caplog.text + "".join(capsys.readouterr()) + str(audited(services))
    assert not [one for one in (code, CLIENT_SECRET, "person-1") if one in written]


def test_without_an_issuer_there_are_no_such_pages(redis_url, redis_client, tmp_path):
    from tests.support.admin import services_on

    visitor = Visitor(admin_app(services_on(redis_url, tmp_path)))

    query = urlencode({"code": "x", "state": "y"})
    assert visitor.get("/admin/oidc").status_code == 404
    assert visitor.get(f"/admin/oidc/callback?{query}").status_code == 404
