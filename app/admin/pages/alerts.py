"""What of a pool needs attention: the checks of `poolgate doctor`, with links to where each is fixed."""

from __future__ import annotations

from dataclasses import dataclass

from flask import url_for
from markupsafe import Markup

from app.admin.pages import formatting
from app.operations import diagnostic as finding
from app.operations.doctor import checkup
from app.wiring import Services

MOST = 30  # lines; the worst come first
_PAGES = {finding.ACCOUNT: ("accounts.one", "accounts.show"), finding.KEY: ("api_keys.one", "api_keys.show")}
_SHAPES = {finding.WRONG: ("bad", "wrong"), finding.NOTE: ("off", "note")}


@dataclass(frozen=True, slots=True)
class Shown:
    """One line: `shape` and `word` as in `words.State`; `link`, if any, is where `mend` can be done."""

    shape: str
    word: str
    where: str
    what: str
    mend: str
    link: str = ""

    @property
    def badge(self) -> Markup:
        return formatting.badge(formatting.State(self.word, self.shape))


def findings(services: Services, pool: str) -> list[Shown]:
    """Return what needs attention in *pool*, the worst first. Raises StoreUnavailable."""
    found = checkup(services, pool)
    found.sort(key=lambda one: one.level != finding.WRONG)
    return [_shown(one, pool) for one in found[:MOST]]


def _shown(one: finding.Finding, pool: str) -> Shown:
    shape, word = _SHAPES[one.level]
    if not one.names:
        where = "This pool" if one.where == pool else one.where
        return Shown(shape, word, f"{where}:", one.what, one.mend)
    single, several = _PAGES[one.subject]
    if len(one.names) > 1:
        where, link = f"{len(one.names)} {one.subject}s:", url_for(several)
    else:
        where, link = f"{one.subject.capitalize()} {one.names[0]}:", url_for(single, name=one.names[0])
    return Shown(shape, word, where, one.what, "View them" if len(one.names) > 1 else "View it", link)
