"""What a checkup found, and how findings that many accounts share become one line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

WRONG, NOTE = "wrong", "note"
ACCOUNT, KEY = "account", "key"
MAX_NAMES = 10  # written out in one line


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something to know about `where`; `wrong` needs attention, and `mend` says what to do.

    `subject` is ACCOUNT or KEY where the finding is about those called `names`, which are in the pool
    `where`; in their `mend` NAME stands for one of them. `detail` is what differs between them.
    """

    level: str
    where: str
    what: str
    mend: str = ""
    subject: str = ""
    names: tuple[str, ...] = ()
    detail: str = ""

    def public(self) -> dict[str, Any]:
        """Return it as JSON shows it; what differs between accounts or keys is in `what` by then."""
        shown = asdict(self)
        del shown["detail"]
        return shown


def grouped(found: Iterable[Finding]) -> list[Finding]:
    """Return *found* in order, those that differ by name and detail alone as one that has all the names."""
    groups: dict[Finding, list[tuple[str, str]]] = {}
    for one in found:
        members = groups.setdefault(replace(one, names=(), detail=""), [])
        members += [(name, one.detail) for name in one.names]
    return [_written(group, members) for group, members in groups.items()]


def _written(group: Finding, members: list[tuple[str, str]]) -> Finding:
    if not members:
        return group
    names = tuple(name for name, _ in members)
    if len(members) == 1:
        ((name, detail),) = members
        what = f"{group.what} {detail}" if detail else group.what
        where, mend = f"{group.where}/{name}", group.mend.replace("NAME", name)
        return replace(group, where=where, what=what, mend=mend, names=names)
    shown = [f"{name} ({detail})" if detail else name for name, detail in members[:MAX_NAMES]]
    more = f" and {len(members) - MAX_NAMES} more" if len(members) > MAX_NAMES else ""
    where = f"{group.where}: {len(members)} {group.subject}s"
    return replace(group, where=where, what=f"{group.what}: {', '.join(shown)}{more}", names=names)
