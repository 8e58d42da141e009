"""
Check the accounts of a pool: their credentials, their servers, and the reasons that they are out of use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from app.accounts.account import Account
from app.accounts.failures import Failure
from app.accounts.job_results import FAILED, JobResult
from app.accounts.kinds import kind_of
from app.accounts.kinds.kind import RESPONSES
from app.accounts.request_settings import ON
from app.formatting import moment
from app.operations.account_check import knows_model
from app.operations.diagnostic import Diagnostic, Level, Subject, pool_option
from app.operations.stored_accounts import UNREACHABLE, StoredAccount
from app.operations.unlisted_models import some_names
from app.presentation.accounts import certificates_in, failure_label, reason_label, rest_label
from app.stores.records.accounts import DEMO_OFF, AccountState, ModelRest, ModelState

SOON_SECONDS = 30 * 86_400  # before a certificate expires, it is reported
MAX_SUBJECT_CHARS = 200
MAX_REFUSED = 10  # fields that a finding lists
JOB_FAILURES = {  # what the failure of a job means
    "models": "its models could not be listed",
    "usage": "its usage could not be read",
    "refresh": "its sign-in could not be renewed",
    "unproven": "it comes last until it answers, and its hourly test failed",
}


def check_accounts(pool: str, stored: Sequence[StoredAccount], now: float) -> Iterator[Diagnostic]:
    """Yield the problems of the accounts of *pool*; *now* is the store's time, Unix seconds."""
    for record in stored:
        if record.is_unpaid:
            yield _of(record, pool, _describe_payment(record.account, now))
        elif record.account.state != AccountState.ACTIVE and not record.account.is_failing:
            yield _of(record, pool, _describe_state(record.account))
        yield from check_account(pool, record, now)


def check_account(pool: str, record: StoredAccount, now: float) -> Iterator[Diagnostic]:
    """Yield the problems of one account besides its state; *now* as in `check_accounts`."""
    for diagnostic in _check_account(record, now):
        yield _of(record, pool, diagnostic)


def _of(record: StoredAccount, pool: str, diagnostic: Diagnostic) -> Diagnostic:
    remedy = diagnostic.remedy.replace("NAME", f"NAME{pool_option(pool)}")
    subject, names = Subject.ACCOUNT, (record.account.name,)
    return replace(diagnostic, where=pool, remedy=remedy, subject=subject, names=names)


def _wrong(what: str, remedy: str, detail: str = "") -> Diagnostic:
    return Diagnostic(Level.WRONG, "", what, remedy, detail=detail)


def _note(what: str, remedy: str, detail: str = "") -> Diagnostic:
    return Diagnostic(Level.NOTE, "", what, remedy, detail=detail)


def _check_account(record: StoredAccount, now: float) -> Iterator[Diagnostic]:
    account = record.account
    if not record.is_readable:
        remedy = "put the former key back into POOLGATE_SECRET_KEYS, or add the account again"
        yield _wrong("its credential was encrypted with another key", remedy)
    if account.exceeded:
        what = f"it billed more than a request allowed ({account.exceeded[:200]}); strict limits now "
        what += "reserve the maximum output of its models"
        yield _note(what, "if it honours lengths now: poolgate account trust-lengths NAME")
    if account.refused:
        what = "its server refuses fields, so requests are sent without these"
        yield _note(what, "to try them again: poolgate account forget-refused NAME", _refused_text(account))
    if account.unknown_usage:
        what = "its server reports usage in a form that is not understood, so usage is estimated"
        detail = f"{', '.join(account.unknown_usage)}; last new at {moment(account.unknown_usage_at)}"
        yield _note(what, "to check it again: poolgate account forget-refused NAME", detail)
    if account.settings.websocket == ON and RESPONSES not in account.protocols:
        what = "WebSocket is on but never used, because the account does not support the Responses API"
        yield _note(what, "poolgate account set NAME --websocket off")
    yield from _check_certificates(account, now)
    if account.state == AccountState.ACTIVE and "refresh_dead" in record.fields:
        what = f"its sign-in cannot be renewed ({record.fields['refresh_dead']}), and will expire"
        yield _wrong(what, "poolgate account login --name NAME")
    if 0 < account.expires_at < now and account.state != AccountState.CREDENTIAL_DEAD:
        yield _wrong("its sign-in has expired and was not renewed", "start a worker: python -m workers")
    if record.is_readable:
        failing = [] if _has_never_answered(record) else list(_check_failures(account))
        yield from failing
        yield from _check_jobs(record, is_reported=bool(failing))


