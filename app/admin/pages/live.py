"""Live updates of pages as server-sent events: changed accounts and completed requests."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response, current_app, g, request
from gevent.queue import Empty

from app.admin.pages import request_filters
from app.admin.pages.layout import page_blueprint
from app.admin.pages.request_filters import RequestLinks
from app.admin.services import services
from app.errors import StoreUnavailable
from app.ledger.answers import answered_before
from app.ledger.query import LedgerQuery
from app.operations.live_feed import FeedUpdate, LiveFeed
from app.presentation.accounts import AccountView
from app.presentation.names import Names
from app.presentation.requests import RequestView, request_views
from app.stores.records.accounts import ModelRest
from app.stores.records.ledger import LedgerEntry
from app.wiring import Services

LIFE_SECONDS = 60.0  # lifetime of a stream; the browser reconnects, and its session is checked again
HEARTBEAT_SECONDS = 5.0  # after that time without events, a comment detects disconnected browsers
RETRY_MS = 2000
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")

bp = page_blueprint("live", "/live")


@bp.get("")
def stream() -> Response:
    """
    Stream changes since the ledger entry in Last-Event-ID, else since `after`, which the page sends.

    Only requests that match the filters of the page are streamed.
    """
    seen = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    after = seen if _ENTRY_ID.fullmatch(seen) else ""
    pool, app_services, form = g.pool, services(), request_filters.read_form(request.args)
    names = Names.read(pool, app_services.api_keys, app_services.accounts)
    query = request_filters.parse_query(form, names)
    query.check()
    links = RequestLinks.with_filters(form.filled(*request_filters.FIELDS))
    renderer = _Renderer(current_app.jinja_env, _LiveRequests(app_services, pool, query), links)
    events = _events(app_services.feeds.of(pool), renderer, after, time.monotonic() + LIFE_SECONDS)
    return Response(
        events,
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@dataclass(frozen=True, slots=True)
class _LiveRequests:
    """The requests of a pool that match the filters of a page."""

    services: Services
    pool: str
    query: LedgerQuery

    def names(self) -> Names:
        return Names.read(self.pool, self.services.api_keys, self.services.accounts)

    def rests(self, now: float) -> dict[str, list[ModelRest]]:
        """Return the models that rest at *now*, Unix seconds, by account id."""
        return self.services.model_rests.all(self.pool, now)

    def views(self, entries: Sequence[LedgerEntry]) -> list[tuple[RequestView, bool]]:
        """Return (row, is new) of *entries*, after those of older failures that these answered."""
        ledger, new = self.services.ledger.entries, {entry.id for entry in entries}
        answered = [
            each
            for each in answered_before(ledger, self.pool, entries)
            if each[0].id not in new and self._matches(each[0])
        ]
        matching = list(filter(self._matches, entries))
        if not (answered or matching):
            return []
        names = self.names()
        older = [(RequestView(failure, names, answer=answer), False) for failure, answer in answered]
        return older + [(view, True) for view in request_views(ledger, self.pool, matching, names)]

    def _matches(self, entry: LedgerEntry) -> bool:
        return self.query.matches(entry) and self.query.is_in_time(entry)


class _Renderer:
    """Renders updates with the same templates as the pages."""

    def __init__(self, templates: Any, requests: _LiveRequests, links: RequestLinks) -> None:
        self._account = templates.get_template("parts/account.html")
        self._account_row = templates.get_template("parts/account_row.html").module
        self._row = templates.get_template("parts/request_row.html")
        self._requests = requests
        self._links = links

    def frames(self, update: FeedUpdate) -> Iterator[bytes]:
        """Yield the server-sent events of *update*."""
        if update.accounts:
            now = time.time()
            rests = self._requests.rests(now)
            views = [AccountView(account, now, rests.get(account.id, ())) for account in update.accounts]
            yield _frame("accounts", {name: html for view in views for name, html in self._parts(view)})
        if shown := self._requests.views(update.entries):
            rows = [
                {
                    "id": view.entry.request_id,
                    "html": self._row.render(row=view, links=self._links),
                    "is_new": is_new,
                }
                for view, is_new in shown
            ]
            yield _frame("requests", rows, update.entries[-1].id)

    def _parts(self, view: AccountView) -> Iterator[tuple[str, str]]:
        """Yield the parts of pages that show an account, with their `data-live-id`."""
        account_id, row = view.account.id, self._account_row
        yield account_id, self._account.render(view=view)
        yield f"{account_id}:state", row.state(view)
        yield f"{account_id}:windows", row.windows(view)
        yield f"{account_id}:load", row.load(view)


def _events(feed: LiveFeed, renderer: _Renderer, after: str, until: float) -> Iterator[bytes]:
    with (
        suppress(StoreUnavailable),
        feed.watched() as queue,
    ):  # the browser reconnects, and continues from there
        yield b"retry: %d\n\n" % RETRY_MS
        yield from renderer.frames(feed.now(after))
        while (left := until - time.monotonic()) > 0:
            try:
                update = queue.get(timeout=min(HEARTBEAT_SECONDS, left))
            except Empty:
                yield b": \n\n"
                continue
            if update is None:
                return
            yield from renderer.frames(update)


def _frame(event: str, data: Any, event_id: str = "") -> bytes:
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {event}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"
