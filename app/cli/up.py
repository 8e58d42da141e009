"""`poolgate up`: run the gateway, the worker and a private store on one machine."""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
import orjson
import structlog

from app import descriptors, log
from app.cli import options
from app.cli.command import example
from app.cli.initial_setup import DemoUpstream, Prepared, prepare
from app.cli.output import name_store
from app.cli.running import Gateway, announced
from app.cli.supervisor import Child, ChildFailed, Stopped, Supervisor
from app.config import NAMES, ConfigError, Settings
from app.stores import failures, private_server
from app.stores.private_server import PrivateServerError
from app.wiring import build

ROOT = Path(__file__).parents[2]  # the folder of `app` and `workers`
READY_SECONDS = 60.0  # loading a large append-only file takes time
STOP_MARGIN_SECONDS = 5.0  # after gunicorn's own graceful_timeout
DEMO_KEY = "POOLGATE_DEMO_KEY"  # key of the simulated upstream, which also enables it in the web process


@click.command(epilog=example("poolgate up --demo", "poolgate up --port 9000"))
@click.option("--demo", is_flag=True, help="Add a simulated upstream, to try the gateway without an account.")
@click.option("--host", help=f"Address to listen on [{NAMES['bind']}, 127.0.0.1].")
@click.option("--port", help=f"Port to listen on [{NAMES['port']}, 8000].")
@click.option("--workers", help=f"Web processes [{NAMES['web_concurrency']}, 2].")
@click.option("--openai-api-key", envvar="OPENAI_API_KEY", default="", hidden=True)
def up(demo: bool, host: str | None, port: str | None, workers: str | None, openai_api_key: str) -> None:
    """
    Run the gateway on this machine until Ctrl-C.

    Without REDIS_URL it stores its data in a private server under POOLGATE_HOME. With
    OPENAI_API_KEY set, the account `openai` is added once.
    """
    # read without --port: a PORT in the environment binds to every address
    overrides = {
        "bind": host or Settings.from_environment(os.environ).bind,
        "port": port,
        "web_concurrency": workers,
    }
    environ = os.environ | {NAMES[name]: value for name, value in overrides.items() if value is not None}
    settings = Settings.from_environment(environ)
    log.configure(settings.log_level, settings.log_format)
    descriptors.raise_limit()
    _check_port(settings.bind, settings.port, "--port")
    if settings.admin_port is not None:
        _check_port(settings.admin_host, settings.admin_port, NAMES["admin"])
    name_store(settings.redis_url or private_server.url(settings.home))
    failures.check_writable(private_server.redis_url(settings, options.START_SECONDS), options.START_SECONDS)
    upstream = DemoUpstream(_free_port(), secrets.token_urlsafe(32)) if demo else None
    supervisor = Supervisor(
        _stages(_children_environ(environ, settings), upstream),
        settings.graceful_timeout_seconds + STOP_MARGIN_SECONDS,
    )
    try:
        with supervisor:
            patient_settings = replace(settings, store_timeout_seconds=5.0)  # everything is starting
            prepared = prepare(build(patient_settings), upstream, openai_api_key)
            supervisor.wait_until(lambda: _is_ready(settings, upstream), READY_SECONDS)
            model = "demo" if demo else "gpt-5.2"
            click.echo(build_greeting(settings, prepared, model))
            with announced(settings.home, _gateway(settings, prepared)):
                supervisor.run(lambda: _watch(settings), private_server.WATCH_SECONDS)
    except Stopped:
        click.echo("Stopped.")
    except ChildFailed as error:
        raise click.ClickException(str(error)) from None
    finally:
        _watch(settings)  # else a server whose supervisor was just killed would outlive this process


def _watch(settings: Settings) -> None:
    if settings.redis_url:
        return
    try:
        private_server.watch(settings.home, settings.redis_server)
    except (OSError, subprocess.SubprocessError, ConfigError, PrivateServerError) as error:
        structlog.get_logger().warning("private_server_unwatched", reason=str(error))  # retried soon