def _has_wrong_address(account: Account) -> bool:
    """Return whether it has never answered, and its server had no endpoint at its base URL for a request."""
    return account.unproven == Failure.ENDPOINT_MISSING and not account.has_answered


def _describe_address(account: Account) -> Diagnostic:
    ending = kind_of(account).base_url_ending
    lacks_ending = ending and not account.base_url.rstrip("/").endswith(ending)
    reason = f"its base URL may lack {ending}" if lacks_ending else "its base URL is probably wrong"
    what = "it has never answered: its server has no endpoint at its base URL (404 or 405)"
    return _wrong(what, f"{reason}; remove it, then add it again: poolgate account remove NAME")


def _check_certificates(account: Account, now: float) -> Iterator[Diagnostic]:
    """Yield the account's own CA certificates that expire soon or have expired; an error if none is left."""
    certificates = certificates_in(account.settings.ca_certificates)
    is_any_valid = any(one.expires_at > now for one in certificates)
    for one in certificates:
        if one.expires_at > now + SOON_SECONDS:
            continue
        when = "expires soon" if one.expires_at > now else "has expired"
        report = _note if is_any_valid else _wrong
        what = f"the certificate {one.subject[:MAX_SUBJECT_CHARS]}, with which its server is verified, {when}"
        yield report(what, "poolgate account set NAME --ca-file FILE", f"at {moment(one.expires_at)}")


def _refused_text(account: Account) -> str:
    return ", ".join(
        f"{each.field} ({each.protocol}, {each.model})" for each in account.refused[:MAX_REFUSED]
    )


def _new_credential(account: Account) -> str:
    is_login = account.signed_in
    return "poolgate account login --name NAME" if is_login else "poolgate account set NAME --api-key-stdin"


def check_model_rests(
    pool: str, stored: Sequence[StoredAccount], rests: Mapping[str, Sequence[ModelRest]]
) -> Iterator[Diagnostic]:
    """Yield the models that rest at the accounts of *pool*; *rests* are by account id."""
    for record in stored:
        for state, models in _by_state(rests.get(record.account.id, ())).items():
            what = f"it gets no requests for models that rest there ({rest_label(state)})"
            remedy = "they are tried again automatically; at once: poolgate account resume NAME"
            yield _of(record, pool, _note(what, remedy, f"now: {some_names(models)}"))


def _by_state(rests: Iterable[ModelRest]) -> dict[ModelState, list[str]]:
    """Return the models of *rests* and their ends, as `gpt-5 until …`, by the reason that they rest."""
    found: dict[ModelState, list[str]] = {}
    for rest in rests:
        text = f"{rest.model} until {moment(rest.until_ms / 1000, seconds=True)}"
        found.setdefault(rest.state, []).append(text)
    return found


def _describe_state(account: Account) -> Diagnostic:
    reason = f" ({account.reason})" if account.reason else ""
    if account.state == AccountState.CREDENTIAL_DEAD:
        remedy = _new_credential(account)
        if not account.signed_in:
            remedy += "; or, if it is valid after all, poolgate account resume NAME"
        return _wrong(f"its credential is refused{reason}", remedy)
    if account.state == AccountState.PAUSED:
        why = f" ({reason_label(account.reason)})" if account.reason else ""
        is_demo = account.reason == DEMO_OFF
        return _note(f"paused{why}", "poolgate up --demo" if is_demo else "poolgate account resume NAME")
    until = f"until {moment(account.until_ms / 1000, seconds=True)}" if account.until_ms else ""
    return _note(f"{account.state}{reason}", "it comes back automatically", until)


