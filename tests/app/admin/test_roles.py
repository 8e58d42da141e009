"""What each role may do, on every view, future ones as well: the tests walk the url_map."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.stores import keys
from app.stores.records.operators import NewAdminToken, Role, TokenScope
from app.wiring import Services
from tests.support.admin import OPEN_ENDPOINTS, PASSWORD, Visitor

WITHOUT_ROLE = OPEN_ENDPOINTS | {"sign_in.sign_out"}
ENDLESS = {"live.stream"}
READS = {"GET", "HEAD", "OPTIONS"}
OF_OWNERS = {
    "people.show",
    "people.change_policy",
    "people.invite",
    "people.revoke_invitation",
    "people.change_role",
    "people.reset_second_factor",
    "people.end_sessions",
    "people.unlink",
    "people.remove",
    "api.sign_in_policy.policy",
    "api.operators.index",
    "api.operators.show",
    "api.operators.change",
    "api.operators.remove",
    "api.operators.unlink",
    "api.operators.sessions",
    "api.operators.end_sessions",
    "api.invitations.open_invitations",
    "api.invitations.invite",
    "api.invitations.revoke",
    "api.accounts.export",  # returns the sign-in of an account
}
OF_ONESELF = {
    "link.link",
    "link.unlink",
    "security.password",
    "security.factor",
    "security.end_sessions",
    "security.end_all_sessions",
}
FORMS_FOR_VIEWERS = {  # they show what is set, besides the form that changes it
    "settings.show",
    "settings.routing",
    "settings.time_limits",
    "webhooks.show",
    "routes.show",
    "prices.show",
    "playground.show",
}


def expected_role(rule: Rule, method: str) -> Role:
    """The table of the guide, in other words than the code's."""
    if rule.endpoint in OF_OWNERS:
        return Role.OWNER
    if rule.endpoint in OF_ONESELF:
        return Role.VIEWER
    if method not in READS:
        return Role.ADMIN
    is_form = bool((rule.methods or set()) - READS)
    return Role.ADMIN if is_form and rule.endpoint not in FORMS_FOR_VIEWERS else Role.VIEWER


def views(app: Flask) -> Iterator[tuple[Rule, str, str]]:
    """Yield (rule, method, path) of every view that needs authentication."""
    adapter = app.url_map.bind("gate.test")
    for rule in app.url_map.iter_rules():
        if rule.endpoint in WITHOUT_ROLE | ENDLESS:
            continue
        values = {name: "default" if name == "pool" else "1" for name in rule.arguments}
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            yield rule, method, adapter.build(rule.endpoint, values, method=method)


def is_refused(response: TestResponse) -> bool:
    return response.status_code == 403 and "Your role is" in response.text


@pytest.fixture
def staff(services: Services, ann: str) -> dict[Role, str]:
    """One operator of each role."""
    operators = services.operator_stores.operators
    names = {Role.OWNER: ann, Role.ADMIN: "adam", Role.VIEWER: "vera"}
    for role in (Role.ADMIN, Role.VIEWER):
        operators.create(names[role], PASSWORD, role)
    return names


@pytest.mark.parametrize("role", Role)
def test_every_view_in_a_session(app, staff, role):
    visitor = Visitor(app)
    visitor.sign_in(staff[role])
    token = visitor.csrf_token("/admin/security")
    seen = {True: 0, False: 0}
    for rule, method, path in views(app):
        response = visitor.client.open(
            path, method=method, headers={"X-CSRFToken": token}, base_url="http://gate.test", buffered=True
        )
        refused = not role.includes(expected_role(rule, method))
        seen[refused] += 1
        if method == "HEAD":
            assert (response.status_code == 403) is refused, (method, rule.endpoint)
        else:
            assert is_refused(response) is refused, (method, rule.endpoint, response.text[-300:])
        if (rule.endpoint, method) == ("security.end_all_sessions", "POST"):  # the visitor's session as well
            visitor.sign_in(staff[role])
            token = visitor.csrf_token("/admin/security")
    assert seen[False] > 50
    assert (seen[True] == 0) is (role is Role.OWNER)


