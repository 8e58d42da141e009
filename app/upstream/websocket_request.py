"""A request that may be sent over WebSocket. Its sender is separate: only web processes import that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from app.upstream.conversation_turns import Turn

Conversation = tuple[str, int, str]  # account id, version of the account, name of the conversation


class WebSocketRequest(NamedTuple):
    """One turn for *account_id*; *client_headers* are headers of the client that may be forwarded."""

    account_id: str
    version: int
    turn: Turn
    headers: Mapping[str, str]
    client_headers: Mapping[str, str]
    connect_seconds: float
    read_seconds: float  # time limit for the first event

    @property
    def conversation(self) -> Conversation:
        return self.account_id, self.version, self.turn.conversation
