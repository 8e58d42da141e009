"""Pages of owners: operators and invitations."""

from __future__ import annotations

import pytest

from app.stores.records.operators import Role, SignInPolicy
from tests.support.admin import PASSWORD, Visitor, audited, turn_on_second_factor

AT = "/admin/security/operators"


@pytest.fixture
def bea(services):
    return services.operator_stores.operators.create("bea", PASSWORD, Role.VIEWER).name


class TestList:
    def test_what_it_shows(self, inside, bea, services):
        turn_on_second_factor(services, "bea")
        services.operator_stores.sessions.open("bea", address="", agent="")

        page = inside.get(AT).text

        assert ">bea</th>" in page.replace("bea (you)", "")
        assert "ann (you)" in page
        assert page.count('data-label="Last sign-in">never') == 0
        assert f"{AT}/bea/second-factor" in page
        assert f"{AT}/ann/second-factor" not in page  # it is off


class TestChanges:
    def test_a_role(self, inside, bea, services):
        response = inside.send(f"{AT}/bea/role", {"role": "admin", "password": PASSWORD})

        assert response.status_code == 303
        assert services.operator_stores.operators.find("bea").role is Role.ADMIN
        entry = services.audit.page().entries[0]
        assert (entry["action"], entry["object"]) == ("operator.role", "bea")
        assert (entry["before"], entry["after"]) == ({"role": "viewer"}, {"role": "admin"})

    @pytest.mark.parametrize(
        ("form", "message"),
        [
            ({"role": "king", "password": PASSWORD}, "must be owner, admin or viewer"),
            ({"role": "admin", "password": "wrong"}, "is not your password"),
            ({"role": "viewer", "password": PASSWORD}, "is that of the last owner"),
        ],
    )
    def test_a_role_that_is_refused(self, inside, ann, services, form, message):
        response = inside.send(f"{AT}/ann/role", form)

        assert response.status_code == 400
        assert message in response.text
        assert services.operator_stores.operators.find(ann).role is Role.OWNER

    def test_the_second_factor_of_another(self, inside, bea, services):
        turn_on_second_factor(services, "bea")

        assert inside.send(f"{AT}/bea/second-factor", {"password": "wrong"}).status_code == 400
        assert services.operator_stores.operators.find("bea").second_factor
        assert inside.send(f"{AT}/bea/second-factor", {"password": PASSWORD}).status_code == 303
        assert not services.operator_stores.operators.find("bea").second_factor

    def test_a_required_second_factor_that_is_missing(self, inside, bea, services):
        turn_on_second_factor(services, "ann")
        assert "required, not set up" not in inside.get(AT).text

        services.operator_stores.policy.put(SignInPolicy(second_factor_required=True))

        assert inside.get(AT).text.count("required, not set up") == 1

    def test_the_sessions_of_another(self, app, inside, bea):
        other = Visitor(app)
        other.sign_in("bea")
        assert other.get("/admin/security").status_code == 200

        assert "End all sessions of bea?" in inside.get(f"{AT}/bea/sessions").text
        assert other.get("/admin/security").status_code == 200
        assert inside.send(f"{AT}/bea/sessions", {}).status_code == 303

        assert other.get("/admin/security").status_code == 303

    def test_removed(self, app, inside, bea, services):
        other = Visitor(app)
        other.sign_in("bea")

        inside.send(f"{AT}/bea/remove", {"password": PASSWORD})

        assert other.get("/admin/security").status_code == 303
        assert [one.name for one in services.operator_stores.operators.all()] == ["ann"]

    def test_the_last_owner_stays(self, inside, bea, services):
        response = inside.send(f"{AT}/ann/remove", {"password": PASSWORD})

        assert response.status_code == 400
        assert services.operator_stores.operators.has("ann")

    @pytest.mark.parametrize("action", ["role", "remove", "second-factor"])
    def test_an_unknown_operator(self, inside, action):
        assert inside.get(f"{AT}/eve/{action}").status_code == 404


class TestInviting:
    def test_the_link_is_shown_once(self, app, inside, services):
        form = {"role": "admin", "expires": "1d", "label": "bea@example.com", "password": PASSWORD}
        page = inside.send(f"{AT}/invite", form).text
        link = page.split('id="secret">')[1].split("<")[0]
        secret = link.partition("token=")[2]
        assert link.startswith("http://gate.test/admin/invitation?token=")
        (invitation,) = services.operator_stores.invitations.all()
        assert (invitation.role, invitation.label, invitation.created_by) == (
            Role.ADMIN,
            "bea@example.com",
            "ann",
        )

        listed = inside.get(AT).text

        assert "bea@example.com" in listed
        assert secret not in listed
        assert secret not in str(audited(services))

    @pytest.mark.parametrize(
        "change",
        [
            {"role": "king"},
            {"expires": "59m"},
            {"expires": "31d"},
            {"expires": "soon"},
            {"label": "x" * 201},
            {"label": "two\nlines"},
            {"password": "wrong"},
        ],
    )
    def test_bad_input(self, inside, services, change):
        form = {"role": "viewer", "expires": "1h", "label": "", "password": PASSWORD} | change

        response = inside.send(f"{AT}/invite", form)

        assert response.status_code == 400
        assert f'id="{next(iter(change))}-error"' in response.text
        assert services.operator_stores.invitations.all() == []

    def test_revoked(self, inside, services):
        inside.send(f"{AT}/invite", {"role": "viewer", "expires": "1h", "password": PASSWORD})
        (invitation,) = services.operator_stores.invitations.all()
        path = f"{AT}/invitations/{invitation.id}/revoke"

        assert "Revoke the invitation" in inside.get(path).text
        assert services.operator_stores.invitations.all() == [invitation]
        assert inside.send(path, {}).status_code == 303

        assert services.operator_stores.invitations.all() == []
        assert inside.get(path).status_code == 404
        assert [one["action"] for one in audited(services)][-2:] == [
            "invitation.create",
            "invitation.revoke",
        ]
