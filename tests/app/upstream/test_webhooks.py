"""Messages are posted over real HTTP, and signed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.errors import StreamIdleTimeout, UpstreamUnreachable
from app.upstream import webhooks
from app.upstream.webhooks import WebhookClient, describe_failure, sign
from schemas.webhooks import secret_bytes
from tests.support.ports import free_port
from tests.support.webhook_receiver import Receiver, running_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def client() -> WebhookClient:
    return WebhookClient(user_agent="poolgate/test")


def test_a_signature() -> None:
    """The test vector was computed with another program, from the text of Standard Webhooks."""
    key = secret_bytes("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")

    signature = sign(key, "msg_1", 1700000000, b'{"a":1}')

    assert signature == "v1,AMaOha7DUT/0J0JMycRuYOBSvbx3WtwLd2khXXbaVj4="


def test_what_is_sent(client: WebhookClient, receiver: Receiver) -> None:
    response = client.post(receiver.url, {"webhook-id": "m"}, b'{"a":1}', may_be_private=False)

    (received,) = receiver.received
    assert (response.status, response.retry_after_seconds) == (204, None)
    assert (received.path, received.body) == ("/hook?token=t0ken", b'{"a":1}')
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"] == "poolgate/test"
    assert received.headers["webhook-id"] == "m"


def test_a_redirect_is_not_followed(client: WebhookClient, receiver: Receiver) -> None:
    receiver.statuses = [307]
    receiver.headers = {"Location": receiver.url, "Retry-After": "7"}

    response = client.post(receiver.url, {}, b"{}", may_be_private=False)

    assert (response.status, response.retry_after_seconds) == (307, 7.0)
    assert len(receiver.received) == 1


def test_a_receiver_that_does_not_answer(
    client: WebhookClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 0.2)
    receiver.statuses = [None]

    with pytest.raises(StreamIdleTimeout) as caught:
        client.post(receiver.url, {}, b"{}", may_be_private=False)

    assert describe_failure(caught.value) == "The receiver did not begin to answer in time"


def test_nothing_listens(client: WebhookClient) -> None:
    with pytest.raises(UpstreamUnreachable) as caught:
        client.post(f"http://127.0.0.1:{free_port()}/secret", {}, b"{}", may_be_private=False)

    assert describe_failure(caught.value) == "The receiver refused the connection"


class TestAddresses:
    """A name with a dot must lead to a public address, unless the webhook may be private."""

    @pytest.fixture(autouse=True)
    def _resolve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from urllib3.util import connection

        connect = connection.create_connection

        def to_loopback(address: tuple[str, int], *args: object, **more: object) -> object:
            return connect(("127.0.0.1", address[1]), *args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(connection, "create_connection", to_loopback)

    def test_a_private_one(self, client: WebhookClient, receiver: Receiver) -> None:
        url = f"http://chat.internal.example:{receiver.port}/"

        with pytest.raises(UpstreamUnreachable) as caught:
            client.post(url, {}, b"{}", may_be_private=False)

        assert "not public; set --private" in describe_failure(caught.value)
        assert receiver.received == []
        assert client.post(url, {}, b"{}", may_be_private=True).status == 204
