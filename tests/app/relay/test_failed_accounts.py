"""The accounts that have failed a request: what the second failure changes, and the pauses."""

from __future__ import annotations

import random

import pytest

from app.accounts.account import Account
from app.accounts.outcomes import suspected_outcome
from app.accounts.verdicts import judge
from app.errors import UpstreamError, UpstreamProtocolError, UpstreamRejected, UpstreamUnreachable
from app.relay.failed_accounts import SHOWS_NO_RESPONSE, FailedAccounts
from app.relay.timing import Timing
from app.stores.records.ledger import Action

FIRST, SECOND = (Account(name, name, "openai", "http://127.0.0.1:1/v1") for name in "ab")
REFUSED = UpstreamRejected("No", status=401, type="authentication_error", code="x", upstream_status=401)
UNPAID = UpstreamRejected("Pay", status=402, type="billing", code="x", upstream_status=402)


@pytest.fixture
def failed() -> FailedAccounts:
    return FailedAccounts("m", Timing(lambda: 100.0, lambda: 1000.0, random.Random(1)))


def changes(failed: FailedAccounts, error: UpstreamError) -> list[bool]:
    """Return whether *error* changes the first account, then the second one."""
    verdict = judge(error, "openai", "m")
    return [bool(failed.change(account, error, verdict)) for account in (FIRST, SECOND)]


class TestChange:
    @pytest.mark.parametrize("error", [UpstreamUnreachable("Reset", sent=True), UNPAID])
    def test_what_the_request_may_have_caused_changes_one_account(
        self, failed: FailedAccounts, error: UpstreamError
    ) -> None:
        assert changes(failed, error) == [True, False]

    def test_a_second_refused_credential_is_only_suspected(self, failed: FailedAccounts) -> None:
        verdict = judge(REFUSED, "openai", "m")
        first, second = (failed.change(account, REFUSED, verdict) for account in (FIRST, SECOND))

        assert first["state"] == "credential_dead"
        assert second == suspected_outcome(verdict.failure, "m")

    def test_a_second_refused_credential_confirms_that_the_request_is_the_cause(
        self, failed: FailedAccounts
    ) -> None:
        verdict = judge(REFUSED, "openai", "m")

        def is_confirmed(account: Account) -> bool:
            return failed.note_and_check_confirmed(verdict, Action.OTHER_ACCOUNT_ONLY, account)

        assert not is_confirmed(FIRST)
        failed.change(FIRST, REFUSED, verdict)
        assert not is_confirmed(FIRST)
        assert is_confirmed(SECOND)


class TestUnanswered:
    def test_each_failure(self) -> None:
        """They show a wrong configuration, or that there is no server."""
        assert sorted(SHOWS_NO_RESPONSE) == ["credential", "endpoint_missing", "redirected", "unreachable"]

    MISSING = UpstreamRejected("Not Found", status=404, type="t", code=None, upstream_status=404)

    def test_of_one_account(self, failed: FailedAccounts) -> None:
        """Another account that fails as well may show that the request is the cause."""
        verdict = judge(self.MISSING, "openai", "m")

        assert failed.unanswered(FIRST, verdict, is_core=True) == {"unanswered": "endpoint_missing"}
        assert failed.unanswered(SECOND, verdict, is_core=True) == {}
        assert failed.unanswered(FIRST, verdict, is_core=True) != {}

    @pytest.mark.parametrize(
        ("error", "is_core"),
        [
            (MISSING, False),  # many servers have no images or embeddings
            (UpstreamRejected("No", status=400, type="t", code="x", upstream_status=400), True),
            (UpstreamRejected("No", status=404, type="t", code="model_not_found", upstream_status=404), True),
            (UpstreamRejected("Busy", status=429, type="t", code="x", upstream_status=429), True),
            # what the request itself may have caused
            (UpstreamRejected("Broken", status=500, type="t", code=None, upstream_status=500), True),
            (UpstreamUnreachable("Reset", sent=True), True),
            (UpstreamProtocolError("Unreadable"), True),
        ],
    )
    def test_what_does_not_show_it(self, failed: FailedAccounts, error: UpstreamError, is_core: bool) -> None:
        assert failed.unanswered(FIRST, judge(error, "openai", "m"), is_core=is_core) == {}


class TestAgain:
    def test_only_accounts_that_may_succeed(self, failed: FailedAccounts) -> None:
        failure = judge(REFUSED, "openai", "m").failure

        failed.add("a", failure, REFUSED, would_fail_again=True)
        failed.add("b", failure, REFUSED, would_fail_again=False)

        assert (failed.tried, failed.excluded) == (["a", "b"], ["a"])

    def test_no_pause_before_an_account_that_has_not_failed(self, failed: FailedAccounts) -> None:
        error = UpstreamUnreachable("Reset")
        failed.add("a", judge(error, "openai", "m").failure, error, would_fail_again=False)

        assert failed.pause_before("a", 1) > 0
        assert failed.pause_before("b", 1) == 0
