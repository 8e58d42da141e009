"""A request that may be sent over WebSocket, apart from what sends it, which only web processes import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from app.upstream.conversation_turns import Turn

Conversation = tuple[str, int, str]  # account id, its version, and the conversation's name


class WebSocketRequest(NamedTuple):
    """One turn, as it is sent to *account_id*; *client_headers* are the client's own that may pass."""

    account_id: str
    version: int
    turn: Turn
    headers: Mapping[str, str]
    client_headers: Mapping[str, str]
    connect_seconds: float
    read_seconds: float  # until the first event

    @property
    def conversation(self) -> Conversation:
        return self.account_id, self.version, self.turn.conversation
