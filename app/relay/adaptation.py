"""
Adapt a request to a server that refuses a part: send it again without that part.

The fields that an account refuses are stored with the account, by protocol and model, so that later requests
omit them from the start. State of another account in a conversation is left out of this request only.
"""

from __future__ import annotations

import structlog

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.kinds import kind_of
from app.accounts.request_settings import NO_SETTINGS
from app.errors import GatewayError, UpstreamError, UpstreamRejected
from app.records import record
from app.relay.attempt import Attempt
from app.relay.context import RequestContext
from app.relay.own_fields import with_settings
from app.translation.requests import foreign_state
from app.translation.requests.refused_fields import (
    STREAMED,
    UNSTREAMED,
    FieldRefusal,
    may_lack,
    refused_fields,
    without_refused,
)
from app.translation.requests.upstream_request import UpstreamRequest

STREAMING = {STREAMED, UNSTREAMED}  # a server that refuses both cannot serve the request
MAX_ADAPTATIONS = 4  # repetitions of one request: some servers name only one field per refusal

log = structlog.get_logger()


@record
class Adapted:
    """The account, with what was learned about it, and the names of what its next request will omit."""

    account: Account
    names: list[str]


class Adaptation:
    """What one request, at one model, learned from refusals."""

    def __init__(self, context: RequestContext, accounts: AccountRepository) -> None:
        self._context = context
        self._accounts = accounts
        self._count = 0
        self.lacks_foreign_state = False

    def adapt(self, attempt: Attempt, error: UpstreamError) -> Adapted | None:
        """Return how to change the request before it is sent to the same account again; None: it is not."""
        if self._count >= MAX_ADAPTATIONS or not isinstance(error, UpstreamRejected) or attempt.committed:
            return None
        adapted = self._without_state(attempt, error) or self._without_fields(attempt, error)
        self._count += adapted is not None
        return adapted

    def _without_state(self, attempt: Attempt, error: UpstreamRejected) -> Adapted | None:
        if self.lacks_foreign_state or not foreign_state.is_unreadable(
            error.upstream_status, error.code, error.message
        ):
            return None
        if not foreign_state.has_foreign_state(attempt.request):
            return None
        self.lacks_foreign_state = True
        return Adapted(attempt.account, [foreign_state.NAME])

    def _without_fields(self, attempt: Attempt, error: UpstreamRejected) -> Adapted | None:
        request, client, account = attempt.request, self._context.request, attempt.account
        refusal = FieldRefusal(error.upstream_status, error.message, error.code, error.param)
        known = set(account.refused_by(request.protocol, client.model))
        fields = [
            field
            for field in refused_fields(refusal, request.body)
            if field not in known
            and may_lack(request, field, client.client_protocol, client.body)
            and (field != STREAMED or kind_of(account).sends_unstreamed_responses)
            and not (field in STREAMING and known & STREAMING)
        ]
        if not fields:
            return None
        try:
            learned = self._accounts.learn_refused(
                self._context.caller.key.pool, account, request.protocol, client.model, fields
            )
        except GatewayError:  # the store is away, or the account was removed
            return None
        if learned is None:
            return None
        log.info(
            "upstream_refuses_fields",
            request_id=self._context.request_id,
            account=account.id,
            model=client.model,
            fields=fields,
        )
        return Adapted(learned, fields)


def adapted_request(
    request: UpstreamRequest, context: RequestContext, account: Account, *, lacks_foreign_state: bool
) -> UpstreamRequest:
    """Return *request* without what *account* is known to refuse, and with its settings applied."""
    client = context.request
    if account.refused and (refused := account.refused_by(request.protocol, client.model)):
        request = without_refused(request, refused, client.client_protocol, client.body)
    if lacks_foreign_state and foreign_state.has_foreign_state(request):
        request = foreign_state.without_foreign_state(request)
    if account.settings is not NO_SETTINGS:
        request = with_settings(request, account.settings, client)
    return request
