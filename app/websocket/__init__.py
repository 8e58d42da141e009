"""WebSocket for the Responses API: a connection, its lanes, and the state that continues a conversation."""
