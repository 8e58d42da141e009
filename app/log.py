"""
Logs: one JSON object a line on stderr, for machines first.

    {"event":"request_settled","request_id":"…","status":200,"level":"info","timestamp":"…Z"}

`event` is a constant name and everything else a field: ids and numbers, never prompts,
answers, keys or tokens. Of an exception the type and the places are told, not the message,
which may quote what a client or an upstream sent.

    log = structlog.get_logger()
    log.info("request_settled", request_id=request_id, status=200)
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
    """Send our own log lines, and those of the libraries, to stderr from *level* up."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _tell_exception,
            structlog.processors.JSONRenderer(serializer=orjson.dumps, default=_type_name),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(library_config(level))


def library_config(level: str) -> dict[str, Any]:
    """Return the `logging` configuration for libraries: gunicorn from *level* up, the others' warnings."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLine}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "ERROR" if level == "error" else "WARNING", "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": level.upper(), "handlers": ["stderr"], "propagate": False}},
    }


class JsonLine(logging.Formatter):
    """Our form for a library's log record; its logger's name is the event."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"event": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            line |= _told(record.exc_info[1])
        line["level"] = record.levelname.lower()
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        return orjson.dumps(line).decode()


def _tell_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        event.update(_told(error))
    return event


def _told(error: BaseException) -> dict[str, Any]:
    return {"error": type(error).__name__, "at": _places(error.__traceback__)}


def _places(trace: TracebackType | None) -> list[str]:
    """Return the innermost calls as `app/relay/relay.py:120 stream`, the last one where it was raised."""
    frames = traceback.extract_tb(trace)[-8:]
    return [f"{frame.filename.removeprefix(ROOT)}:{frame.lineno} {frame.name}" for frame in frames]


def _type_name(value: object) -> str:
    """Stand in for what JSON cannot say; `repr` could hold anything."""
    return type(value).__name__
