"""Page of webhooks: addresses to which alerts about a pool are sent."""

from __future__ import annotations

from typing import Any

from flask import g, render_template, request, url_for
from markupsafe import Markup

from app.admin.guard import operations, requires
from app.admin.pages import formatting
from app.admin.pages.confirmations import ConfirmedChange, confirm
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint, redirect_with_notice, redirect_with_warning
from app.admin.pages.shown_values import check_shown
from app.admin.services import services
from app.presentation.webhooks import WebhookView, webhook_views
from app.stores.records.operators import Role
from app.stores.records.webhooks import DEFAULT_REMINDER_HOURS, AlertKind, Webhook
from schemas.webhooks import FORMATS, WEBHOOK_CHANGE, WEBHOOK_INPUT

bp = page_blueprint("webhooks", "/settings/alerts")

KIND_LABELS = {
    AlertKind.ACCOUNT: "An account needs attention",
    AlertKind.LIMIT: "A limit is used up to 80 or 100 %",
    AlertKind.POOL: "No account can serve",
    AlertKind.ERRORS: "Many requests fail",
    AlertKind.STORE: "Redis is away",
}
FORMAT_LABELS = {"json": "JSON, signed", "slack": "Slack, Mattermost, Discord"}
SECTION = "settings.show"
REMOVE = ConfirmedChange(
    "Remove",
    "webhook",
    "No alerts are sent to it any more, and messages that wait are dropped. Its URL and secret are deleted.",
    SECTION,
)
FIELDS = ("name", "url", "format", "secret", "private", "remind_hours", *KIND_LABELS)


@bp.route("", methods=["GET", "POST"])
@requires(Role.ADMIN, to_read=Role.VIEWER)
def show() -> Any:
    """List the webhooks of the pool; add, change and test one."""
    views = {view["name"]: view for view in _views()}
    edited = views.get(request.args.get("name", ""))
    initial = _form_values(edited)
    form = Form(request.form if request.method == "POST" else initial, *FIELDS, under={"on": "account"})
    if edited:
        check_shown(form, initial, "alert", edited["name"])
    added: Webhook | None = None
    if request.method == "POST" and not form.errors:
        with form.collect_errors():
            if form["do"] == "test":
                return _test(form["name"])
            if edited:
                operations().webhooks.change(g.pool, edited["name"], WEBHOOK_CHANGE.load(_fields(form)))
                return redirect_with_notice(f"{edited['name']} was changed.", "webhooks.show")
            fields = {**_fields(form), **form.filled("name")}
            added = operations().webhooks.add(g.pool, WEBHOOK_INPUT.load(fields))
            if not added.secret or form["secret"]:
                return redirect_with_notice(f"Alerts are sent to {added.name} from now on.", "webhooks.show")
            form = Form(_form_values(None), *FIELDS)
    page = render_template(
        "settings/webhooks.html",
        section=SECTION,
        form=form,
        edited=edited,
        rows=[(view, _state(view)) for view in _views()],
        kinds=KIND_LABELS.items(),
        formats=[(name, FORMAT_LABELS[name]) for name in FORMATS],
        added=added,
    )
    return page, form.status


@bp.route("/remove", methods=["GET", "POST"])
def remove() -> Any:
    """Remove the webhook that the query names, after a confirmation."""
    name = services().alerting.webhooks.find(g.pool, request.args.get("name", "")).name
    back = url_for("webhooks.show")
    return confirm(REMOVE, name, lambda _: operations().webhooks.remove(g.pool, name), back=back)


def _views() -> list[WebhookView]:
    alerting = services().alerting
    return webhook_views(alerting.alerts, g.pool, alerting.webhooks.all(g.pool))


def _form_values(view: WebhookView | None) -> dict[str, str]:
    """Return the initial form, of *view* or with the defaults; URLs and secrets are not shown."""
    if view is None:
        return {"remind_hours": f"{DEFAULT_REMINDER_HOURS}"} | {str(kind): "yes" for kind in KIND_LABELS}
    return {
        "name": view["name"],
        "format": view["format"],
        "remind_hours": f"{view['remind_hours']}",
        "private": "yes" if view["private"] else "",
        **{str(kind): "yes" for kind in view["on"]},
    }


def _test(name: str) -> Any:
    """Send a test message to the webhook *name*, and return to the page with the result."""
    attempt = operations().webhooks.test(g.pool, name)
    if attempt.is_delivered:
        message = f"{name} accepted a test message, with status {attempt.status}."
        return redirect_with_notice(message, "webhooks.show")
    message = f"{name} did not accept a test message: {attempt.error}."
    return redirect_with_warning(message, "webhooks.show")


def _fields(form: Form) -> dict[str, Any]:
    return {
        **form.filled("url", "format", "secret"),
        "on": [kind.value for kind in KIND_LABELS if form[kind]],
        "private": bool(form["private"]),
        "remind_hours": form.integer("remind_hours"),
    }


def _state(view: WebhookView) -> Markup:
    if not view["readable"]:
        return formatting.badge(formatting.State("encrypted with another key", "bad"))
    if view["error"]:
        return formatting.badge(formatting.State("failing", "bad"))
    if view["delivered_at"]:
        return formatting.badge(formatting.State("delivered", "ok"))
    return formatting.badge(formatting.State("nothing sent yet", "off"))
