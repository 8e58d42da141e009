"""
Changes of several rows of a list at once: keys, accounts or teams.

The form of the list names the change and the selected rows. The confirmation page lists these rows, and has
the fields of the change. Each row is changed by its own operation, so a failure does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import flash, g, redirect, render_template, request, url_for

from app.admin.guard import operations
from app.admin.pages import limit_rows
from app.admin.pages.forms import Form
from app.admin.services import services
from app.formatting import counted
from app.operations.each import Result, Unchanged, apply_each, unless_equal
from app.operations.limits import was_there
from app.operations.service import AdminOperations
from app.wiring import Services
from schemas.bulk import MAX_BULK

MAX_BACK_CHARS = 2000

Apply = Callable[[str], object]  # changes the object with that name; a returned text is shown


def without_fields(
    operation: Callable[[AdminOperations], Callable[[str, str], object]],
    stored: Callable[[Services], Callable[[str, str], object]] | None = None,
) -> Callable[[Form], Apply]:
    """
    Return the `read` of a change without fields: the method that *operation* selects makes it.

    With *stored*, which selects the method that reads an object, those that are the same afterwards count as
    not changed.
    """

    def read(_: Form) -> Apply:
        apply = partial(operation(operations()), g.pool)
        return unless_equal(partial(stored(services()), g.pool), apply) if stored else apply

    return read


def add_limit(owner: Literal["key", "team"]) -> Callable[[Form], Apply]:
    """Return the `read` of a change that adds a limit to each *owner*, and shows probable mistakes."""

    def read(form: Form) -> Apply:
        make_limit = limit_rows.read_new(form)

        def apply(name: str) -> object:
            limits, owned_by = operations().limits, {owner: name}
            read = make_limit()
            added = limits.add(g.pool, read, **owned_by)
            if was_there(read, added):
                return Unchanged("it has this limit already")
            return "; ".join(limits.find_warnings(g.pool, added, **owned_by))

        return apply

    return read


@dataclass(frozen=True, slots=True)
class BulkChange:
    """
    A change of several objects; `text` describes its consequences.

    `read` raises InvalidRequest or ValidationError, or records errors in the form.
    """

    verb: str  # text of the button
    done: str  # participle in the notice: `3 keys were …`
    text: str
    read: Callable[[Form], Apply]
    is_destructive: bool = False
    find_warnings: Callable[[Sequence[str]], Sequence[str]] = lambda _: ()  # about the change of these names


@dataclass(frozen=True, slots=True)
class BulkPage:
    """The changes that the list at *endpoint* offers; *template* has their *fields*."""

    noun: str
    endpoint: str
    section: str
    changes: Mapping[str, BulkChange]
    template: str
    fields: Sequence[str]
    matching: Callable[[Mapping[str, str]], Sequence[str]]  # names in the list with this query
    choices: Callable[[Form], Mapping[str, object]] = lambda _: {}  # values for the fields
    workers: int = 1  # objects that are changed in parallel

    @property
    def buttons(self) -> list[tuple[str, str, str]]:
        """The buttons, in the form of `lists.bulk_bar`."""
        return [
            (do, one.verb, "danger" if one.is_destructive else "quiet") for do, one in self.changes.items()
        ]

    def respond(self, begun: Mapping[str, str] | None = None) -> Any:
        """Show the confirmation, whose form begins with *begun*; once it is confirmed, make the change."""
        form = Form({**(begun or {}), **request.form}, *self.fields)
        change, names = self.changes.get(form["do"]), self._names(form)
        if change is None:
            return _return_to_list(self._back(form), f"Choose what to do with the selected {self.noun}s.")
        if not names:
            return _return_to_list(self._back(form), f"Select at least one {self.noun}.")
        if len(names) > MAX_BULK:
            notice = f"At most {MAX_BULK} {self.noun}s can be changed at once; none was."
            return _return_to_list(self._back(form), notice)
        if form["confirmed"]:
            with form.collect_errors():
                apply = change.read(form)
                if not form.errors:
                    return self._results(form, change, apply_each(apply, names, workers=self.workers))
        return render_template(
            self.template,
            **self._shown(form, change),
            form=form,
            names=names,
            warnings=change.find_warnings(names),
            **self.choices(form),
        ), form.status

    def _names(self, form: Form) -> Sequence[str]:
        """Return the selected names or, with `all`, those of all that the list showed."""
        if form["all"]:
            return self.matching(_query(form))
        return list(dict.fromkeys(request.form.getlist("name")))

    def _results(self, form: Form, change: BulkChange, results: Sequence[Result]) -> Any:
        """Show the results; return to the list if there is nothing more to show than the summary."""
        done, failed = sum(result.is_change for result in results), sum(not result.ok for result in results)
        summary = f"{counted(done, self.noun)} {'was' if done == 1 else 'were'} {change.done}."
        if same := len(results) - done - failed:
            summary += f" {counted(same, self.noun)} needed no change."
        if failed:
            summary += f" {counted(failed, self.noun)} failed."
        shown = sorted((result for result in results if result.text), key=lambda result: result.ok)
        if not shown:
            return _return_to_list(self._back(form), summary)
        return render_template(
            "bulk/results.html",
            **self._shown(form, change),
            summary=summary,
            results=shown,
            detail=self.endpoint.replace(".show", ".detail"),
        ), 409 if failed else 200

    def _shown(self, form: Form, change: BulkChange) -> dict[str, Any]:
        return {"section": self.section, "noun": self.noun, "change": change, "back": self._back(form)}

    def _back(self, form: Form) -> str:
        """Return the address of the list that sent the form."""
        query = _query(form)
        return url_for(self.endpoint) + (f"?{urlencode(query)}" if query else "")


def _query(form: Form) -> dict[str, str]:
    """Return the query of the list that sent the form."""
    try:
        return dict(parse_qsl(urlsplit(form["back"][:MAX_BACK_CHARS]).query, max_num_fields=30))
    except ValueError:  # not an address, or too many fields
        return {}


def _return_to_list(address: str, notice: str) -> Any:
    flash(notice)
    return redirect(address, 303)
