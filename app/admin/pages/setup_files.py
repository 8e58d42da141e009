"""
Pages that apply a set-up file or LiteLLM's configuration after a preview, and download the pool as a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Response, g, render_template, request

from app import administration
from app.admin.guard import operations
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.pages.sealed_forms import seal, unseal
from app.admin.services import services
from app.errors import InvalidRequest
from app.operations.setup.changes import MadeChange, PlannedChange, make_changes, summary
from app.operations.setup.descriptions import describe, title
from app.operations.setup.dump import dump_setup
from app.operations.setup.litellm import convert_litellm
from app.operations.setup.mistakes import find_mistakes
from app.operations.setup.plan import SetupPlan, plan_document
from app.operations.setup.remarks import Remark
from app.operations.setup.yaml_text import parse_yaml, write_yaml
from app.yielding import end_turn

MAX_FILE_BYTES = 1024 * 1024
MAX_LIST_BYTES = 8 * 1024 * 1024  # the list of LiteLLM's keys
MAX_ROWS = 500  # changes on a page
MAX_SHOWN_CHARS = 100_000  # of a document in the preview
SECRET_FIELD = "secret-"  # prefix of the field of a variable
NO_FILE = "choose a file, or paste its content"

bp = page_blueprint("setup_files", "/settings/setup")


@dataclass(frozen=True, slots=True)
class Staged:
    """A *document* that was previewed, the *secrets* from its file, and a digest of the changes."""

    document: Any
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    digest: str = ""


@bp.route("", methods=["GET", "POST"])
def show() -> Any:
    """Preview the changes of a document, then apply it."""
    form = Form(request.form, "file", "document")
    if request.method == "POST":
        with form.collect_errors():
            if form["do"] == "apply":
                return _apply(form)
            return _preview(form, Staged(_sent_yaml(form, "file", "document")))
    return _page("settings/setup.html", form)


@bp.route("/litellm", methods=["GET", "POST"])
def litellm() -> Any:
    """Preview the import of LiteLLM's configuration with a report, then import it."""
    form = Form(request.form, "file", "document", "keys", "teams", "variables")
    remarks: list[Remark] = []
    if request.method == "POST":
        form.redirect_errors("model_list", "document")
        with form.collect_errors():
            if form["do"] == "apply":
                return _apply(form)
            converted = convert_litellm(
                _sent_yaml(form, "file", "document"),
                _variables(form),
                keys=_sent_json("keys"),
                teams=_sent_json("teams"),
                reads_included=False,
            )
            remarks = converted.remarks
            if "accounts" not in converted.document:
                raise InvalidRequest("has no deployment that can be imported", param="document")
            return _preview(form, Staged(converted.document, converted.secrets), remarks)
    return _page("settings/litellm.html", form, remarks=remarks)


@bp.get("/download")
def download() -> Response:
    """Send the pool as a YAML file."""
    text = write_yaml(dump_setup(g.pool, administration.setup_stores(services())))
    headers = {"Content-Disposition": f'attachment; filename="{g.pool}.yaml"'}
    return Response(text, mimetype="application/yaml", headers=headers)


def _page(template: str, form: Form, **values: Any) -> tuple[str, int]:
    return render_template(template, section="settings.show", form=form, **values), form.status


def _sent(name: str, max_bytes: int) -> bytes:
    """Return the content of the uploaded file *name*, empty if there is none. Raises InvalidRequest."""
    sent = request.files.get(name)
    if sent is None:
        return b""
    with closing(sent):
        data: bytes = sent.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise InvalidRequest(f"is larger than {max_bytes} bytes", param=name)
    return data


def _sent_yaml(form: Form, file: str, text: str) -> Any:
    """Return the content of the uploaded *file*, else of the *text*. Raises InvalidRequest."""
    data = _sent(file, MAX_FILE_BYTES)
    param = file if data else text
    data = data or form[text].encode("utf-8", "replace")
    if not data.strip():
        raise InvalidRequest(NO_FILE, param=file)
    try:
        return parse_yaml(data, end_turn)
    except InvalidRequest as error:
        raise InvalidRequest(f"cannot be read: {error.message}", param=param) from None


