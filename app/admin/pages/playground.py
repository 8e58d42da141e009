"""The playground: a conversation with a model, on behalf of an API key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import OK
from typing import Any

import orjson
from flask import Response, g, jsonify, render_template, request

from app.admin.gateway_requests import send_to_gateway
from app.admin.guard import actor, requires
from app.admin.pages.forms import Form
from app.admin.pages.layout import base_url, page_blueprint
from app.admin.services import services
from app.errors import GatewayError, InvalidRequest, documented_codes
from app.presentation.model_choices import ModelChoices
from app.presentation.names import Names
from app.presentation.playground import PlaygroundRequest, reply_text, request_snippets, to_text
from app.presentation.requests import RequestView
from app.presentation.snippets import Snippet
from app.server.internal_requests import KeyReference
from app.stores.records.api_keys import ApiKey, KeyState
from app.stores.records.ledger import LedgerEntry
from app.stores.records.operators import Role
from app.stores.records.teams import TeamState
from schemas.bounds import MAX_TEXT_CHARS, parse_number
from schemas.playground import EFFORTS, MAX_MESSAGE_CHARS, PlaygroundInput

SECTION = "playground.show"
FIELDS = (
    *("key", "model", "other_model", "endpoint", "account", "system", "message", "turns"),
    *("temperature", "max_tokens", "effort", "json", "stream"),
)
DEFAULTS = {"endpoint": "chat", "stream": "yes"}
ENDPOINTS = (("chat", "Chat completions"), ("responses", "Responses"))
CHOSEN = ("key", "model", "endpoint")  # in an address
OPTIONS = ("system", "temperature", "max_tokens", "effort", "account", "other_model", "json")
MAX_TRIED = 20  # keys whose models are examined to choose one
SHOWN_CHARS = 200_000  # of a response whose JSON is shown
REQUEST_ID = "x-poolgate-request-id"

bp = page_blueprint("playground", "/playground")


@dataclass(slots=True)
class Exchange:
    """A request and its response; `text` is the model's text, `raw` the JSON as it was received."""

    request: PlaygroundRequest
    request_id: str = ""
    text: str = ""
    raw: str = ""
    error: Mapping[str, Any] = field(default_factory=dict)
    row: RequestView | None = None  # None: not recorded yet

    @property
    def request_json(self) -> str:
        return to_text(self.request.body())

    @property
    def help(self) -> str:
        """The address of the section of the guide about its error, '' if there is none."""
        code = self.error.get("code")
        return f"{_origin()}/docs/errors#{code}" if code in documented_codes() else ""

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The conversation, including the response."""
        return [*self.request.messages, {"role": "assistant", "content": self.text}]


@bp.route("", methods=["GET", "POST"])
@requires(Role.ADMIN, to_read=Role.VIEWER)
def show() -> Any:
    """Show the form and, for a form that was sent without scripts, the complete response."""
    chosen = {name: request.args[name] for name in CHOSEN if name in request.args}
    form = _form(request.form if request.method == "POST" else DEFAULTS | chosen)
    composed = _compose(form) if request.method == "POST" else None
    return _page(form, None if composed is None else _exchange(composed))


def _page(form: Form, exchange: Exchange | None) -> Any:
    current = services()
    keys, models = _usable_keys(), _model_choices()
    chosen = next((key for key in keys if key.name == form["key"]), None) or models.first_served(
        keys[:MAX_TRIED]
    )
    if chosen is not None:
        form.show("key", chosen.name)
    is_answered = exchange is not None and not exchange.error
    turns = exchange.turns if exchange is not None and is_answered else _known_turns(form)
    return render_template(
        "playground/show.html",
        section=SECTION,
        form=form,
        keys=[(key.name, key.name) for key in keys],
        models=models.of(chosen) if chosen else [],
        accounts=[
            ("", "any"),
            *((name, name) for name in sorted(current.accounts.names_by_id(g.pool).values())),
        ],
        endpoints=ENDPOINTS,
        efforts=[("", "of the model"), *((effort, effort) for effort in EFFORTS)],
        opened=any(form[name] for name in OPTIONS),
        turns=turns,
        turns_json=orjson.dumps(turns).decode(),
        message="" if is_answered else form["message"],
        exchange=exchange,
        snippets=_snippets(exchange) if exchange is not None else (),
        max_chars=MAX_MESSAGE_CHARS,
    ), form.status


def _known_turns(form: Form) -> list[Any]:
    """Return the earlier messages in *form*; none if they are not valid."""
    if "turns" in form.errors or not form["turns"]:
        return []
    turns = _turns(form["turns"])
    return turns if isinstance(turns, list) else []


def _model_choices() -> ModelChoices:
    current = services()
    now = current.clock.now()
    return ModelChoices(
        current.accounts.all(g.pool),
        current.routes.current(g.pool),
        now,
        current.model_rests.all(g.pool, now),
        current.demo,
    )


@bp.get("/models")
def models() -> Response:
    """Return the models that the key in the query may use as JSON, a list of [name, label]."""
    key = services().api_keys.find(g.pool, request.args.get("key", "")[:MAX_TEXT_CHARS])
    return jsonify(_model_choices().of(key))


@bp.post("/send")
def send() -> Any:
    """Send the request in the form, and stream the gateway's response."""
    form = _form(request.form)
    composed = _compose(form)
    return _refusal(form) if composed is None else _send(composed)


