"""gunicorn's response, with fewer calls for the usual headers and for each chunk of a stream."""

from __future__ import annotations

from gunicorn import util
from gunicorn.http import wsgi

MAX_NAMES = 256  # more than the code has; a bound, because upstreams can invent names
LENGTH = "Content-Length"

_checked: set[str] = set()  # valid names that were sent before, without hop-by-hop headers


class Response(wsgi.Response):  # type: ignore[misc]
    """The same bytes as those of gunicorn's own response."""

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Check and store *headers*. A check of each one takes 3 % more of a small request's instructions."""
        if not _checked.issuperset([name for name, _ in headers]):
            super().process_headers(headers)
            _remember([name for name, _ in headers])
            return
        texts = [value for _, value in headers]
        if not (set(map(type, texts)) <= {str} and wsgi.HEADER_VALUE_RE.fullmatch("".join(texts))):
            super().process_headers(headers)  # raises for the invalid one
            return
        for name, value in headers:
            if name == LENGTH:
                self.response_length = int(value)
        self.headers += [(name, value.strip(" \t")) for name, value in headers]

    def send_headers(self) -> None:
        """Send the head, once; it is not retained while a stream lasts."""
        if not self.headers_sent:
            super().send_headers()
            self.headers: list[tuple[str, str]] = []

    def write(self, arg: bytes) -> None:
        """Send *arg*; a chunk of a stream that has begun by one call instead of five."""
        if not (self.headers_sent and self.chunked and type(arg) is bytes):
            super().write(arg)
        elif arg:  # an empty chunk would end the response
            self.sent += len(arg)
            self.sock.sendall(b"%X\r\n%b\r\n" % (len(arg), arg))


def _remember(names: list[str]) -> None:
    """Add *names*, which are valid, to those that need no further check."""
    for name in names:
        is_usual = not util.is_hoppish(name) and (name == LENGTH or name.lower() != LENGTH.lower())
        if is_usual and len(_checked) < MAX_NAMES:
            _checked.add(name)
