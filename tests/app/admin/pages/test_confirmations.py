"""Changes that a click on the same page cannot undo."""

from __future__ import annotations

import re

from flask import Flask

CONFIRMED = re.compile("^(remove|revoke|disable|unlink|end_sessions|end_all|reset)")
AT_ONCE = {"security.end_sessions"}  # one session of one's own


def test_each_has_a_confirmation(app: Flask) -> None:
    """The tests walk the url_map, so this holds for future pages: a view for POST alone acts at once."""
    rules = [
        rule
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("api.") and CONFIRMED.match(rule.endpoint.rpartition(".")[2])
    ]

    assert len(rules) > 10
    assert [one.endpoint for one in rules if "GET" not in (one.methods or ())] == [*AT_ONCE]
