"""`python -m app.supervision DESCRIPTOR`: supervise a gateway; only `poolgate up` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from app.config import ConfigError, Settings
from app.stores import private_server
from app.supervision.handover import ROOT, Handover, read_handover
from app.supervision.readiness import is_ready, listens
from app.supervision.running import announced
from app.supervision.supervisor import Child, ChildFailed, Stopped, Supervisor

READY_SECONDS = 60.0  # long, because Redis may load a large append-only file
STOP_MARGIN_SECONDS = 5.0  # added to gunicorn's graceful_timeout


def main(handover: Handover, environ: Mapping[str, str]) -> None:
    """Run the gateway until a signal. Raises ChildFailed if it does not start."""
    settings = Settings.from_environment(environ)
    if handover.owner is not None:
        private_server.take_over(settings.home, handover.owner)
    supervisor = Supervisor(
        stages(environ, handover.demo_port),
        settings.graceful_timeout_seconds + STOP_MARGIN_SECONDS,
        lambda event, **fields: _warn(settings, event, **fields),
    )

    def is_serving() -> bool:
        demo = handover.demo_port
        return (demo is None or listens(demo)) and is_ready(settings.bind, settings.port)

    try:
        with supervisor:
            supervisor.wait_until(is_serving, READY_SECONDS)
            print(handover.greeting, flush=True)
            with announced(settings.home, handover.gateway):
                supervisor.run(lambda: _watch(settings), private_server.WATCH_SECONDS)
    except Stopped:
        print("Stopped.", flush=True)
    finally:
        _watch(settings)  # else a server whose supervisor was killed a moment ago would outlive this process


def stages(environ: Mapping[str, str], demo_port: int | None) -> list[list[Child]]:
    """Return the processes of the gateway, in the order in which they start."""

    def child(name: str, *arguments: str) -> Child:
        return Child(name, [sys.executable, "-m", *arguments], environ, ROOT)

    serving = [
        child("web", "gunicorn", "-c", "python:app.server.gunicorn_settings"),
        child("worker", "workers"),
    ]
    if demo_port is None:
        return [serving]
    return [[child("demo", "app.demo", "--port", str(demo_port), "--until-stdin-closes")], serving]


def _watch(settings: Settings) -> None:
    if settings.redis_url:
        return
    try:
        private_server.watch(settings.home, settings.redis_server)
    except (OSError, subprocess.SubprocessError, ConfigError, private_server.PrivateServerError) as error:
        _warn(settings, "private_server_unwatched", reason=str(error))  # it is tried again soon


def _warn(settings: Settings, event: str, **fields: object) -> None:
    """Log a warning. Logging is imported only now: it takes 12 MiB, and a healthy gateway needs none here."""
    import structlog

    from app import log

    log.configure(settings.log_level, settings.log_format)
    structlog.get_logger().warning(event, **fields)


if __name__ == "__main__":
    try:
        main(read_handover(int(sys.argv[1])), os.environ)
    except ChildFailed as error:
        sys.exit(f"Error: {error}")