def _describe_payment(account: Account, now: float) -> Diagnostic:
    is_out = account.state == AccountState.PAYMENT_REQUIRED
    reason = f" ({account.reason})" if is_out and account.reason else ""
    remedy = "check its plan and billing there; after that, to use it at once: poolgate account resume NAME"
    is_planned = is_out and account.until_ms > now * 1000
    when = moment(account.until_ms / 1000, seconds=True)
    tested = f"at the first request after {when}" if is_planned else "at the next request"
    return _wrong(f"its provider requires payment{reason}", remedy, f"tested again {tested}")


def _has_never_answered(record: StoredAccount) -> bool:
    """Return whether its server has answered neither a request nor the latest query for its models."""
    return record.is_unreachable and not record.account.has_answered


def _check_failures(account: Account) -> Iterator[Diagnostic]:
    """Yield a finding for an account that fails but stays in use."""
    if _has_wrong_address(account):
        yield _describe_address(account)
    elif account.is_failing:
        what = f"every one of its latest attempts failed ({failure_label(account.latest_failure)})"
        detail = f"{account.failures_in_a_row} times in a row"
        yield _wrong(what, f"{_test(account)}; to leave it out: poolgate account pause NAME", detail)
    elif account.stays_in_use:
        what = "its latest attempts failed; it stays in use because too few others could take its place"
        yield _note(what, _test(account))
    elif failure := account.persistent_failure:
        remedy = f"{_test(account)}; if its base URL or protocols are wrong, remove it, then add it "
        remedy += "again: poolgate account remove NAME"
        detail = f"{account.failures_in_a_row} times in a row"
        yield _note(f"its latest attempts failed ({failure_label(failure)})", remedy, detail)


def _check_jobs(record: StoredAccount, *, is_reported: bool) -> Iterator[Diagnostic]:
    """Yield the failures of jobs; not that its server or its address fails if that *is_reported* already."""
    if record.account.state in (AccountState.PAUSED, AccountState.CREDENTIAL_DEAD):
        return
    account = record.account
    results = {
        name.removeprefix("look_"): record.job_result(name.removeprefix("look_"))
        for name in sorted(record.fields)
        if name.startswith("look_")
        and name != "look_retest"  # of an account out of use: that is reported by its state
        and (account.unproven or name != "look_unproven")  # else it has answered since
    }
    if any(result.is_unreadable for result in results.values()):
        what = "a gateway or worker cannot decrypt its credential"
        remedy = "compare POOLGATE_SECRET_KEYS of each gateway and worker with that of the shell in which "
        yield _wrong(what, f"{remedy}the account was added, and start them again with that value")
    for job, result in results.items():
        if result.ok or result.is_unreadable or (job == "models" and _needs_no_list(account, result)):
            continue
        if job == "models" and _has_never_answered(record):
            remedy = f"{_test(account)}; if its base URL is wrong, remove it, then add it again: "
            remedy += "poolgate account remove NAME"
            yield _wrong(f"it has never answered ({result.cause})", remedy)
        elif is_reported and (result.code in UNREACHABLE or _has_wrong_address(account)):
            continue
        elif job == "models" and result.is_credential_refused and not account.has_answered:
            code = "" if result.code == FAILED else f" ({result.code})"
            what = f"its server refuses the credential{code}, and it has never answered a request"
            yield _wrong(what, _new_credential(account))
        else:
            what = JOB_FAILURES.get(job, f"its job {job} failed")
            remedy = f"it is retried automatically; see {_test(account)}"
            code = "" if result.code == FAILED else f" ({result.cause})"
            yield _note(f"{what}{code}", remedy, f"at {moment(result.at)}")


def _needs_no_list(account: Account, result: JobResult) -> bool:
    """Return whether its server has no list of models, and it serves given models or answers without one."""
    return result.shows_no_list and bool(account.models or (account.has_answered and not account.listed))


def _test(account: Account) -> str:
    """Return the command that tests *account*, which needs a model if none is known."""
    return "poolgate account test NAME" + ("" if knows_model(account) else " --model MODEL")
