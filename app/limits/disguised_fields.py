"""
Request fields that could undo what the gateway checks, by another name: one table, for every endpoint.

Servers differ in how they match the names of fields: some ignore letter case, others read `maxTokens` as
`max_tokens`, and many know further names for the model, its substitutes and the length of a response. What
the gateway reads by one name must not reach an upstream by another, or an API key's models, its limits and
the price would be those of another request. Such a field has no effect: it is left out, and named in
`x-poolgate-ignored`.

Of a repeated field the last value is the only one, here and at the upstream: a JSON body is parsed once and
written again.

Source: https://pkg.go.dev/encoding/json#Unmarshal and https://protobuf.dev/programming-guides/json (names);
https://openrouter.ai/docs/api-reference/overview (`models`, `route`, `plugins`, `preset`),
https://docs.litellm.ai/docs/completion/input (`api_base`, `deployment_id`, fallbacks),
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (`n_predict`),
https://github.com/ollama/ollama/blob/main/docs/api.md (`num_predict`) and
https://huggingface.co/docs/transformers/main_classes/text_generation (`max_new_tokens`)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.limits.output_lengths import LENGTH_FIELDS
from app.limits.references import ADDING, PASSED_CONTENT
from app.translation.requests.field_support import CHAT, MAX_IGNORED_NAMES, RESPONSES, is_nameable
from app.yielding import end_turn

Body = dict[str, Any]

LENGTHS = frozenset(name for names in LENGTH_FIELDS.values() for name in names)
OTHER_LENGTHS = (
    *("n_predict", "num_predict", "max_new_tokens", "max_length", "max_output_length", "max_gen_len"),
    *("max_gen_tokens", "max_generated_tokens", "max_tokens_to_sample", "max_completion_length"),
)
OTHER_MODELS = (
    *("models", "model_id", "model_name", "model_list", "model_group", "fallback_models", "route", "preset"),
    *("plugins", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks"),
    *("engine", "deployment", "deployment_id", "deployment_name", "adapter_id", "lora_path"),
    *("api_base", "base_url", "custom_llm_provider"),
)
OTHER_COUNTS = ("num_return_sequences", "num_completions", "num_choices", "candidate_count")

# Fields that the gateway reads in requests that it passes through.
PASSED_THROUGH = frozenset(
    (
        *("model", "input", "prompt", "stream", "stream_options", "service_tier", "user", "fallbacks"),
        *("max_tokens", "n", "best_of", "file", "image", "mask"),
    )
)
_EXACT = frozenset((*CHAT, *RESPONSES, *PASSED_THROUGH, *ADDING, *PASSED_CONTENT))
_GUARDED = (*LENGTHS, *OTHER_LENGTHS, *OTHER_MODELS, *OTHER_COUNTS)

# Members of documented objects that the gateway reads or writes; other spellings of these are dropped.
STREAM_OPTIONS = frozenset(("include_usage", "include_obfuscation"))
# Objects of settings. A length or a model is not a documented field in them, except for _DOCUMENTED.
SETTINGS = frozenset(("text", "reasoning", "thinking"))
_DOCUMENTED = frozenset(("reasoning.max_tokens",))  # it is a part of the response's length
_SCHEMAS = frozenset(("text.format",))  # objects with fields that the caller defines

NAMES_PER_TURN = 4096  # names checked in about 5 ms, before other greenlets run
MAX_NAME_CHARS = 64  # no such field has a longer name


def fold(name: str) -> str:
    """Return *name* as the most lenient servers compare it: in lower case, without `_` and `-`."""
    return "".join(filter(str.isalnum, name.casefold()))


_FOLDED = frozenset(map(fold, (*_EXACT, *_GUARDED)))
_FOLDED_INSIDE = frozenset(map(fold, (*_GUARDED, "model", "n", "best_of", "fallbacks", "service_tier")))
_FOLDED_STREAM_OPTIONS = frozenset(map(fold, STREAM_OPTIONS))
_ALLOWED = {protocol: _EXACT - (LENGTHS - set(names)) for protocol, names in LENGTH_FIELDS.items()}
_ALLOWED["responses/compact"] = _ALLOWED["responses"]
# Fields of ordinary requests whose values need not be searched.
_PLAIN = {protocol: allowed - SETTINGS for protocol, allowed in _ALLOWED.items()}
_PLAIN_ELSEWHERE = _EXACT - SETTINGS


def is_disguised(client_protocol: str, name: str) -> bool:
    """Return whether *name* may be read as a field that is checked, or as one that undoes a check."""
    if name in _ALLOWED.get(client_protocol, _EXACT):
        return False
    return len(name) <= MAX_NAME_CHARS and fold(name) in _FOLDED


def without_disguised(client_protocol: str, body: Body) -> tuple[Body, tuple[str, ...]]:
    """
    Return *body* without disguised fields, also within unknown objects, and the names of these.

    Names that do not fit into a response header are omitted. *body* is not changed.
    """
    options = body.get("stream_options")
    has_plain_options = type(options) is not dict or options.keys() <= STREAM_OPTIONS
    if has_plain_options and body.keys() <= _PLAIN.get(client_protocol, _PLAIN_ELSEWHERE):
        return body, ()
    search = _Search()
    allowed, retained = _ALLOWED.get(client_protocol, _EXACT), {}
    for number, (name, value) in enumerate(body.items(), 1):
        if number % NAMES_PER_TURN == 0:
            end_turn()
        if is_disguised(client_protocol, name):
            search.dropped.append(name)
        elif name == "stream_options" and type(value) is dict:
            retained[name] = search.without_misspelled_options(value)
        elif type(value) in (dict, list) and (name not in allowed or name in SETTINGS):
            retained[name] = search.without_disguised(value, name)
        else:
            retained[name] = value
    return (retained, nameable(search.dropped)) if search.dropped else (body, ())


def without_disguised_inside(
    client_protocol: str, name: str, value: dict[str, Any] | list[Any]
) -> tuple[Any, list[str]]:
    """Return *value*, the JSON in the form field *name*, without disguised fields, and their names."""
    if name in _ALLOWED.get(client_protocol, _EXACT) and name not in SETTINGS:
        return value, []
    search = _Search()
    return search.without_disguised(value, name), search.dropped


def is_disguised_inside(name: str) -> bool:
    """Return whether *name* is dropped as a member of an unknown object."""
    return len(name) <= MAX_NAME_CHARS and fold(name) in _FOLDED_INSIDE


def nameable(dropped: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names *dropped* that a response header can list."""
    return tuple(filter(is_nameable, dropped))[:MAX_IGNORED_NAMES]


