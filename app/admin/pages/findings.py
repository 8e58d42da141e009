"""
What needs attention in a pool: the alert about failed requests, then the checks of `poolgate doctor`.

The other kinds of alerts are among these checks.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import url_for
from markupsafe import Markup

from app.admin.pages import formatting
from app.operations.diagnostic import Diagnostic, Level, Subject, group_diagnostics
from app.operations.pool_limits import PoolLimits
from app.stores.records.alerts import Alert
from app.stores.records.webhooks import AlertKind
from app.wiring import Services

MAX_LINES = 30  # the most severe come first
_PAGES = {
    Subject.ACCOUNT: ("accounts.detail", "accounts.show"),
    Subject.KEY: ("api_keys.detail", "api_keys.show"),
    Subject.TEAM: ("teams.detail", "teams.show"),
}
_STYLES = {Level.WRONG: ("bad", "wrong"), Level.NOTE: ("off", "note")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line; `shape` and `word` as in `formatting.State`. `link`, if any, is the page to fix it on."""

    shape: str
    word: str
    where: str
    what: str
    remedy: str
    link: str = ""

    @property
    def badge(self) -> Markup:
        return formatting.badge(formatting.State(self.word, self.shape))


def list_findings(services: Services, pool: str, limits: PoolLimits) -> list[Finding]:
    """Return what needs attention in *pool* with *limits*, the most severe first. Raises StoreUnavailable."""
    alerts = services.alerting.conditions.current(pool, (AlertKind.ERRORS,))
    failing = [_failed_requests(alert) for alert in alerts if alert.begins]
    problems = services.doctor.check(pool, limits)
    problems.sort(key=lambda item: item.level != Level.WRONG)
    return [*failing, *(_finding(item, pool) for item in problems[:MAX_LINES])]


def _failed_requests(alert: Alert) -> Finding:
    link = url_for("requests.show", status="failed")
    return Finding(*_STYLES[Level.WRONG], "Requests:", alert.text, "View them", link)


def account_findings(services: Services, pool: str, account_id: str) -> list[Finding]:
    """Return what needs attention at one account, besides its state. Raises StoreUnavailable."""
    found = group_diagnostics(services.doctor.check_account(pool, account_id))
    return [Finding(*_STYLES[item.level], "", item.what, item.remedy) for item in found]


def _finding(item: Diagnostic, pool: str) -> Finding:
    shape, word = _STYLES[item.level]
    if not item.names:
        where = "This pool" if item.where == pool else item.where
        return Finding(shape, word, f"{where}:", item.what, item.remedy)
    single, several = _PAGES[item.subject]
    if len(item.names) > 1:
        where, link = f"{len(item.names)} {item.subject}s:", url_for(several)
    else:
        where, link = f"{item.subject.capitalize()} {item.names[0]}:", url_for(single, name=item.names[0])
    return Finding(shape, word, where, item.what, "View them" if len(item.names) > 1 else "View it", link)
