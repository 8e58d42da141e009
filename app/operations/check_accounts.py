"""What is wrong with the accounts of a pool: credentials, servers that do not answer, accounts left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from app.accounts.account import Account, account_from
from app.accounts.failures import AccountState, Failure
from app.accounts.pools import DEFAULT
from app.operations.diagnostic import ACCOUNT, NOTE, WRONG, Finding
from app.operations.formatting import moment
from app.stores import keys
from app.stores.client import store_errors
from app.stores.secrets import UnreadableSecret, Vault

if TYPE_CHECKING:
    from app.wiring import Services

MIN_FAILURES = 2  # in a row; a single one says little
MIN_STREAK = 5  # failures in a row of an account that no failure takes out, such as a 404
_STREAKS = {
    Failure.ENDPOINT_MISSING: "404 or 405: its server does not have the endpoint",
    Failure.MODEL_MISSING: "its server does not have the models",
}
# what a look at the list of models found where the server itself did not answer
UNREACHABLE = ("upstream_unavailable", "stream_idle_timeout", "upstream_request_timeout")
_SEALED = ("credential", "sign_in")


@dataclass(frozen=True, slots=True)
class Record:
    """A stored account; `fields` is its hash, `is_readable` whether its secrets can be decrypted here."""

    account: Account
    fields: Mapping[str, str]
    is_readable: bool

    @property
    def is_usable(self) -> bool:
        """Return whether a request could be sent to it now."""
        return self.is_readable and self.account.state == AccountState.ACTIVE

    def look(self, job: str) -> tuple[str, int]:
        """Return what *job* found when it looked last, and when (Unix seconds); "ok" where it never did."""
        told = orjson.loads(self.fields.get(f"look_{job}") or "{}")
        return str(told.get("result", "ok")), int(told.get("at", 0))

    @property
    def is_unreachable(self) -> bool:
        return self.look("models")[0] in UNREACHABLE


def read_records(services: Services, pool: str) -> list[Record]:
    """Return every account of *pool* by name. Two round trips. Raises StoreUnavailable."""
    client = services.scripts.client
    with store_errors():
        names = client.hgetall(keys.account_names(pool))
        pipeline = client.pipeline(transaction=False)
        for _, account_id in sorted(names.items()):
            pipeline.hgetall(keys.account(pool, account_id))
        stored = [fields for fields in pipeline.execute() if fields]
    return [
        Record(account_from(fields, lambda _: ""), fields, is_readable(services.vault, fields))
        for fields in stored
    ]


def is_readable(vault: Vault, fields: Mapping[str, str | None]) -> bool:
    """Return whether *vault* has the key that the secrets of a stored account were encrypted with."""
    try:
        for name in _SEALED:
            if sealed := fields.get(name):
                vault.open(sealed)
    except UnreadableSecret:
        return False
    return True


def accounts(pool: str, records: Sequence[Record], now: float) -> Iterator[Finding]:
    """Yield what is wrong with the accounts of *pool*; *now* is the store's, Unix seconds."""
    for record in records:
        for one in _of(record, now):
            option = "" if pool == DEFAULT else f" --pool {pool}"
            mend = one.mend.replace("NAME", f"NAME{option}")
            yield replace(one, where=pool, mend=mend, subject=ACCOUNT, names=(record.account.name,))


def _wrong(what: str, mend: str, detail: str = "") -> Finding:
    return Finding(WRONG, "", what, mend, detail=detail)


def _note(what: str, mend: str, detail: str = "") -> Finding:
    return Finding(NOTE, "", what, mend, detail=detail)


def _of(record: Record, now: float) -> Iterator[Finding]:
    account = record.account
    if not record.is_readable:
        mend = "put the former key back into POOLGATE_SECRET_KEYS, or add the account again"
        yield _wrong("its credential was encrypted with another key", mend)
    if account.exceeded:
        what = f"it billed more than a request allowed ({account.exceeded[:200]}); strict limits now "
        what += "reserve the maximum output of its models"
        yield _note(what, "if it keeps lengths now: poolgate account trust-lengths NAME")
    if account.state != AccountState.ACTIVE:
        yield _out(account)
    elif "refresh_dead" in record.fields:
        what = f"its sign-in cannot be renewed ({record.fields['refresh_dead']}), and ends by itself"
        yield _wrong(what, "poolgate account login --name NAME")
    if 0 < account.expires_at < now and account.state != AccountState.CREDENTIAL_DEAD:
        yield _wrong("its sign-in has expired and was not renewed", "start a worker: python -m workers")
    if record.is_readable:
        yield from _failing(record)
        yield from _looks(record)


def _out(account: Account) -> Finding:
    reason = f" ({account.reason})" if account.reason else ""
    if account.state == AccountState.CREDENTIAL_DEAD:
        remedy = "poolgate account set NAME --api-key-stdin; or, if it is good after all, "
        remedy += "poolgate account resume NAME"
        if account.signed_in:
            remedy = "poolgate account login --name NAME"
        return _wrong(f"its credential is refused{reason}", remedy)
    if account.state == AccountState.PAUSED:
        return _note(f"paused{reason}", "poolgate account resume NAME")
    until = f"until {moment(account.until_ms / 1000)}" if account.until_ms else ""
    return _note(f"{account.state}{reason}", "it comes back by itself", until)


def _failing(record: Record) -> Iterator[Finding]:
    """An account that fails is left out for a while, but only as long as enough others can take its place."""
    streak, is_tested = int(record.fields.get("errors") or 0), record.fields.get("probe", "0") != "0"
    if record.account.state == AccountState.ACTIVE and streak >= MIN_FAILURES and not is_tested:
        what = "its latest attempts failed; it stays in use because too few others could take its place"
        yield _note(what, "poolgate account test NAME")
    elif record.account.state == AccountState.ACTIVE and (streak := failures_in_a_row(record)) >= MIN_STREAK:
        how = record.fields.get("streak_of", "")
        shown = _STREAKS.get(Failure(how), how.replace("_", " ")) if how in set(Failure) else how
        remedy = "poolgate account test NAME; where its base URL or protocols are wrong, add it again"
        yield _note(f"its latest attempts failed ({shown})", remedy, f"{streak} times in a row")


def failures_in_a_row(record: Record) -> int:
    """Return how many of its newest attempts failed in a row; lua/attempts.lua says how they are counted."""
    attempts, unanswered, streak, answered = (
        int(record.fields.get(name) or 0) for name in ("attempts", "unanswered", "streak", "streak_ok")
    )
    return streak if attempts - unanswered == answered else 0


def _looks(record: Record) -> Iterator[Finding]:
    if record.account.state in (AccountState.PAUSED, AccountState.CREDENTIAL_DEAD):
        return
    account = record.account
    for name in sorted(record.fields):
        job = name.removeprefix("look_")
        result, at = record.look(job) if job != name else ("ok", 0)
        if result == "ok":
            continue
        has_answered = account.listed or account.attempts > account.failed_attempts
        if job == "models" and record.is_unreachable and not has_answered:
            yield _wrong(f"it has never answered ({result})", "poolgate account test NAME")
        else:
            remedy = "it is tried again by itself; see poolgate account test NAME"
            yield _note(f"the job `{job}` found {result}", remedy, f"at {moment(at)}")
