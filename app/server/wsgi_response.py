"""gunicorn's response, which checks the headers of a usual response together."""

from __future__ import annotations

from gunicorn import util
from gunicorn.http import wsgi

MAX_NAMES = 256  # more than the names in our code; names that upstreams invent must not grow this
LENGTH = "Content-Length"

_checked: set[str] = set()  # valid names that were sent before, none of them hop-by-hop


class Response(wsgi.Response):  # type: ignore[misc]
    """A response whose headers need one check of all values where their names are known."""

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Check and store *headers*: 3 % of a small request's instructions less than one by one."""
        if not _checked.issuperset([name for name, _ in headers]):
            super().process_headers(headers)
            _remember([name for name, _ in headers])
            return
        texts = [value for _, value in headers]
        if not (set(map(type, texts)) <= {str} and wsgi.HEADER_VALUE_RE.fullmatch("".join(texts))):
            super().process_headers(headers)  # raises for the one that is not valid
            return
        for name, value in headers:
            if name == LENGTH:
                self.response_length = int(value)
        self.headers += [(name, value.strip(" \t")) for name, value in headers]


def _remember(names: list[str]) -> None:
    """Remember *names*, which were found valid."""
    for name in names:
        is_usual = not util.is_hoppish(name) and (name == LENGTH or name.lower() != LENGTH.lower())
        if is_usual and len(_checked) < MAX_NAMES:
            _checked.add(name)
