"""Sign-in on a Redis Cluster: all of its keys are in one slot, and every script finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.operators.sign_in_throttle import NAME_AND_ADDRESS
from app.stores.records.operators import NewAdminToken
from tests.support.admin import PASSWORD, Visitor, admin_app, services_on, turn_on_second_factor
from tests.support.cluster import running_cluster

pytestmark = pytest.mark.cluster


def test_from_the_first_start_to_a_lost_password(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as ports:
        services = services_on(f"redis+cluster://127.0.0.1:{ports[0]}", tmp_path)
        visitor = Visitor(admin_app(services))
        token = services.operator_stores.operators.new_start_token()
        assert token is not None
        form = {"token": token, "name": "ann", "password": PASSWORD, "password_again": PASSWORD}
        assert visitor.send("/admin/first-start", form).location == "/admin/"
        assert visitor.is_signed_in()
        _, codes = turn_on_second_factor(services, "ann")
        assert Visitor(visitor.client.application).sign_in(code=codes[0]).status_code == 303
        for _ in range(NAME_AND_ADDRESS):
            visitor.client.delete_cookie("poolgate", domain="gate.test", path="/admin")
            visitor.sign_in(password="wrong horse battery")
        assert visitor.sign_in(code=codes[1]).status_code == 429

        services.operator_stores.sign_in_throttle.reset("ann")

        assert visitor.sign_in(code=codes[1]).status_code == 303
        secret = services.operator_stores.admin_tokens.create(NewAdminToken("ci", "ann"))[1]
        bearer = {"Authorization": f"Bearer {secret}"}
        assert visitor.get("/admin/api/a-call", headers=bearer).status_code == 200
        assert services.operator_stores.sessions.end_all("ann") == 3
        assert not visitor.is_signed_in()
