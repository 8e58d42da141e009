"""`poolgate up`: prepare a private store and a first key, then run the gateway on one machine."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace

import click
import orjson

from app import descriptors, log
from app.cli import options
from app.cli.command import Command, example
from app.cli.gateways import api_url, pages_url, store_address
from app.cli.initial_setup import DemoUpstream, Prepared, prepare
from app.cli.output import name_store
from app.config import NAMES, Settings
from app.stores import failures, private_server
from app.supervision.handover import Handover, become_supervisor
from app.supervision.readiness import reachable
from app.supervision.running import RunningGateway, running
from app.wiring import build

DEMO_KEY = "POOLGATE_DEMO_KEY"  # of the simulated upstream; also enables it in the web process


@click.command("up", cls=Command, epilog=example("poolgate up --demo", "poolgate up --port 9000"))
@click.option("--demo", is_flag=True, help="Add a simulated upstream, to try the gateway without an account.")
@click.option(
    "--host",
    help=f"Address to listen on [{NAMES['bind']}; else 0.0.0.0 if {NAMES['port']} is set, else 127.0.0.1].",
)
@click.option("--port", help=f"Port to listen on [{NAMES['port']}, 8000].")
@click.option("--workers", help=f"Web processes [{NAMES['web_concurrency']}, 2].")
@click.option("--openai-api-key", envvar="OPENAI_API_KEY", default="", hidden=True)
def up(demo: bool, host: str | None, port: str | None, workers: str | None, openai_api_key: str) -> None:
    """
    Run the gateway on this machine until Ctrl-C.

    Without REDIS_URL it stores its data in a private server under POOLGATE_HOME. If OPENAI_API_KEY is set,
    and --demo is not, it adds the account `openai` once.
    """
    given = {"bind": host or None, "port": port, "web_concurrency": workers}
    environ = os.environ | {NAMES[name]: value for name, value in given.items() if value is not None}
    if not os.environ.get(NAMES["port"], "").strip():  # which binds to every address; --port does not
        environ[NAMES["bind"]] = environ.get(NAMES["bind"]) or Settings().bind
    settings = Settings.from_environment(environ)
    log.configure(settings.log_level, settings.log_format)
    descriptors.raise_limit()
    _check_port(settings.bind, settings.port, "--port")
    if settings.admin_port is not None:
        _check_port(settings.admin_host, settings.admin_port, NAMES["admin"])
    name_store(settings.redis_url or private_server.url(settings.home))
    failures.check_writable(private_server.redis_url(settings, options.START_SECONDS), options.START_SECONDS)
    upstream = DemoUpstream(_free_port(), secrets.token_urlsafe(32)) if demo else None
    patient_settings = replace(settings, store_timeout_seconds=5.0)  # a private server is just starting
    others = [other.url for other in running(settings.home) if other.store == store_address(settings)]
    key = "" if demo else openai_api_key
    prepared = prepare(build(patient_settings), upstream, key, is_only_gateway=not others)
    gateway = _gateway(settings, prepared)
    become_supervisor(
        Handover(
            greeting=build_greeting(settings, prepared, others),
            gateway=gateway,
            demo_port=upstream.port if upstream is not None else None,
            owner=private_server.owner_of(settings.home),
        ),
        _children_environ(environ, settings, upstream),
    )


def _children_environ(
    environ: Mapping[str, str], settings: Settings, demo: DemoUpstream | None
) -> dict[str, str]:
    """Return *environ* with the effective settings, and without the variables of this command."""
    decided = {
        NAMES["home"]: str(settings.home),
        NAMES["bind"]: settings.bind,
        NAMES["port"]: str(settings.port),
    }
    if demo is not None:
        decided[DEMO_KEY] = demo.key
    return {name: value for name, value in environ.items() if name != "OPENAI_API_KEY"} | decided


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


def build_greeting(settings: Settings, prepared: Prepared, others: Sequence[str] = ()) -> str:
    """Return the text to print once everything is ready, with a curl command; *others* are other gateways."""
    url = api_url(settings)
    key, bearer = f"{prepared.key}  (shown only once)", f"'Authorization: Bearer {prepared.key}'"
    if prepared.key is None:
        another = "export POOLGATE_KEY=$(poolgate key create --name NAME)"
        key = f"'{prepared.key_name}' was shown when it was created; another: {another}"
        bearer = '"Authorization: Bearer $POOLGATE_KEY"'
    question = {"model": prepared.model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    lines = [
        "Poolgate is ready.",
        "",
        f"  url  {url}",
        *_bind_line(settings),
        f"  key  {key}",
        *_admin_line(settings, prepared.start_token),
        *_others_line(others),
        "",
        *([] if prepared.has_accounts else _NEXT_LINES),
        f"curl -sSN {url}/chat/completions -H {bearer} -H 'Content-Type: application/json'"
        f" -d '{orjson.dumps(question).decode()}'",
    ]
    return "\n".join(lines)


_NEXT_LINES = (
    "There is no account yet, so requests fail. Add one, for example with the key in OPENAI_API_KEY:",
    "",
    "  poolgate account add openai --name main --api-key-env OPENAI_API_KEY",
    "",
    "Other kinds: poolgate account add --help. Without an account: poolgate up --demo. Then a request:",
    "",
)


def _bind_line(settings: Settings) -> list[str]:
    """Return a line with the address that the gateway listens on, unless the URL shows it."""
    if reachable(settings.bind) == settings.bind:
        return []
    return [f"  on   {settings.bind}: other machines reach it too; {NAMES['bind']}=127.0.0.1 prevents that"]


def _others_line(others: Sequence[str]) -> list[str]:
    """Return a line about the gateways that run with the same store already."""
    if not others:
        return []
    verb = "runs" if len(others) == 1 else "run"
    return [f"  also {', '.join(others)} {verb} with this store: accounts, keys and limits are the same"]


def _gateway(settings: Settings, prepared: Prepared) -> RunningGateway:
    """Return what `poolgate status` and other commands show of this gateway."""
    return RunningGateway(api_url(settings), pages_url(settings), prepared.key_name, store_address(settings))


def _admin_line(settings: Settings, start_token: str | None) -> list[str]:
    """Return the line with the URL of the admin pages; at the first start, with its token."""
    pages = pages_url(settings)
    if not pages:
        return []
    if start_token is None:
        return [f"  web  {pages}"]
    return [f"  web  {pages}first-start?token={start_token}  (valid once, for a day)"]
