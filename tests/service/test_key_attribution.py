"""The owner and the labels of a key are stored with its requests, as they were at that time."""

from __future__ import annotations

from tests.support.gateway import PoolOfTest
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream

BODY = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello"}]}
PATH = "/v1/chat/completions"


def test_requests_and_refusals(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """A change of the key applies from its next request on; a refusal before the admission has them, too."""
    pool.account("a", upstream.base_url())
    owned, services = pool.key("ann", owner="Ann", labels={"env": "prod"}), pool.gateway.services
    plain = pool.key("eve")

    assert pool.post(PATH, BODY, owned).status_code == 200
    services.api_keys.change(pool.name, "ann", owner="Bob", labels={})
    for secret in (owned, plain):
        assert pool.post(PATH, BODY, secret).status_code == 200
    assert pool.post(PATH, BODY | {"messages": 1}, owned).status_code == 400

    rows = pool.wait_for_rows(3)
    assert [(row.get("owner"), row.get("labels")) for row in rows] == [
        ("Ann", {"env": "prod"}),
        ("Bob", None),
        (None, None),
    ]
    refusals = services.ledger.refusals
    assert eventually(lambda: list(refusals.entries(pool.name)))
    assert [refusal.entry.row["owner"] for refusal in refusals.entries(pool.name)] == ["Bob"]
