"""What of a pool needs a person: dead credentials, spent windows, reached limits, a store at risk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import url_for
from markupsafe import Markup

from app.admin.pages import words
from app.admin.pages.seen import GaugeView
from app.office import check_host, check_redis
from app.office.finding import WRONG
from app.pool.account import Account
from app.quotas.api_keys import ApiKey
from app.wiring import Services

NEAR = 90.0  # percent of a limit
SOON_SECONDS = 3 * 86400.0
MOST = 30  # lines; the worst come first
_ORDER = {"bad": 0, "wait": 1, "off": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """`shape` and `word` as in `words.State`; `mend` says what to do, and `link` is where."""

    shape: str
    word: str
    where: str
    what: str
    mend: str
    link: str = ""

    @property
    def badge(self) -> Markup:
        return words.badge(words.State(self.word, self.shape))


def findings(
    services: Services, pool: str, accounts: Sequence[Account], api_keys: Sequence[ApiKey], now: float
) -> list[Finding]:
    """Return what needs somebody in *pool*, the worst first; *now* is the store's, Unix seconds."""
    found = [
        *_pool(accounts),
        *(one for account in accounts for one in _account(account, now)),
        *_limits(services, pool, api_keys),
        *_expiries(api_keys, now),
        *_installation(services),
    ]
    return sorted(found, key=lambda one: _ORDER[one.shape])[:MOST]


def _pool(accounts: Sequence[Account]) -> Iterator[Finding]:
    if accounts and all(account.state != "active" for account in accounts):
        yield Finding(
            "bad",
            "wrong",
            "This pool",
            "answers nobody: every account is out",
            "See its accounts",
            url_for("accounts.show"),
        )


def _account(account: Account, now: float) -> Iterator[Finding]:
    link = url_for("accounts.one", name=account.name)
    where, because = (
        f"Account {account.name}",
        f" ({account.reason.replace('_', ' ')})" if account.reason else "",
    )
    if account.state == "credential_dead":
        mend = "Sign in anew" if account.kind == "chatgpt" else "Add it anew with a valid key"
        yield Finding("bad", "wrong", where, f"its credential is refused{because}", mend, link)
    elif account.state == "window_spent":
        yield Finding("wait", "waits", where, f"its window is spent{because}", "It comes back by itself", "")
    elif account.state == "paused":
        yield Finding(
            "off", "paused", where, f"somebody paused it{_unless_usual(account.reason)}", "Resume it", link
        )
    if account.expires_at and account.expires_at < now and account.state != "credential_dead":
        yield Finding(
            "bad", "wrong", where, "its sign-in is over and was not renewed", "Does a worker run?", link
        )


def _unless_usual(reason: str) -> str:
    return "" if reason in ("", "paused by an administrator") else f" ({reason})"


def _limits(services: Services, pool: str, api_keys: Sequence[ApiKey]) -> Iterator[Finding]:
    owned = [(key.name, limit) for key in api_keys if key.state == "active" for limit in key.limits]
    owned += [("", limit) for limit in services.limits.all(pool)]
    gauges = services.usage.gauges(pool, [limit for _, limit in owned]) if owned else []
    for (name, _), gauge in zip(owned, gauges, strict=True):
        view = GaugeView(gauge)
        if view.share < NEAR or view.what == "parallel_requests":
            continue
        full = gauge.settled >= int(gauge.limit["max"])
        link = url_for("limits.of_key", name=name) if name else url_for("limits.of_pool")
        said = "has reached its limit" if full else f"has used {words.percent(view.share)} of its limit"
        where = f"Key {name}" if name else "This pool"
        yield Finding(
            "bad" if full else "wait",
            "at its limit" if full else "near",
            where,
            f"{said} {view.words}",
            "Change it",
            link,
        )


def _expiries(api_keys: Sequence[ApiKey], now: float) -> Iterator[Finding]:
    for key in api_keys:
        if key.state == "active" and key.expires_at and now < key.expires_at < now + SOON_SECONDS:
            link = url_for("api_keys.one", name=key.name)
            yield Finding(
                "wait",
                "soon",
                f"Key {key.name}",
                f"expires in {words.span(key.expires_at - now)}",
                "See it",
                link,
            )


def _installation(services: Services) -> Iterator[Finding]:
    """Yield what `poolgate doctor` finds wrong with the store, or with the jobs of the workers."""
    client = services.scripts.client
    told = [*check_redis.redis(client, services.settings.store_timeout_seconds), *check_host.jobs(client)]
    for one in told:
        shape, word = ("bad", "wrong") if one.level == WRONG else ("off", "note")
        yield Finding(shape, word, f"{one.where.capitalize()}:", one.what, one.mend)