@pytest.mark.parametrize("scope", TokenScope)
@pytest.mark.parametrize("role", Role)
def test_every_call_with_a_token(app, services, staff, role, scope):
    """A token may do no more than its operator and its scope."""
    new_token = NewAdminToken("ci", staff[role], staff[role], scope)
    _, secret = services.operator_stores.admin_tokens.create(new_token)
    client = app.test_client()
    for rule, method, path in views(app):
        if path.startswith("/admin/api/") and method != "HEAD":
            response = client.open(path, method=method, headers={"Authorization": f"Bearer {secret}"})
            is_allowed = role.includes(expected_role(rule, method))
            if scope is TokenScope.READ:
                is_allowed = is_allowed and method in READS
            assert (response.status_code != 403) is is_allowed, (method, rule.endpoint)


def test_a_token_follows_the_role_of_its_operator(app, services, staff):
    _, secret = services.operator_stores.admin_tokens.create(NewAdminToken("ci", "adam", "adam"))
    client, headers = app.test_client(), {"Authorization": f"Bearer {secret}"}
    assert client.post("/admin/api/a-call", headers=headers).status_code == 200

    services.operator_stores.operators.set_role("adam", Role.VIEWER)

    assert client.get("/admin/api/a-call", headers=headers).status_code == 403  # it may also change something
    refused = client.post("/admin/api/a-call", headers=headers)
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "role_not_allowed")


def test_a_session_follows_the_role_of_its_operator(app, services, staff):
    visitor = Visitor(app)
    visitor.sign_in("adam")
    assert visitor.get("/admin/security/tokens").status_code == 200

    services.operator_stores.operators.set_role("adam", Role.VIEWER)

    assert is_refused(visitor.get("/admin/security/tokens"))


def test_operators_of_an_earlier_version_are_owners(services, ann, redis_client):
    redis_client.hdel(keys.operator(ann), "role")

    assert services.operator_stores.operators.find(ann).role is Role.OWNER
    secret = services.operator_stores.sessions.open(ann, address="", agent="")
    assert services.operator_stores.sessions.touch(secret).role is Role.OWNER


def test_home_of_a_viewer(app, staff):
    """The first steps of an empty pool are for those who can take them."""
    homes = {}
    for role, name in staff.items():
        visitor = Visitor(app)
        visitor.sign_in(name)
        homes[role] = visitor.get("/admin/").location

    assert homes[Role.VIEWER].endswith("/p/default/")
    assert homes[Role.ADMIN] == homes[Role.OWNER]
    assert homes[Role.OWNER].endswith("/p/default/start")


class TestSecurityPage:
    def test_of_a_viewer(self, app, staff, services):
        """It has no operators and no tokens, but the own sign-in."""
        visitor = Visitor(app)
        visitor.sign_in("vera")

        page = visitor.get("/admin/security").text

        assert "Your role is viewer" in page
        assert "Admin tokens" not in page
        assert "adam" not in page

    def test_an_admin_sees_and_revokes_only_the_own_tokens(self, app, staff, services):
        tokens = services.operator_stores.admin_tokens
        tokens.create(NewAdminToken("anns-ci", "ann", "ann"))
        tokens.create(NewAdminToken("adams-ci", "adam", "adam"))
        tokens.create(NewAdminToken("machines", "root"))
        visitor = Visitor(app)
        visitor.sign_in("adam")
        page = visitor.get("/admin/security").text
        assert ("adams-ci" in page, "anns-ci" in page, "machines" in page) == (True, False, False)

        for name, status in (("anns-ci", 403), ("machines", 403), ("adams-ci", 303)):
            path = f"/admin/security/tokens/{name}/revoke"
            assert visitor.send(path, {}, shown_at="/admin/security").status_code == status
        assert [token.name for token in tokens.all()] == ["anns-ci", "machines"]
