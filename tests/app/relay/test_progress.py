"""The state that all attempts of a request share."""

from __future__ import annotations

from app.relay.progress import progress_of
from app.relay.retry_policy import MAX_WAIT_SECONDS, WITH_FALLBACKS_SECONDS
from app.stores.records.api_keys import CutPolicy
from app.streaming.events import Event
from tests.support.relay import make_request


def test_one_deadline_for_all_attempts() -> None:
    progress = progress_of(make_request(fallbacks=(make_request(), make_request())), 100.0, 60.0)

    assert (progress.started_at, progress.deadline, progress.fallbacks_left) == (100.0, 160.0, 2)


def test_only_a_stream_whose_caller_opted_in_is_continued() -> None:
    restart = CutPolicy.RESTART
    assert progress_of(make_request(on_stream_error=restart), 0.0, 1.0).delivered is not None
    assert progress_of(make_request(on_stream_error=restart, stream=False), 0.0, 1.0).delivered is None
    assert progress_of(make_request(), 0.0, 1.0).delivered is None
    assert not progress_of(make_request(), 0.0, 1.0).may_continue(stalled=False)


def test_one_stall_is_continued() -> None:
    progress = progress_of(make_request(on_stream_error=CutPolicy.RESTART), 0.0, 1.0)
    assert progress.delivered is not None
    progress.delivered.record([Event({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})])

    assert progress.may_continue(stalled=True)
    progress.note_continuation(stalled=True)
    assert not progress.may_continue(stalled=True)
    assert progress.may_continue(stalled=False)


def test_waits_are_counted_over_all_models() -> None:
    """Later models shorten the waits, and the wait before admission counts as long as there are any."""
    progress = progress_of(make_request(fallbacks=(make_request(),)), 0.0, 60.0)
    progress.queued_seconds = 1.0

    assert progress.take_wait(WITH_FALLBACKS_SECONDS - 1.0, 0.0)
    assert (progress.wait_left(), progress.take_wait(0.1, 0.0)) == (0.0, False)
    progress.fallbacks_left = 0
    assert progress.wait_left() == MAX_WAIT_SECONDS - (WITH_FALLBACKS_SECONDS - 1.0)


def test_no_wait_reaches_the_deadline() -> None:
    progress = progress_of(make_request(), 0.0, 5.0)

    assert not progress.take_wait(1.0, 4.0)
    assert progress.waited_seconds == 0.0
    assert progress.take_wait(1.0, 3.9)