def _sent_json(name: str) -> Any:
    """Return the content of the uploaded JSON file *name*, None if there is none. Raises InvalidRequest."""
    data = _sent(name, MAX_LIST_BYTES)
    try:
        return orjson.loads(data) if data else None
    except orjson.JSONDecodeError:
        raise InvalidRequest("is not JSON", param=name) from None


def _variables(form: Form) -> dict[str, str]:
    """Return the lines `NAME=value` of the form as a mapping."""
    pairs = (line.partition("=") for line in form["variables"].splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _plan(document: Any, secrets: Mapping[str, str]) -> SetupPlan:
    try:
        return plan_document(document, g.pool, operations(), administration.setup_stores(services()), secrets)
    except InvalidRequest as error:
        message = error.message if error.param else f"The file {error.message}"
        raise InvalidRequest(message, param=error.param) from None


def _preview(form: Form, staged: Staged, remarks: Sequence[Remark] = ()) -> tuple[str, int]:
    """Return the page that shows the changes of *staged*, and a form that applies them."""
    plan = _plan(staged.document, staged.secrets)
    changed = [change for change in plan.changes if change.is_change]
    sealed = seal(
        services().vault,
        g.pool,
        {"document": staged.document, "secrets": staged.secrets, "digest": _digest(plan)},
    )
    return _page(
        "settings/setup_preview.html",
        form,
        rows=[
            (str(change.action), title(change), list(describe(change, "→"))) for change in changed[:MAX_ROWS]
        ],
        cut=max(0, len(changed) - MAX_ROWS),
        summary=summary(plan.changes, dry_run=True),
        notes=[
            *_mistakes(plan.changes),
            *(f"{title(change)}: {note}" for change in plan.changes for note in change.notes),
        ][:MAX_ROWS],
        secrets=[(name, name in plan.missing) for name in plan.secrets if name not in staged.secrets],
        remarks=[(remark.imported, remark.path, remark.text) for remark in remarks],
        text=write_yaml(staged.document)[:MAX_SHOWN_CHARS],
        sealed=sealed,
    )


def _digest(plan: SetupPlan) -> str:
    shown = [change.public() for change in plan.changes]
    return hashlib.sha256(orjson.dumps(shown, default=str)).hexdigest()


def _apply(form: Form) -> tuple[str, int]:
    """Apply the previewed changes; show the preview again if a secret is missing or the pool has changed."""
    staged = Staged(**unseal(services().vault, g.pool, form["sealed"]))
    typed = {
        name.removeprefix(SECRET_FIELD): value.strip()
        for name, value in request.form.items()
        if name.startswith(SECRET_FIELD)
    }
    second = Form(request.form, *(f"{SECRET_FIELD}{name}" for name in typed))
    if _digest(_plan(staged.document, staged.secrets)) != staged.digest:
        second.add_error("", "The pool has changed in the meantime. These are the changes now:")
        return _preview(second, staged)
    with second.collect_errors():
        plan = _plan(staged.document, {**typed, **staged.secrets})
        for name in plan.missing:
            second.add_error(f"{SECRET_FIELD}{name}", "is needed for a new account or webhook")
        if not second.errors:
            return _made(plan)
    return _preview(second, staged)


def _mistakes(changes: Sequence[PlannedChange]) -> list[str]:
    stores, now = administration.setup_stores(services()), services().clock.now()
    found = find_mistakes(stores, g.pool, changes, now)
    return [f"{title(change)}: {sentence}." for change, sentence in found]


def _made(plan: SetupPlan) -> tuple[str, int]:
    """Make the changes, and return the page that shows them with the new secrets."""
    form, made = Form({}), list[MadeChange]()
    with form.collect_all_errors():
        for change in make_changes(plan.changes, dry_run=False):
            made.append(change)
    warnings: list[str] = []
    with form.collect_all_errors():
        warnings = _mistakes([one.change for one in made])
    warnings += [f"{title(one.change)}: {note}." for one in made for note in one.change.notes]
    changed = [one for one in made if one.change.is_change]
    return _page(
        "settings/setup_made.html",
        form,
        rows=[(str(one.change.action), title(one.change)) for one in changed[:MAX_ROWS]],
        cut=max(0, len(changed) - MAX_ROWS),
        secrets=[(title(one.change), one.change.secret_name, one.secret) for one in made if one.secret],
        summary=summary([one.change for one in made], dry_run=False),
        warnings=warnings,
    )
