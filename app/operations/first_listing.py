"""
What an account that was just added answers: its models and its usage, or why there are none.

Done in the request that adds it, so that `/v1/models` is not empty until a worker comes by, and an
operator sees a wrong address or key at once. A look has five seconds for everything it sends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson
import structlog

from app.accounts.account import Account
from app.errors import GatewayError, StreamIdleTimeout, UpstreamRejected
from app.formatting import count
from app.operations.dependencies import Dependencies
from app.operations.upstream_lists import USAGE_PATH, checked_object, models_path, store_models, store_usage

log = structlog.get_logger()

SECONDS = 5.0  # for all of a look
ADDRESS_SECONDS = 2.0  # of them, for trying the address with /v1
NO_LIST = (404, 405, 501)  # the server answers, but has no list of models
REFUSED = (401, 403)
MAX_MESSAGE_CHARS = 200

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FirstListing:
    """
    `models` is how many models were listed, None where there is no list.

    `error` is in words, None when all went well; `code` names it. `hint` says what may be wrong.
    """

    models: int | None = None
    error: str | None = None
    code: str | None = None
    hint: str | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    def sentence(self) -> str:
        """Return what an operator reads: `reachable, 14 models`, or what went wrong."""
        if self.error is None:
            return f"reachable, {count(self.models or 0)} {'model' if self.models == 1 else 'models'}"
        return f"{self.error}. {self.hint}" if self.hint else self.error

    def public(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def list_at_once(
    dependencies: Dependencies, pool: str, account: Account, seconds: float = SECONDS
) -> FirstListing:
    """
    List the models of *account*, and its usage where it has usage windows; store both.

    Takes at most *seconds*, and nothing of the upstream raises. Raises StoreUnavailable.
    """
    until = time.monotonic() + seconds
    models, usage = _fetched(dependencies, account, seconds)
    found = _stored(dependencies, pool, account, models)
    if isinstance(usage, dict):
        store_usage(dependencies, pool, account, usage, time.time())
    if not found.ok:
        found = replace(found, hint=_hint(dependencies, account, found, until - time.monotonic()))
    told = orjson.dumps({"at": int(time.time()), "result": found.code or "ok"}).decode()
    dependencies.accounts.observe(pool, account.id, {"look_models": told})
    return found


def _fetched(
    dependencies: Dependencies, account: Account, seconds: float
) -> tuple[Payload | GatewayError, Payload | GatewayError | None]:
    """Return the list of models and the report of usage, each queried at the same time as the other."""

    def get(path: str) -> Callable[[], Payload]:
        return lambda: checked_object(dependencies.upstream.get_json(account, path, seconds))

    usage = _Query(get(USAGE_PATH)) if account.kind == "chatgpt" else None
    until = time.monotonic() + seconds
    models = _Query(get(models_path(account))).wait(seconds)
    return models, usage.wait(until - time.monotonic()) if usage else None


class _Query:
    """One query in a thread of its own, which ends by itself when nobody waits any longer."""

    def __init__(self, fetch: Callable[[], Payload]) -> None:
        self._fetch = fetch
        self._result: Payload | GatewayError = StreamIdleTimeout("The upstream did not answer in time")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._fetch()
        except GatewayError as error:
            self._result = error
        except Exception as error:  # a defect of ours must not look like a server that is slow
            log.exception("first_look_failed")
            self._result = GatewayError(f"The answer could not be read ({type(error).__name__})")

    def wait(self, seconds: float) -> Payload | GatewayError:
        self._thread.join(max(0.0, seconds))
        return self._result


def _stored(
    dependencies: Dependencies, pool: str, account: Account, payload: Payload | GatewayError
) -> FirstListing:
    if isinstance(payload, GatewayError):
        return FirstListing(error=_words(payload), code=payload.code or "failed")
    try:
        models = store_models(dependencies, pool, account, payload)
    except GatewayError as error:
        return FirstListing(error=error.message, code=error.code or "failed")
    if not models:
        return FirstListing(0, "its server answers, but lists no models", "no_models")
    return FirstListing(models)


def _words(error: GatewayError) -> str:
    message = " ".join(error.message.split())[:MAX_MESSAGE_CHARS].rstrip(".")
    if not isinstance(error, UpstreamRejected):
        return message
    status = error.upstream_status
    if status in REFUSED:
        return f"its server refuses the credential ({status}: {message})"
    if status in NO_LIST:
        return f"its server has no list of models at this base URL ({status})"
    return f"its server answers {status}: {message}"


def _hint(dependencies: Dependencies, account: Account, found: FirstListing, seconds: float) -> str | None:
    """Return what may help: the base URL with /v1, where models are listed there and not without it."""
    url = account.base_url
    if account.kind == "chatgpt" or found.models is not None or url.endswith("/v1") or seconds <= 0:
        return None
    if found.code in ("upstream_unavailable", "stream_idle_timeout"):
        return None  # nothing answers at this host: a longer path changes nothing
    limit = min(seconds, ADDRESS_SECONDS)
    payload = _Query(
        lambda: checked_object(dependencies.upstream.get_json(account, "/v1/models", limit))
    ).wait(limit)
    if isinstance(payload, dict) and isinstance(payload.get("data"), list):
        return f"{url}/v1/models answers: the base URL probably has to end in /v1"
    return None
