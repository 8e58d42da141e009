"""
Logs on stderr: one JSON object per line, or on a terminal one line of text (`app/log_text.py`).

    {"event":"request_ended","request_id":"…","status":200,"level":"info","timestamp":"…Z"}

`event` is a constant name; values are fields: ids and numbers, never prompts, responses, keys
or tokens. An exception is logged by its type and call sites, without its message, which may
quote what a client or an upstream sent.

    log = structlog.get_logger()
    log.info("request_ended", request_id=request_id, status=200)
"""

from __future__ import annotations

import logging
import logging.config
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict

from app import log_text
from app.colours import shows_colours

GUNICORN = "gunicorn.error"  # the logger of all its messages
EVENTS = {GUNICORN: "gunicorn"}  # events of libraries, by the name of the logger, where they differ
AUTO, TEXT = "auto", "text"  # formats; any other value means JSON
ROOT = str(Path(__file__).parents[1]) + "/"


def configure(level: str, form: str = AUTO) -> None:
    """Send log lines of this project from *level* up, and those of libraries, to stderr in *form*."""
    json_renderer = structlog.processors.JSONRenderer(serializer=orjson.dumps, default=_type_name)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_exception_fields,
            _render_text if is_text(form) else json_renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(library_config(level, form))


def is_text(form: str) -> bool:
    """Return whether lines of *form* are text; `auto` is text on a terminal."""
    return form == TEXT or (form == AUTO and sys.stderr.isatty())


def library_config(level: str, form: str = AUTO) -> dict[str, Any]:
    """Return the `logging` configuration of libraries: gunicorn from *level* up, others from WARNING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": TextLine if is_text(form) else JsonLine}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "ERROR" if level == "error" else "WARNING", "handlers": ["stderr"]},
        "loggers": {GUNICORN: {"level": level.upper(), "handlers": ["stderr"], "propagate": False}},
    }


class JsonLine(logging.Formatter):
    """Formats a library's log record as JSON; the name of its logger is the event, see EVENTS."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as one line of JSON."""
        return orjson.dumps(_library_fields(record)).decode()


class TextLine(logging.Formatter):
    """Formats a library's log record as text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as one line."""
        return log_text.render(_library_fields(record), shows_colours(sys.stderr))


def _library_fields(record: logging.LogRecord) -> dict[str, Any]:
    line: dict[str, Any] = {"event": EVENTS.get(record.name, record.name), "message": record.getMessage()}
    if record.exc_info and record.exc_info[1]:
        line |= _exception_fields(record.exc_info[1])
    line["level"] = record.levelname.lower()
    line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
    return line


def _render_text(_logger: object, _method: str, event: EventDict) -> bytes:
    return log_text.render(event, shows_colours(sys.stderr)).encode("utf-8", "replace")


def _add_exception_fields(_logger: object, _method: str, event: EventDict) -> EventDict:
    exc_info = event.pop("exc_info", None)
    error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1] if exc_info else None
    if error is not None:
        event.update(_exception_fields(error))
    return event


def _exception_fields(error: BaseException) -> dict[str, Any]:
    return {"error": type(error).__name__, "at": _call_sites(error.__traceback__)}


def _call_sites(trace: TracebackType | None) -> list[str]:
    """Return the innermost eight calls as `app/relay/relay.py:120 stream`, the raising call last."""
    frames = traceback.extract_tb(trace)[-8:]
    return [f"{frame.filename.removeprefix(ROOT)}:{frame.lineno} {frame.name}" for frame in frames]


def _type_name(value: object) -> str:
    """Return the type's name for a value that JSON cannot represent; its `repr` may hold secrets."""
    return type(value).__name__