class _Search:
    """Searches unknown values for fields that choose a model or bound a response; `dropped` lists them."""

    def __init__(self) -> None:
        self.dropped: list[str] = []
        self._looked_at = 0  # members checked since other greenlets ran

    def without_misspelled_options(self, options: Body) -> Body:
        """Return stream *options* without other spellings of the options that the gateway writes."""
        retained = {}
        for number, (name, value) in enumerate(options.items(), 1):
            if number % NAMES_PER_TURN == 0:
                end_turn()
            if (
                name in STREAM_OPTIONS
                or len(name) > MAX_NAME_CHARS
                or fold(name) not in _FOLDED_STREAM_OPTIONS
            ):
                retained[name] = value
            else:
                self.dropped.append(f"stream_options.{name}")
        return retained

    def without_disguised(self, value: Any, place: str) -> Any:
        """Return *value*, an array or object at *place*, without such fields."""
        self._looked_at += len(value)
        if self._looked_at >= NAMES_PER_TURN:
            self._looked_at = 0
            end_turn()
        return self._array(value, place) if type(value) is list else self._object(value, place)

    def _array(self, values: list[Any], place: str) -> list[Any]:
        return [
            self.without_disguised(inner, place) if type(inner) in (dict, list) else inner for inner in values
        ]

    def _object(self, members: Body, place: str) -> Body:
        retained = {}
        for number, (name, inner) in enumerate(members.items(), 1):
            if number % NAMES_PER_TURN == 0:
                end_turn()
            inside = f"{place}.{name}" if len(place) <= MAX_NAME_CHARS else place
            if is_disguised_inside(name) and inside not in _DOCUMENTED:
                self.dropped.append(inside)
            elif type(inner) in (dict, list) and inside not in _SCHEMAS:
                retained[name] = self.without_disguised(inner, inside)
            else:
                retained[name] = inner
        return retained
