"""The gateway's Flask application over fake services: no process, no Redis, no upstream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask.testing import FlaskClient

from app import create_app
from app.accounts.account import Account
from app.config import Settings
from app.errors import InvalidApiKey
from app.relay.context import RequestContext
from app.relay.fallbacks import FallbackChain
from app.relay.progress import RequestProgress, progress_of
from app.relay.request_record import RequestRecord
from app.stores.records.admission import Selection
from app.stores.records.api_keys import ApiKey
from tests.support.relay import FakeAttempt

SECRET = f"sk-pg-default-{'x' * 43}"
BEARER = {"Authorization": f"Bearer {SECRET}"}
ACCOUNT = Account("acct_1", "main", "openai", "http://127.0.0.1:1/v1")

Respond = Callable[[RequestContext], Iterator[Any]]


class FakeServices:
    """Answers model requests with *response*, for the API key *key*; `refusals` are the logged refusals."""

    def __init__(self, response: Respond | None = None, key: ApiKey | None = None) -> None:
        self.settings = Settings(home=Path("/nonexistent"))
        self.key = key or ApiKey("key_1", "k", "default")
        self.contexts: list[RequestContext] = []
        self.attempt = FakeAttempt(ACCOUNT)
        self.refusals: list[Any] = []
        self.tracing = None
        self.demo = False
        self.api_keys = SimpleNamespace(authenticate=self._authenticate, known=lambda _: None)
        self.accounts = SimpleNamespace(
            all=lambda pool: [ACCOUNT], id_of=lambda pool, name: {"main": "acct_1"}.get(name)
        )
        self.ledger = SimpleNamespace(
            refusal_log=SimpleNamespace(add=self.refusals.append),
            usage=SimpleNamespace(windows=lambda pool, accounts=(): ([None, None], 0.0)),
        )
        self.upstream = SimpleNamespace(metadata=SimpleNamespace(get=lambda pool, what, ids: []))
        self.readiness = SimpleNamespace(reason=lambda: "")
        self.websockets = SimpleNamespace(is_on=False)
        self._response = response

    def _authenticate(self, presented: str) -> ApiKey:
        if presented != SECRET:
            raise InvalidApiKey("This API key is unknown")
        return self.key

    def serve(self, context: RequestContext) -> FallbackChain:
        self.contexts.append(context)
        return FallbackChain(context, self._stream, progress_of(context, 0.0, 600.0))

    def _stream(
        self, context: RequestContext, record: RequestRecord, progress: RequestProgress
    ) -> Iterator[Any]:
        record.start_attempt(self.attempt, Selection(ACCOUNT.id))
        if self._response is not None:
            yield from self._response(context)

    def client(self) -> FlaskClient:
        app: Any = create_app(self)  # type: ignore[arg-type]
        return app.test_client()  # type: ignore[no-any-return]
