"""Pairs of streams in files: what an upstream sends, and what its client receives."""

from __future__ import annotations

from pathlib import Path

from app.streaming.events import DONE
from app.streaming.sse import EventDecoder

FIXTURES = Path(__file__).parent / "fixtures"
CUTS = ("whole", "event by event", "byte by byte")


def names(folder: str, suffix: str) -> list[str]:
    return sorted(path.name.removesuffix(suffix) for path in (FIXTURES / folder).glob(f"*{suffix}"))


def read(folder: str, name: str) -> bytes:
    return (FIXTURES / folder / name).read_bytes()


def pieces(stream: bytes, cut: str) -> list[bytes]:
    if cut == "whole":
        return [stream]
    if cut == "event by event":
        return [event + b"\n\n" for event in stream.split(b"\n\n") if event]
    return [stream[index : index + 1] for index in range(len(stream))]


def decoded(stream: bytes) -> list[dict]:
    """Return the payloads of a complete stream, without the sentinel."""
    decoder = EventDecoder()
    return [event.payload for event in decoder.decode_events(stream) if event is not DONE]


def translated(stream: bytes, cut: str, translator) -> list[dict]:
    """Return the translation of *stream* by *translator* when it arrives in pieces."""
    decoder, out = EventDecoder(), []
    for piece in pieces(stream, cut):
        out += translator.translate(decoder.decode_events(piece))
    out += translator.translate(decoder.flush()) + translator.finish()
    assert decoder.error is None
    return [event.payload for event in out]
