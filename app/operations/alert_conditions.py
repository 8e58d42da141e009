"""Evaluate which alerts hold in a pool now, from stored data, never on the path of a request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from app.accounts.kinds import kind_of
from app.formatting import moment
from app.ledger.caller_figures import errors_of_callers, requests_of_callers
from app.ledger.series import UsageSeries
from app.operations.check_accounts import check_accounts
from app.operations.check_stores import CheckStores
from app.operations.diagnostic import Level
from app.operations.pool_limits import owned_limits
from app.operations.stored_accounts import StoredAccount, read_accounts
from app.stores.records.accounts import OUT_OF_USE, AccountState
from app.stores.records.alerts import Alert
from app.stores.records.api_keys import KeyState
from app.stores.records.limits import Limit, LimitStatus
from app.stores.records.webhooks import AlertKind

STEPS = (100, 80)  # percent of a limit at which an alert begins, the highest first
END_PERCENT = 75  # an alert ends below this; lower than STEPS, because corrections may lower the usage
MAX_STATUSES = 200  # limits per script, so that requests do not wait long
RETURN_SECONDS = 900.0  # after the end of a pause; until then the upstream may refuse the account again
ERROR_MINUTES = 5  # the period in which failed requests are counted
MIN_FAILED = 10  # failed requests in that period, for an alert
BEGIN_SHARE, END_SHARE = 0.2, 0.1  # failed share at which an alert begins, and below which it ends
OUT_STATES = (AccountState.WINDOW_SPENT, AccountState.CREDENTIAL_EXPIRED)  # until a known time


@dataclass(frozen=True, slots=True)
class PoolAccounts:
    """The accounts of a pool at *now*, Unix seconds; read once, for two kinds of alerts."""

    pool: str
    stored: Sequence[StoredAccount]
    now: float


class AlertConditions:
    """Evaluates the conditions of alerts."""

    def __init__(self, stores: CheckStores, series: UsageSeries) -> None:
        self._stores = stores
        self._series = series

    def current(self, pool: str, kinds: Collection[AlertKind]) -> list[Alert]:
        """Return the alerts of *kinds* that hold in *pool*, the most important first."""
        alerts: list[Alert] = []
        if AlertKind.POOL in kinds or AlertKind.ACCOUNT in kinds:
            now = self._stores.health.now()
            accounts = PoolAccounts(pool, read_accounts(self._stores, pool), now)
            by_kind: Mapping[AlertKind, Callable[[PoolAccounts], Iterator[Alert]]] = {
                AlertKind.POOL: pool_alerts,
                AlertKind.ACCOUNT: account_alerts,
            }
            for kind, find in by_kind.items():
                if kind in kinds:
                    alerts += find(accounts)
        if AlertKind.ERRORS in kinds:
            alerts += error_alerts(self._series.newest_minutes(pool, ERROR_MINUTES))
        if AlertKind.LIMIT in kinds:
            alerts += self._limit_alerts(pool)
        return alerts

    def _limit_alerts(self, pool: str) -> list[Alert]:
        stores, now = self._stores, self._stores.health.now()
        usable = [key for key in stores.api_keys.all(pool) if key.state_at(now) is KeyState.ACTIVE]
        owned = owned_limits(stores.limits.all(pool), stores.teams.all(pool), usable)
        owned = [(name, limit) for name, limit in owned if _is_budget(limit)]
        found: list[Alert] = []
        for start in range(0, len(owned), MAX_STATUSES):
            part = owned[start : start + MAX_STATUSES]
            statuses = stores.usage.limit_statuses(pool, [limit for _, limit in part])
            for (name, _), status in zip(part, statuses, strict=True):
                found += limit_alerts(name, status)
        return sorted(found, key=lambda alert: -int(alert.step))


def account_alerts(accounts: PoolAccounts) -> Iterator[Alert]:
    """Yield an alert for each account that needs attention, with the first finding of `poolgate doctor`."""
    seen = set[str]()
    for finding in check_accounts(accounts.pool, accounts.stored, accounts.now):
        (name,) = finding.names
        if finding.level is Level.WRONG and name not in seen:
            seen.add(name)
            remedy = finding.remedy.replace("NAME", name)
            details = {"account": name, "finding": finding.what, "remedy": remedy}
            text = f"Account {name} needs attention: {finding.what}"
            step = finding.what.partition(" (")[0]  # without the error code, which may alternate
            yield Alert(AlertKind.ACCOUNT, name, text, step, details=details)


class _Serving(Enum):
    """Whether an account can serve; one that is being tested or has just returned may be refused again."""

    YES = "yes"
    PERHAPS = "perhaps"
    NO = "no"


def pool_alerts(accounts: PoolAccounts) -> Iterator[Alert]:
    """
    Yield an alert if no account can serve; none if operators have paused all.

    It does not begin while an account is being tested, nor end before the test has succeeded.
    """
    real = [stored for stored in accounts.stored if not kind_of(stored.account).is_simulated]
    serving = {_serving(stored, accounts.now) for stored in real}
    states = [stored.account.state for stored in real]
    paused, spent = states.count(AccountState.PAUSED), states.count(AccountState.WINDOW_SPENT)
    if _Serving.YES in serving or paused == len(real):
        return
    ends = [
        stored.account.until_ms // 1000
        for stored in real
        if stored.account.state in OUT_STATES and stored.account.until_ms > accounts.now * 1000
    ]
    parts = [(spent, "spent"), (paused, "paused"), (len(real) - spent - paused, "out of use")]
    text = "No account can serve: " + ", ".join(f"{count} {what}" for count, what in parts if count)
    if ends:
        text += f"; the first is due back at {moment(min(ends))}"
    details = {"accounts": len(real), "spent": spent, "paused": paused, "until": min(ends, default=None)}
    begins = _Serving.PERHAPS not in serving
    yield Alert(AlertKind.POOL, "", text, begins=begins, details=details)


def _serving(stored: StoredAccount, now: float) -> _Serving:
    account = stored.account
    if not stored.is_readable or account.state in (*OUT_OF_USE, AccountState.PAYMENT_REQUIRED):
        return _Serving.NO
    if account.state not in OUT_STATES:
        is_tested = stored.fields.get("probe", "0") != "0"
        return _Serving.PERHAPS if is_tested else _Serving.YES
    rested_seconds = now - account.until_ms / 1000
    if not account.until_ms or rested_seconds < 0:
        return _Serving.NO
    return _Serving.PERHAPS if rested_seconds < RETURN_SECONDS else _Serving.YES


def error_alerts(figures: Mapping[str, int]) -> Iterator[Alert]:
    """
    Yield an alert if many of the requests in *figures* have failed because of accounts.

    Errors that a request itself caused do not count, nor do failures after which another account or another
    model answered.
    """
    requests = requests_of_callers(figures)
    by_accounts = (
        figures.get("failed_attempts", 0) - figures.get("rescues", 0) - figures.get("failed_before", 0)
    )
    failed = max(0, min(errors_of_callers(figures), by_accounts))
    if not requests or failed < END_SHARE * requests or not failed:
        return
    percent = 100 * failed // requests
    text = f"{percent} % of the requests of {ERROR_MINUTES} minutes have failed ({failed} of {requests})"
    details = {"requests": requests, "failed": failed, "percent": percent, "minutes": ERROR_MINUTES}
    begins = failed >= max(MIN_FAILED, BEGIN_SHARE * requests)
    yield Alert(AlertKind.ERRORS, "", text, begins=begins, details=details)


def limit_alerts(owner: str, status: LimitStatus) -> Iterator[Alert]:
    """
    Yield an alert if a limit of *owner* (a key or a team; '' is the pool) has reached one of STEPS.

    Limits per second and minute, and of parallel requests, cause none: they are rates, not budgets.
    """
    limit = status.limit
    if not _is_budget(limit) or 100 * status.settled < END_PERCENT * limit.max:
        return
    reached = [percent for percent in STEPS if 100 * status.settled >= percent * limit.max]
    step = max(reached, default=STEPS[-1])
    subject = f"The {limit.scope} {owner}" if owner else "The pool"
    state = "has reached its limit" if step == STEPS[0] else f"has used over {step} % of its limit"
    details = {
        "scope": limit.scope,
        "name": owner or None,
        "limit": limit.label,
        "limit_id": limit.id,
        "unit": limit.unit,
        "used": status.settled,
        "max": limit.max,
        "percent": step,
        "resets_at": status.resets_at,
    }
    text = f"{subject} {state} {limit.label}"
    yield Alert(AlertKind.LIMIT, limit.id, text, str(step), begins=bool(reached), details=details)


def _is_budget(limit: Limit) -> bool:
    """Return whether *limit* is a budget that is used up over time, and not a rate."""
    return not (limit.unit.is_concurrent or limit.period.is_rolling)
