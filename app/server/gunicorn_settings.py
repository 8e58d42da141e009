"""
gunicorn's settings for `app.wsgi`, used by ./gunicorn.conf.py and by `poolgate up`.

A worker that is stopped finishes its requests. Shortly before gunicorn would kill it, the remaining
streams are ended with an error event, and settled.
"""

# ruff: noqa: E402  the patch comes before any import that would load ssl
from gevent import monkey

monkey.patch_all()

import gc
import os
import shutil
import sys
import time
from contextlib import suppress
from typing import Any

import gevent

from app import descriptors
from app.config import ConfigError, Settings
from app.log import library_config
from app.process_metrics import end_process, shared_file
from app.server.event_loop_metrics import sample_forever
from app.stores import private_server

try:
    settings = Settings.from_environment(os.environ)
except ConfigError as error:
    sys.exit(str(error))

# Each process has a file with its metrics here.
_counts = settings.home / "metrics" / str(settings.port)
shutil.rmtree(_counts, ignore_errors=True)
_counts.mkdir(mode=0o700, parents=True)
os.environ["POOLGATE_METRICS_FOLDER"] = str(_counts)

wsgi_app = "app.wsgi:app"
bind = [f"[{settings.bind}]:{settings.port}" if ":" in settings.bind else f"{settings.bind}:{settings.port}"]
if settings.admin_port is not None:
    bind.append(settings.admin)
workers = settings.web_concurrency
worker_class = "app.server.gunicorn_worker.Worker"  # gevent
worker_connections = descriptors.max_connections(descriptors.raise_limit())  # per worker
preload_app = True  # workers share the code's memory, and start in half the time
keepalive = 75  # seconds; longer than nginx's (60), so that nginx never reuses a closed connection
timeout = 60  # seconds without a heartbeat: only a worker whose event loop hangs
graceful_timeout = settings.graceful_timeout_seconds
max_requests = 0  # a recycled worker is replaced only when its last stream has ended
control_socket_disable = True  # its path is fixed per user, so two gateways would share it
forwarder_headers = ""  # no proxy may set SCRIPT_NAME
limit_request_line = 8190  # gunicorn's maximum; queries of lists contain filters and cursors
limit_request_fields = 100
limit_request_field_size = 16380  # coding agents put a turn's metadata into one header
logger_class = "app.server.gunicorn_worker.Log"  # no access log: the gateway logs each request itself
logconfig_dict = library_config(settings.log_level, settings.log_format)
# forwarded_allow_ips stays unset: gunicorn then takes FORWARDED_ALLOW_IPS, else this machine alone

# Thresholds of garbage collection. First, new objects per collection: a prompt of 200 kB has some thousands,
# none of which is garbage before the request ends. Then collections of the youngest generation per collection
# of the second, and of the second per full one. While 500 streams opened, a collection of the second paused
# the worker for 44 ms at 10, and for 13 ms at 5.
COLLECT_AFTER = (10_000, 5, 20)
DRAIN_SECONDS = 1.5  # time for the settlements of streams that had to be ended
FLUSH_SECONDS = 0.5  # time to write the recorded responses of requests that have ended
MARGIN_SECONDS = 1.0  # margin before gunicorn's SIGKILL
# After a stop, gunicorn accepts connections for up to a second; then their requests have to be read.
LAST_REQUESTS_SECONDS = 1.5

_open_requests = 0  # open requests of this worker process


def on_starting(server: Any) -> None:
    """Start or join the private Redis server if no Redis URL is set; workers inherit the membership."""
    private_server.redis_url(settings)


def when_ready(server: Any) -> None:
    """
    Exclude loaded code from garbage collection: workers inherit it, and it is never garbage.

    Without it each collection walks through 60 MiB of code, and copies that memory for each worker.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def pre_request(worker: Any, request: Any) -> None:
    global _open_requests
    _open_requests += 1


def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
    global _open_requests
    _open_requests -= 1


def post_worker_init(worker: Any) -> None:
    worker.wsgi.trust(worker.cfg.forwarded_allow_ips)
    gevent.spawn(_exit_in_time, worker)
    settlements = worker.wsgi.services.ledger.settlements
    gevent.spawn(settlements.recover_spooled)
    gevent.spawn(sample_forever, settlements, shared_file(_counts))
    gevent.spawn(private_server.watch_forever, settings, gevent.sleep)


def _exit_in_time(worker: Any) -> None:
    """
    Exit as soon as the last request has ended, at the latest before gunicorn's SIGKILL.

    gunicorn itself would wait for idle connections until its graceful_timeout.
    """
    while worker.alive:
        gevent.sleep(0.25)
    stopped_at = time.monotonic()
    worker.wsgi.services.feeds.stop()  # pages with a live feed reconnect to another worker
    worker.wsgi.services.websockets.stop()
    gevent.sleep(LAST_REQUESTS_SECONDS)
    latest = stopped_at + graceful_timeout - DRAIN_SECONDS - MARGIN_SECONDS
    while _open_requests and time.monotonic() < latest:
        gevent.sleep(0.05)
    sys.exit(0)  # raised in the main greenlet, so that worker_exit comes next


def child_exit(server: Any, worker: Any) -> None:
    """Remove the gauges of a dead worker; its counters stay."""
    with suppress(OSError):
        end_process(_counts, worker.pid)


def worker_exit(server: Any, worker: Any) -> None:
    """End open streams and spool pending settlements; also after SIGINT, SIGQUIT or the arbiter's death."""
    services = worker.wsgi.services
    latest = time.monotonic() + DRAIN_SECONDS
    if services.recordings is not None:
        services.recordings.stop()
    if _open_requests:
        services.active.drain(DRAIN_SECONDS)
    while _open_requests and time.monotonic() < latest:
        gevent.sleep(0.01)  # time for the error events to be written
    if services.recordings is not None:
        services.recordings.flush(FLUSH_SECONDS)
    services.lost_replies.flush()
    services.ledger.settlements.spool_pending()
    services.ledger.refusal_log.close()
    with suppress(OSError):
        shared_file(_counts).write()
    if services.tracing is not None:
        services.tracing.close()
