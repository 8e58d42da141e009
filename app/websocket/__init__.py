"""WebSocket for the Responses API: connections, their lanes, and the conversations that these continue."""