def _children_environ(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Return *environ* with the effective settings, and without the variables of this command."""
    decided = {
        NAMES["home"]: str(settings.home),
        NAMES["bind"]: settings.bind,
        NAMES["port"]: str(settings.port),
    }
    return {name: value for name, value in environ.items() if name != "OPENAI_API_KEY"} | decided


def _stages(environ: dict[str, str], demo: DemoUpstream | None) -> list[list[Child]]:
    if demo is not None:
        environ = environ | {DEMO_KEY: demo.key}

    def child(name: str, *arguments: str) -> Child:
        return Child(name, [sys.executable, "-m", *arguments], environ, ROOT)

    serving = [
        child("web", "gunicorn", "-c", "python:app.server.gunicorn_settings"),
        child("worker", "workers"),
    ]
    if demo is None:
        return [serving]
    return [[child("demo", "app.demo", "--port", str(demo.port), "--until-stdin-closes")], serving]


def _check_port(host: str, port: int, set_by: str) -> None:
    """Raise ClickException if the port is in use: gunicorn would retry for five seconds."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(
                f"cannot listen on {host} port {port} ({error.strerror}): see {set_by}"
            ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(settings: Settings, demo: DemoUpstream | None) -> bool:
    try:
        if demo is not None:
            socket.create_connection(("127.0.0.1", demo.port), timeout=1.0).close()
        connection = http.client.HTTPConnection(_reachable(settings.bind), settings.port, timeout=5.0)
        connection.request("GET", "/health/ready")
        status = connection.getresponse().status
        connection.close()
    except OSError:
        return False
    return status == 200


def _reachable(bind: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)


def build_greeting(settings: Settings, prepared: Prepared, model: str) -> str:
    """Return the text to print once everything is ready, with a curl command."""
    url = f"{_origin(settings.bind, settings.port)}/v1"
    key, bearer = f"{prepared.key}  (shown only once)", f"'Authorization: Bearer {prepared.key}'"
    if prepared.key is None:
        another = "export POOLGATE_KEY=$(poolgate key create --name NAME)"
        key = f"'{prepared.key_name}' was shown when it was created; another: {another}"
        bearer = '"Authorization: Bearer $POOLGATE_KEY"'
    question = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    lines = [
        "Poolgate is ready.",
        "",
        f"  url  {url}",
        *_bind_line(settings),
        f"  key  {key}",
        *_admin_line(settings, prepared.start_token),
        *([] if prepared.has_accounts else ["  next add an account: poolgate account add --help"]),
        "",
        f"curl -sSN {url}/chat/completions -H {bearer} -H 'Content-Type: application/json'"
        f" -d '{orjson.dumps(question).decode()}'",
    ]
    return "\n".join(lines)


def _bind_line(settings: Settings) -> list[str]:
    """Return a line that names the address which is listened on, unless the URL shows it."""
    if _reachable(settings.bind) == settings.bind:
        return []
    return [f"  on   {settings.bind}: other machines reach it too; {NAMES['bind']}=127.0.0.1 prevents that"]


def _gateway(settings: Settings, prepared: Prepared) -> Gateway:
    """Return what `poolgate status` and other commands show of this gateway."""
    pages = f"{_pages_origin(settings)}/admin/" if settings.admin != "off" else ""
    return Gateway(f"{_origin(settings.bind, settings.port)}/v1", pages, prepared.key_name)


def _admin_line(settings: Settings, start_token: str | None) -> list[str]:
    """Return the line with the URL of the admin pages, at the first start with its token."""
    if settings.admin == "off":
        return []
    origin = _pages_origin(settings)
    if start_token is None:
        return [f"  web  {origin}/admin/"]
    return [f"  web  {origin}/admin/first-start?token={start_token}  (valid once, for a day)"]


def _pages_origin(settings: Settings) -> str:
    if settings.admin_port is not None:
        return _origin(settings.admin_host, settings.admin_port)
    return _origin(settings.bind, settings.port)


def _origin(host: str, port: int) -> str:
    host = _reachable(host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
