"""Log lines are JSON, on a terminal text, and hold no content."""

from __future__ import annotations

import json
import logging
from datetime import datetime

import pytest
import structlog

from app import log


@pytest.fixture
def lines(capfd):
    """Return what was logged since the last call."""
    return lambda: [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def fail(secret: str) -> None:
    raise ValueError(f"cannot use {secret}")


class TestProjectEvents:
    def test_a_line_is_an_event_with_fields(self, lines):
        log.configure("info")

        structlog.get_logger().info("request_settled", request_id="req_1", status=200)

        (line,) = lines()
        assert datetime.fromisoformat(line.pop("timestamp")).tzinfo is not None
        assert line == {"event": "request_settled", "request_id": "req_1", "status": 200, "level": "info"}

    def test_what_is_below_the_level_is_left_out(self, lines):
        log.configure("warning")

        structlog.get_logger().info("quiet")
        structlog.get_logger().warning("loud")

        assert [line["event"] for line in lines()] == ["loud"]

    def test_bound_context_rides_along(self, lines):
        log.configure("info")
        structlog.contextvars.bind_contextvars(request_id="req_2")

        structlog.get_logger().info("tried")

        assert lines()[0]["request_id"] == "req_2"

    def test_an_exception_is_logged_by_type_and_location_without_its_message(self, lines, capfd):
        log.configure("info")

        try:
            fail("sk-secret")
        except ValueError:
            structlog.get_logger().exception("job_failed")

        (line,) = lines()
        assert line["error"] == "ValueError"
        assert line["at"][-1].startswith("tests/app/test_log.py:")
        assert line["at"][-1].endswith(" fail")
        assert "sk-secret" not in json.dumps(line)

    def test_a_value_that_json_cannot_represent_is_its_type(self, lines):
        log.configure("info")

        structlog.get_logger().info("odd", value=object())

        assert lines()[0]["value"] == "object"


class TestLibraries:
    def test_warnings_of_libraries_are_lines_too(self, lines):
        log.configure("debug")

        logging.getLogger("urllib3.pool").warning("pool of %s is full", "host")
        logging.getLogger("urllib3.pool").info("below the level")

        (line,) = lines()
        del line["timestamp"]
        assert line == {"event": "urllib3.pool", "message": "pool of host is full", "level": "warning"}

    def test_gunicorn_logs_from_the_level_up(self, lines):
        log.configure("info")

        logging.getLogger("gunicorn.error").info("Listening at: %s", "http://127.0.0.1:8000")
        logging.getLogger("gunicorn.error").debug("below the level")

        assert [line["message"] for line in lines()] == ["Listening at: http://127.0.0.1:8000"]

    def test_library_exceptions_are_logged_in_the_same_way(self, lines):
        log.configure("info")

        try:
            fail("sk-secret")
        except ValueError:
            logging.getLogger("gunicorn.error").exception("Error handling request /v1/models")

        (line,) = lines()
        assert line["error"] == "ValueError"
        assert "sk-secret" not in json.dumps(line)


class TestForms:
    @pytest.mark.parametrize(
        ("form", "on_terminal", "is_text"),
        [
            ("auto", False, False),
            ("auto", True, True),
            ("json", True, False),
            ("text", False, True),
        ],
    )
    def test_a_terminal_gets_text_unless_the_form_is_set(
        self, form: str, on_terminal: bool, is_text: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stderr.isatty", lambda: on_terminal, raising=False)

        assert log.is_text(form) is is_text

    def test_text_of_the_project_and_of_libraries(self, capfd):
        log.configure("info", "text")

        structlog.get_logger().info("request_settled", status=200)
        logging.getLogger("gunicorn.error").info("Listening")

        first, second = capfd.readouterr().err.splitlines()
        assert first[8:] == " info    request_settled status=200"
        assert second[8:] == " info    gunicorn: Listening"

    @pytest.mark.parametrize(
        ("no_color", "term", "has_colours"), [("", "xterm", True), ("1", "xterm", False), ("", "dumb", False)]
    )
    def test_no_color(
        self,
        no_color: str,
        term: str,
        has_colours: bool,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        monkeypatch.setenv("NO_COLOR", no_color)
        monkeypatch.setenv("TERM", term)
        log.configure("info", "text")

        structlog.get_logger().warning("loud")

        assert ("\x1b[" in capfd.readouterr().err) is has_colours
