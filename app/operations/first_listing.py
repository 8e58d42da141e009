"""
List the models and the usage of an account that was just added, or find the reason that this fails.

It runs in the request that adds the account, so that `/v1/models` is not empty until a worker runs, and an
operator sees a wrong address or key immediately. All its requests together take up to five seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import structlog

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.failures import Failure
from app.accounts.job_results import FAILED, OK, JobResult, failed_result
from app.accounts.kinds import kind_of
from app.accounts.model_lists import NO_LIST
from app.errors import GatewayError, StreamIdleTimeout, UpstreamRejected
from app.formatting import count
from app.operations.upstream_lists import UpstreamLists, checked_object
from app.records import public_fields
from app.stores.records.accounts import AccountState
from app.upstream.client import UpstreamClient

log = structlog.get_logger()

SECONDS = 5.0  # for all queries together
ADDRESS_SECONDS = 2.0  # reserved of SECONDS, to try the base URL with /v1
REFUSED = (401, 403)
MAX_MESSAGE_CHARS = 200

JsonObject = dict[str, Any]


class FirstListingJson(TypedDict):
    """A FirstListing, by its public names."""

    ok: bool
    models: int | None
    error: str | None
    code: str | None
    hint: str | None


@dataclass(frozen=True, slots=True)
class FirstListing:
    """
    `models` is the number of models listed, None if the listing failed.

    `error` is a message, None if the listing succeeded; `code` is its code, `hint` a possible remedy.
    """

    models: int | None = None
    error: str | None = None
    code: str | None = None
    hint: str | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    def sentence(self) -> str:
        """Return the result for operators: `reachable, 14 models`, or the error and its hint."""
        if self.error is None:
            return f"reachable, {count(self.models or 0)} {'model' if self.models == 1 else 'models'}"
        return f"{self.error}. {self.hint}" if self.hint else self.error

    def public(self) -> FirstListingJson:
        return public_fields(self, FirstListingJson)


class AccountLister:
    """List the models and the usage of an account at its upstream, and store both."""

    def __init__(
        self, upstream: UpstreamClient, accounts: AccountRepository, upstream_lists: UpstreamLists
    ) -> None:
        self._upstream = upstream
        self._accounts = accounts
        self._upstream_lists = upstream_lists

    def fetch(self, pool: str, account: Account, seconds: float = SECONDS) -> FirstListing:
        """
        List the models of *account*, and its usage if its kind has usage windows; store both.

        Where the server accepts the credential, an account that was out of use for it is tested by its next
        request. Takes at most *seconds*. No failure of the upstream is raised. Raises StoreUnavailable.
        """
        deadline = time.monotonic() + seconds
        models, usage = self._query(account, seconds)
        listing = self._store_models(pool, account, models)
        if isinstance(usage, dict):
            self._upstream_lists.store_usage(pool, account, usage, time.time())
        if not listing.ok:
            listing = replace(listing, hint=self._find_hint(account, listing, deadline - time.monotonic()))
        result = (
            failed_result(models, account.kind, time.time())
            if isinstance(models, GatewayError)
            else JobResult(int(time.time()), listing.code or OK)
        )
        self._accounts.observe(
            pool,
            account.id,
            {"look_models": result.to_json()},
            answered=listing.models is not None,
            unanswered=result.unanswered or (Failure.ENDPOINT_MISSING if listing.hint else ""),
            accepted=account.state == AccountState.CREDENTIAL_DEAD and _accepts_credential(models),
        )
        return listing

    def _query(
        self, account: Account, seconds: float
    ) -> tuple[JsonObject | GatewayError, JsonObject | GatewayError | None]:
        """Query the list of models and the usage in parallel; return both replies."""

        kind = kind_of(account)

        def get(path: str) -> Callable[[], JsonObject]:
            return lambda: checked_object(self._upstream.get_json(account, path, seconds))

        usage = _Query(get(kind.usage_path)) if kind.usage_path else None
        deadline = time.monotonic() + seconds
        models = _Query(get(kind.models_path)).wait(seconds)
        return models, usage.wait(deadline - time.monotonic()) if usage else None

    def _store_models(self, pool: str, account: Account, reply: JsonObject | GatewayError) -> FirstListing:
        if isinstance(reply, GatewayError):
            return FirstListing(error=_describe(reply), code=reply.recorded_code or "failed")
        try:
            models = self._upstream_lists.store_models(pool, account, reply)
        except GatewayError as error:
            return FirstListing(error=error.message, code=error.recorded_code or FAILED)
        if not models:
            return FirstListing(0, "its server answers, but lists no models", "no_models")
        return FirstListing(models)

    def _find_hint(self, account: Account, listing: FirstListing, seconds: float) -> str | None:
        """Return a hint at a longer base URL, such as one with /v1, if models are listed only there."""
        url, ending = account.base_url, kind_of(account).base_url_ending
        if not ending or listing.models is not None or url.endswith(ending) or seconds <= 0:
            return None
        if listing.code in ("upstream_unavailable", "stream_idle_timeout"):
            return None  # the host does not answer, so a longer path would not help
        limit = min(seconds, ADDRESS_SECONDS)
        reply = _Query(
            lambda: checked_object(self._upstream.get_json(account, f"{ending}/models", limit))
        ).wait(limit)
        if isinstance(reply, dict) and isinstance(reply.get("data"), list):
            return f"{url}{ending}/models answers: the base URL probably has to end in {ending}"
        return None


class _Query:
    """One query in its own thread, which continues to its end if the caller stops waiting."""

    def __init__(self, fetch: Callable[[], JsonObject]) -> None:
        self._fetch = fetch
        self._result: JsonObject | GatewayError = StreamIdleTimeout("The upstream did not answer in time")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._fetch()
        except GatewayError as error:
            self._result = error
        except Exception as error:  # reported: a defect here must not look like a slow server
            log.exception("first_listing_failed", former_event="first_look_failed")
            self._result = GatewayError(f"The response could not be read ({type(error).__name__})")

    def wait(self, seconds: float) -> JsonObject | GatewayError:
        self._thread.join(max(0.0, seconds))
        return self._result


def _accepts_credential(reply: JsonObject | GatewayError) -> bool:
    """Return whether a server that sent *reply* accepts the credential, also one without a list of models."""
    is_list = not isinstance(reply, GatewayError)
    return is_list or (isinstance(reply, UpstreamRejected) and reply.upstream_status in NO_LIST)


def _describe(error: GatewayError) -> str:
    message = " ".join(error.message.split())[:MAX_MESSAGE_CHARS].rstrip(".")
    if not isinstance(error, UpstreamRejected):
        return message
    status = error.upstream_status
    if status in REFUSED:
        return f"its server refuses the credential ({status}: {message})"
    if status in NO_LIST:
        return f"its server has no list of models at this base URL ({status})"
    return f"its server answers {status}: {message}"
