"""
Logs: one JSON object per line on stderr.

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

ROOT = str(Path(__file__).parents[1]) + "/"


def configure(level: str) -> None:
    """Send log lines of this project from *level* up, and those of libraries, to stderr."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_exception_fields,
            structlog.processors.JSONRenderer(serializer=orjson.dumps, default=_type_name),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(library_config(level))


def library_config(level: str) -> dict[str, Any]:
    """Return the `logging` configuration of libraries: gunicorn from *level* up, others from WARNING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLine}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "ERROR" if level == "error" else "WARNING", "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": level.upper(), "handlers": ["stderr"], "propagate": False}},
    }


class JsonLine(logging.Formatter):
    """Formats a library's log record as JSON; the name of its logger is the event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as one line of JSON."""
        line: dict[str, Any] = {"event": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            line |= _exception_fields(record.exc_info[1])
        line["level"] = record.levelname.lower()
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        return orjson.dumps(line).decode()


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
