"""What the kernel knows about a connection, read without waiting and without switching greenlets."""

from __future__ import annotations

import select
import socket
import struct
from typing import Any, NamedTuple

from gevent.monkey import get_original

# Fields of struct tcp_info: tcpi_state (the first byte), tcpi_bytes_acked.
# Source: Linux, include/uapi/linux/tcp.h and include/net/tcp_states.h
_CLOSE_WAIT = 8
_BYTES_ACKED = struct.Struct("=Q")
_BYTES_ACKED_OFFSET = 120
_poll = get_original("select", "poll")  # gevent's own switches to other greenlets, which takes time


class TcpState(NamedTuple):
    acknowledged_bytes: int  # bytes that the peer has acknowledged since the connection began
    closed_by_peer: bool  # the peer closed orderly, and has not reset the connection since


def is_readable(sock: Any) -> bool:
    """Return whether *sock* has something to read: bytes, or that its peer has closed."""
    poll = _poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def tcp_state(sock: Any) -> TcpState | None:
    """
    Return what the kernel knows about the peer of *sock*.

    None if that is not available: on systems other than Linux, and for connections other than TCP.
    """
    option = getattr(socket, "TCP_INFO", None)
    try:
        info = b"" if option is None else sock.getsockopt(socket.IPPROTO_TCP, option, 256)
        (count,) = _BYTES_ACKED.unpack_from(info, _BYTES_ACKED_OFFSET)
    except (OSError, struct.error):
        return None
    return TcpState(count, closed_by_peer=info[0] == _CLOSE_WAIT) if count else None
