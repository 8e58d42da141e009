"""`poolgate chat`: send a message through the gateway, and print the response as it arrives."""

from __future__ import annotations

import http.client
import os
import re
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import click
import orjson

from app.accounts.pools import DEFAULT
from app.cli.command import Command, example
from app.cli.gateways import NONE_RUNS, START_ONE
from app.cli.options import connect, read_secret, redis_url_option, settings_for
from app.cli.output import printable
from app.cli.snippet import checked_url, running_url, url_option
from app.config import package_version
from app.errors import GatewayError, StoreError
from app.formatting import count
from app.operations.diagnostic import pool_option
from app.presentation.request_usage import cost_text
from app.presentation.snippets import VARIABLE
from app.stores.private_server import PrivateServerError
from app.stores.records.api_keys import pool_of, pool_of_foreign
from app.streaming.events import DONE, Event
from app.streaming.sse import EventDecoder

MAX_TEXT_BYTES = 8 * 1024 * 1024
MAX_ERROR_BYTES = 65_536
READ_BYTES = 65_536
SILENT_SECONDS = 120.0  # the gateway sends a comment every ten seconds, so it is gone
ENTRY_SECONDS = 1.0  # to wait for the ledger entry of the request
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # control characters other than tab and newline


@dataclass(slots=True)
class _Response:
    """What is known about a response at its end."""

    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    usage: Mapping[str, Any] = field(default_factory=dict)
    finish: str = ""

    @property
    def request_id(self) -> str:
        return self.headers.get("x-poolgate-request-id", "")


@click.command(
    "chat",
    cls=Command,
    epilog=example(
        "export POOLGATE_KEY=sk-pg-…",
        "poolgate chat gpt-5 'Why is the sky blue?'",
        "git diff | poolgate chat gpt-5 - --system 'Write a commit message.'",
    ),
)
@click.argument("model", metavar="MODEL")
@click.argument("text", metavar="TEXT")
@click.option("--system", default="", metavar="TEXT", help="Instructions that precede the message.")
@click.option(
    "--max-tokens", type=click.IntRange(1, 10_000_000), metavar="N", help="Maximum output of the response."
)
@click.option(
    "--key-env",
    "variable",
    default=VARIABLE,
    show_default=True,
    metavar="VAR",
    help="Environment variable that holds the API key.",
)
@url_option
@redis_url_option
def chat(
    model: str, text: str, system: str, max_tokens: int | None, variable: str, url: str, redis_url: str | None
) -> None:
    """
    Send TEXT to MODEL and print the response while it arrives; - reads standard input.

    Usage, cost and account go to standard error.
    """
    settings = settings_for(redis_url, os.environ)
    base_url = checked_url(url) if url else running_url(settings)
    if base_url is None:
        raise GatewayError(f"{NONE_RUNS.capitalize()}: {START_ONE}, or give the --url of another")
    key = read_secret("key", variable, from_stdin=False)
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": _read_text() if text == "-" else text})
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
    body["stream_options"] = {"include_usage": True}
    if max_tokens is not None:
        body["max_completion_tokens"] = max_tokens
    response = _Response()
    try:
        for piece in _stream(base_url, key, body, response):
            click.echo(_UNPRINTABLE.sub("?", piece) if sys.stdout.isatty() else piece, nl=False)
            sys.stdout.flush()
    except GatewayError as error:
        raise GatewayError(_with_explanation(error.message, response, key)) from None
    click.echo()
    click.echo(printable(_summary(response, "" if url else _cost(redis_url, key, response))), err=True)


def _read_text() -> str:
    """Return standard input without the end of its last line, which `echo` adds."""
    data = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise click.UsageError(f"Standard input has more than {MAX_TEXT_BYTES} bytes")
    if not data.strip():
        raise click.UsageError("Standard input is empty")
    text = data.decode(errors="replace")
    return text.removesuffix("\n").removesuffix("\r")


