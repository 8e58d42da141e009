"""The content of one pool of a backup, to check its records against each other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from app.backup.value_checks import (
    Unfit,
    check_attribution,
    check_figure,
    check_hash,
    check_id,
    check_integer,
    check_json,
    check_text,
    integral,
    is_position,
)
from app.limits.limit_syntax import format_limit, parse_limit
from app.patterns import MAX_STARS, STAR
from app.stores import dump
from app.stores.ledger import MAX_MODELS
from app.stores.records.ledger import (
    FALLBACK_FIGURES,
    FIGURES,
    UNREPORTED,
    AttemptEntry,
    UsageSource,
    position_of,
)
from app.stores.records.limits import limits_from_json
from schemas.bounds import MAX_LIMITS, name_error


@dataclass(slots=True)
class PoolContents:
    """The content of one pool that was read so far; ledger entries are not held."""

    name: str
    last_id: str  # newest entry of the ledger
    deleted: str  # newest entry that was removed from the ledger; '' if unknown
    names: dict[str, dict[str, str]] = field(default_factory=dict)  # by hash: {name: id}
    records: dict[str, dict[str, str]] = field(default_factory=dict)  # by hash: {id: name}
    newest: dict[str, tuple[int, int]] = field(default_factory=dict)  # by stream: position of its last entry
    seen: set[str] = field(default_factory=set)  # keys other than streams and markers
    leases: set[str] = field(default_factory=set)
    teams: set[str] = field(default_factory=set)  # names in the list of teams
    team_records: set[str] = field(default_factory=set)
    teams_of_keys: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)  # about the record that was checked last

    def check_entries(self, entries: Any) -> None:
        """Check a page of the ledger."""
        self.check_stream(dump.LEDGER, entries)
        last = position_of(self.last_id) if self.last_id else (0, 0)
        for entry_id, fields in entries:
            if position_of(entry_id) > last:
                raise Unfit(f"entry {entry_id} is newer than the last one of the ledger")
            check_entry(orjson.loads(fields["row"]))
            if "why" in fields:
                check_json(fields["why"], "why", list)

    def check_stream(self, name: str, entries: Any) -> None:
        """Check that a page continues a stream in order, and has only texts."""
        if not isinstance(entries, list) or not entries:
            raise Unfit("must be a list of entries")
        for entry_id, fields in entries:
            if not is_position(entry_id):
                raise Unfit("has an entry without a proper id")
            position = position_of(entry_id)
            if position <= self.newest.get(name, (0, 0)):
                raise Unfit(f"entry {entry_id} is not newer than the one before it")
            self.newest[name] = position
            check_hash(fields)

    def check_complete(self) -> None:
        """Check that the lists of names match the records, after all records were read."""
        for names, what in (("accounts", "account"), ("keys", "API key")):
            listed = {of_id: name for name, of_id in self.names.get(names, {}).items()}
            if len(listed) != len(self.names.get(names, {})):
                raise Unfit(f"two names of one {what} are listed")
            if listed != self.records.get(names, {}):
                raise Unfit(f"the names of '{names}' are not those of the records")
        if self.teams != self.team_records:
            raise Unfit("the names of 'teams' are not those of the records")
        if missing := sorted(self.teams_of_keys - self.teams):
            raise Unfit(f"there is no team '{missing[0]}', which an API key has")
        if self.deleted and self.last_id and position_of(self.deleted) > position_of(self.last_id):
            raise Unfit("deleted is newer than the ledger's last entry")


def check_entry(row: Any) -> None:
    """Check one entry of the ledger as lua/requests.lua does when it writes one, and as readers need it."""
    for name in ("id", "key", "account", "model"):
        check_text(row[name], name, min_chars=0)
    UsageSource(row["source"])
    for name in ("at_ms", "day_ms", "status"):
        check_integer(integral(row[name]), name, 0, 10**14)
    for name in (*FIGURES, *UNREPORTED, *FALLBACK_FIGURES, "errors", "ceiling_cost"):
        check_figure(row, name)
    for name in (
        "endpoint",
        "error",
        "counted_as",
        "affinity",
        "service_tier",
        "team",
        "fallback_of",
        "stopped",
    ):
        if row.get(name) is not None:
            check_text(row[name], name, min_chars=0)
    check_integer(integral(row.get("models", 1)), "models", 1, MAX_MODELS)
    check_attribution(row)
    for passed in row.get("passed_over") or ():
        for each in (passed, *passed["seen"]):
            for name, text in each.items():
                if name != "seen":
                    check_text(text, "passed_over", min_chars=0)
    for listed in ("attempts", "charges"):
        for attempt in row.get(listed) or ():
            parsed = AttemptEntry.from_json(attempt)
            for text in (parsed.account, parsed.failure, parsed.scope, parsed.error, parsed.upstream_code):
                check_text(text, listed, min_chars=0)
            if parsed.upstream_status is not None:
                check_integer(integral(parsed.upstream_status), "upstream_status", 0, 999)
            for name in (*FIGURES, *UNREPORTED, "ceiling_cost"):
                check_figure(attempt, name)
    if row.get("attempts_counted") and not row["attempts"]:
        raise Unfit("counts attempts that it does not have")


def check_limits(pool: PoolContents, text: str) -> None:
    limits = limits_from_json(check_json(text, "limits", list))
    if len({limit.id for limit in limits}) != len(limits):
        raise Unfit("two limits have the same id")
    for limit in limits:
        check_id(limit.id, "the id of a limit")
        parse_limit(format_limit(replace(limit, model=None)))
    check_names(pool, [limit.model for limit in limits if limit.model is not None])
    if any(limit.model and limit.model.count(STAR) > MAX_STARS for limit in limits):
        raise Unfit(f"a pattern of models must have at most {MAX_STARS} times '{STAR}'")
    if len(limits) > MAX_LIMITS:
        pool.warnings.append(
            f"has {len(limits)} limits, all of which every request checks; {MAX_LIMITS} can be set now: "
            "remove some with poolgate limit remove"
        )


def check_names(pool: PoolContents, names: Any) -> None:
    """Check names of models as earlier versions accepted them; warn of names that no request can have."""
    if not isinstance(names, list):
        raise Unfit("models must be a list")
    for name in names:
        check_text(name, "the name of a model")
        if error := name_error(name):
            pool.warnings.append(
                f"the model '{name[:80]}' {error}, so no request can name it: give it again without"
            )
