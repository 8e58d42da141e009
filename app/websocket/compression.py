"""
permessage-deflate without contexts between messages, and with a bound on the inflated size of a message.

A context of zlib takes up to 300 kB for each direction of a connection.
Source: https://www.rfc-editor.org/rfc/rfc7692
"""

from __future__ import annotations

import zlib

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

COMPRESS_FROM_BYTES = 1024  # compression does not make a delta of some words smaller
TAIL = b"\x00\x00\xff\xff"  # the end of a message, which senders omit


class BoundedDeflate(PerMessageDeflate):
    """The server's side of the extension permessage-deflate."""

    def __init__(self, max_message_bytes: int) -> None:
        super().__init__(client_no_context_takeover=True, server_no_context_takeover=True)
        self._max_bytes = max_message_bytes
        self._inflated = 0  # inflated bytes of the current message

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        compressed = self._inbound_compressed
        result = super().frame_inbound_header(proto, opcode, rsv, payload_length)
        if opcode.iscontrol():  # a control frame may come between two fragments of a message
            self._inbound_compressed = compressed
        return result

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        if not self._inbound_compressed or not self._inbound_is_compressible:
            return data
        return self._inflate(data)

    def _inflate(self, data: bytes) -> bytes | CloseReason:
        assert self._decompressor is not None
        left = self._max_bytes - self._inflated + 1
        try:
            inflated = self._decompressor.decompress(data, left)
        except zlib.error:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        self._inflated += len(inflated)
        if self._inflated > self._max_bytes or self._decompressor.unconsumed_tail:
            return CloseReason.MESSAGE_TOO_BIG
        return inflated

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        if not fin or not self._inbound_is_compressible:
            return None
        if not self._inbound_compressed:
            self._inbound_compressed = None
            return None
        rest = self._inflate(TAIL)
        self._inflated = 0
        self._decompressor = None
        self._inbound_compressed = None
        return rest

    def frame_outbound(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        data: bytes,
        fin: bool,
    ) -> tuple[RsvBits, bytes]:
        if len(data) < COMPRESS_FROM_BYTES:  # each message is sent as one frame
            return rsv, data
        return super().frame_outbound(proto, opcode, rsv, data, fin)
