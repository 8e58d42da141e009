"""Streamed responses: chat chunks <-> Responses events, and repairs within one protocol."""