def _stream(base_url: str, key: str, body: dict[str, Any], response: _Response) -> Iterator[str]:
    """
    Yield the text of the response to *body* in pieces, and fill in *response*.

    Raises GatewayError with the message and code of an error of the gateway.
    """
    parts = urlsplit(base_url)
    with closing(_connection(base_url)) as connection:
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "User-Agent": f"poolgate-chat/{package_version()}",
        }
        try:
            connection.request("POST", f"{parts.path}/chat/completions", orjson.dumps(body), headers)
            reply = connection.getresponse()
            response.headers = {name.lower(): value for name, value in reply.getheaders()}
            if reply.status != 200:
                raise _refusal(reply.status, reply.read(MAX_ERROR_BYTES))
            yield from _texts(reply, response)
        except (OSError, http.client.HTTPException) as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise GatewayError(f"No answer from {base_url} ({what}): see poolgate up, or --url") from None
        except ValueError:  # http.client refuses such a header
            raise click.UsageError("The API key has characters that a header cannot have") from None


def _connection(base_url: str) -> http.client.HTTPConnection:
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=SILENT_SECONDS, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=SILENT_SECONDS)


def _texts(reply: http.client.HTTPResponse, response: _Response) -> Iterator[str]:
    decoder = EventDecoder()
    while data := reply.read1(READ_BYTES):
        for event in decoder.decode_events(data):
            if event is DONE:
                return
            if text := _text_of(event, response):
                yield text
        if decoder.error is not None:
            raise decoder.error
    raise GatewayError("The response broke off")


def _text_of(event: Event, response: _Response) -> str:
    """Return the text that *event* adds. Raises GatewayError for an error event."""
    payload = event.payload
    if payload.get("error"):
        raise _refusal(0, event.encoded())
    if isinstance(usage := payload.get("usage"), dict):
        response.usage = usage
    pieces = []
    for choice in payload.get("choices") or ():
        response.finish = choice.get("finish_reason") or response.finish
        delta = choice.get("delta") or {}
        pieces += [delta.get("content") or "", delta.get("refusal") or ""]
    return "".join(pieces)


def _refusal(status: int, body: bytes) -> GatewayError:
    """Return *body*, an error envelope or anything else, as an error with its message and code."""
    try:
        error = orjson.loads(body)["error"]
        message, code = str(error["message"]), str(error.get("code") or error.get("type") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        message, code = body[:500].decode(errors="replace") or "no message", ""
    shown = ", ".join(part for part in (f"HTTP {status}" if status else "", code) if part)
    return GatewayError(printable(f"{message} ({shown})" if shown else message))


def _with_explanation(message: str, response: _Response, key: str) -> str:
    """Return *message* with the account and the id of the request, and the command that explains it."""
    if not (request_id := printable(response.request_id) if response.request_id else ""):
        return message
    account = response.headers.get("x-poolgate-account")
    served = f"; account {printable(account)}" if account else ""
    pool = pool_of(key) or pool_of_foreign(key) or DEFAULT
    return f"{message}{served}; see poolgate request explain {request_id}{pool_option(pool)}"


def _summary(response: _Response, cost: str) -> str:
    usage = response.usage
    tokens = [f"{count(usage[name])} {word}" for name, word in _TOKENS if isinstance(usage.get(name), int)]
    parts = [", ".join(tokens) or "no usage", cost]
    if account := response.headers.get("x-poolgate-account"):
        parts.append(f"account {account}")
    if response.finish not in ("", "stop"):
        parts.append(f"ended by {response.finish}")
    parts.append(f"request {response.request_id}" if response.request_id else "")
    return "; ".join(filter(None, parts))


_TOKENS = (("prompt_tokens", "tokens in"), ("completion_tokens", "tokens out"))


def _cost(redis_url: str | None, key: str, response: _Response) -> str:
    """Return the cost in the ledger of the gateway on this machine, '' if it cannot be read."""
    pool = pool_of(key) or pool_of_foreign(key)
    if not pool or not response.request_id:
        return ""
    with suppress(StoreError, PrivateServerError, click.UsageError):
        entries = connect(settings_for(redis_url, os.environ)).ledger.entries
        deadline = time.monotonic() + ENTRY_SECONDS
        while time.monotonic() < deadline:
            if (entry := entries.find(pool, response.request_id)) is not None:
                return cost_text(orjson.loads(entry.row))
            time.sleep(0.05)
    return ""
