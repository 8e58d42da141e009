"""Signing in in steps, against a real sign-in service."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from app.errors import InvalidRequest, NotFound
from app.operations.sign_ins import REDIRECT_URI, code_in
from app.stores import keys
from tests.support.store_contents import everything_in

POOL = "default"


def end_poll_interval(redis_client):
    """As when the sign-in service's interval is over."""
    for key in redis_client.scan_iter("*:asked"):
        redis_client.delete(key)


class TestDevice:
    def test_the_code_is_entered(self, operations, services, issuer, redis_client):
        flow = operations.sign_ins.begin_device(POOL, "ann")
        assert flow.user_code.startswith("CODE-")
        assert operations.sign_ins.poll_device(POOL, flow.id) is None

        issuer.approve(flow.user_code)
        end_poll_interval(redis_client)
        account = operations.sign_ins.poll_device(POOL, flow.id)

        assert account is not None
        assert account.signed_in
        assert services.accounts.find(POOL, "ann").id == account.id
        with pytest.raises(NotFound, match="ended"):
            operations.sign_ins.poll_device(POOL, flow.id)

    def test_it_is_not_polled_too_often(self, operations, issuer, redis_client):
        """Polling every second does not query the sign-in service that often."""
        flow = operations.sign_ins.begin_device(POOL, "ann")
        issuer.approve(flow.user_code)
        polled = keys.flow(POOL, flow.id) + ":asked"
        redis_client.set(polled, "1")

        assert operations.sign_ins.poll_device(POOL, flow.id) is None
        redis_client.delete(polled)
        assert operations.sign_ins.poll_device(POOL, flow.id) is not None

    def test_stored_values_are_encrypted(self, operations, redis_client):
        flow = operations.sign_ins.begin_device(POOL, "ann")

        assert flow.secret not in everything_in(redis_client)
        assert flow.secret not in str(flow.public())


class TestBrowser:
    def test_the_address_is_pasted(self, operations, services):
        flow = operations.sign_ins.begin_browser(POOL, "ann")
        address = requests.get(flow.page, allow_redirects=False, timeout=30).headers["Location"]
        assert address.startswith(REDIRECT_URI)

        account = operations.sign_ins.complete_browser(POOL, flow.id, f"  {address}\n")

        assert services.credentials.read(POOL, account).account_id == account.chatgpt_account_id
        entry = services.audit.page().entries[0]
        assert (entry["action"], entry["way"]) == ("account.sign_in", "browser")
        with pytest.raises(NotFound):
            operations.sign_ins.complete_browser(POOL, flow.id, address)

    def test_another_address(self, operations):
        """It can be pasted again: the sign-in goes on."""
        flow = operations.sign_ins.begin_browser(POOL, "ann")

        for address in ("http://127.0.0.1:1455/auth/callback?code=x&state=y", "", "http://[", "x" * 9999):
            with pytest.raises(InvalidRequest) as refused:
                operations.sign_ins.complete_browser(POOL, flow.id, address)
            assert refused.value.param == "address"
        address = requests.get(flow.page, allow_redirects=False, timeout=30).headers["Location"]
        assert operations.sign_ins.complete_browser(POOL, flow.id, address).name == "ann"

    def test_a_refused_sign_in(self):
        query = urlencode({"state": "s", "error": "access_denied"})
        with pytest.raises(InvalidRequest, match="access_denied"):
            code_in(f"http://127.0.0.1:1455/?{query}", "s")

    def test_the_page(self, operations):
        query = parse_qs(urlsplit(operations.sign_ins.begin_browser(POOL, "ann").page).query)

        assert query["redirect_uri"] == [REDIRECT_URI]
        assert query["code_challenge_method"] == ["S256"]


@pytest.mark.parametrize("way", ["begin_device", "begin_browser"])
def test_a_name_of_another_kind(operations, way):
    operations.accounts.add(POOL, {"kind": "openai", "name": "main"}, credential="sk-1")

    with pytest.raises(InvalidRequest, match="has no sign-in"):
        getattr(operations.sign_ins, way)(POOL, "main")


@pytest.mark.parametrize("flow", ["", "flow_x", "flow_" + "0" * 24, "../../x"])
def test_no_such_sign_in(operations, flow):
    with pytest.raises(NotFound):
        operations.sign_ins.poll_device(POOL, flow)