@bp.post("/outcome")
def outcome() -> Any:
    """Return the record of the request `request_id` as HTML; the status is 202 until it is recorded."""
    form = _form(request.form)
    composed = _compose(form)
    if composed is None:
        return _refusal(form)
    request_id = request.form.get("request_id", "")[:MAX_TEXT_CHARS]
    error = {"code": request.form.get("code", "")}
    exchange = Exchange(composed, request_id, error=error, row=_row(request_id))
    is_pending = bool(request_id) and exchange.row is None
    page = render_template("playground/outcome.html", exchange=exchange, snippets=_snippets(exchange))
    return page, 202 if is_pending else 200


def _form(values: Mapping[str, str]) -> Form:
    return Form(values, *FIELDS, under={"name": "key"})


def _refusal(form: Form) -> Any:
    """Return the first error of *form* as an error envelope of the gateway."""
    name, message = next(iter(form.errors.items()))
    return jsonify(InvalidRequest(f"{name.replace('_', ' ')} {message}".strip(), param=name).envelope()), 400


def _compose(form: Form) -> PlaygroundRequest | None:
    """Return the request that *form* describes, None if it has errors."""
    with form.collect_errors():
        fields = PlaygroundInput().load(_fields(form))
        services().api_keys.find(g.pool, fields["key"])
        return PlaygroundRequest(fields)
    return None


def _fields(form: Form) -> dict[str, object]:
    fields: dict[str, object] = {**form.filled("key", "endpoint", "effort", "account", "system")}
    fields["model"] = form["other_model"].strip() or form["model"].strip()
    fields["message"] = form["message"].strip()
    fields["turns"] = _turns(form["turns"])
    if form["max_tokens"].strip():
        fields["max_tokens"] = form.integer("max_tokens")
    if text := form["temperature"].strip():
        number = parse_number(text)
        fields["temperature"] = text if number is None else number
    return fields | {name: bool(form[name]) for name in ("json", "stream")}


def _turns(text: str) -> Any:
    """Return the earlier messages in *text*, JSON. Raises InvalidRequest."""
    try:
        return orjson.loads(text or "[]")
    except orjson.JSONDecodeError:
        raise InvalidRequest("must be JSON", param="turns") from None


def _send(composed: PlaygroundRequest) -> Response:
    """Send *composed* through the gateway on behalf of its key, and record who sent it."""
    key = services().api_keys.find(g.pool, composed.fields["key"])
    response = send_to_gateway(KeyReference(g.pool, key.id), composed.path, orjson.dumps(composed.body()))
    try:
        services().audit.note(
            actor(),
            "playground.send",
            g.pool,
            key.name,
            model=composed.fields["model"],
            request=response.headers.get(REQUEST_ID, ""),
        )
    except GatewayError:
        response.close()
        raise
    return response


def _exchange(composed: PlaygroundRequest) -> Exchange:
    """Send *composed* and return it with its complete response."""
    composed = PlaygroundRequest({**composed.fields, "stream": False})
    with closing(_send(composed)) as response:
        data = response.get_data()
    request_id = response.headers.get(REQUEST_ID, "")
    exchange = Exchange(composed, request_id, row=_row(request_id))
    try:
        body = orjson.loads(data)
        exchange.raw = to_text(body)[:SHOWN_CHARS]
    except orjson.JSONDecodeError:
        exchange.error = {"message": "The response is not JSON"}
        return exchange
    exchange.text = reply_text(body)
    if response.status_code != OK:
        exchange.error = body.get("error") or {}
    return exchange


def _row(request_id: str) -> RequestView | None:
    """Return the record of a request, None if there is none yet."""
    if not request_id:
        return None
    ledger = services().ledger
    stored = ledger.entries.find(g.pool, request_id)
    if stored is not None:
        entry = LedgerEntry.parse(stored)
    elif (refusal := ledger.refusals.find(g.pool, request_id)) is not None:
        entry = refusal.entry
    else:
        return None
    return RequestView(entry, Names.read(g.pool, services().api_keys, services().accounts))


def _snippets(exchange: Exchange) -> Sequence[Snippet]:
    return request_snippets(_origin(), exchange.request)


def _origin() -> str:
    return base_url().removesuffix("/v1")


def _usable_keys() -> list[ApiKey]:
    """Return the keys of the pool whose requests are not refused for the state of the key or its team."""
    current, now = services(), services().clock.now()
    disabled = {team.name for team in current.teams.all(g.pool) if team.state is TeamState.DISABLED}
    return [
        key
        for key in current.api_keys.all(g.pool)
        if key.state_at(now) is KeyState.ACTIVE and key.team not in disabled
    ]
