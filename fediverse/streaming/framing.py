"""What goes over the wire of a stream: WebSocket frames (RFC 6455) and server-sent events (HTML standard §9.2).

Frames that are sent are made once and written to every socket that gets them. What clients send is little: messages of
a few words, pings and pongs, so that the whole of a reader's state is the bytes of one unfinished message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TEXT: Final = 0x1
_BINARY: Final = 0x2
_CONTINUED: Final = 0x0
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED: Final = 1003
NOT_TEXT: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009

#: A message that clients send names a stream and a tag.
MAX_MESSAGE: Final = 4096
_MAX_CONTROL: Final = 125


class FrameError(Exception):
    """The client does not keep to the protocol; ``code`` is what the connection is closed with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole message or a control frame that came in."""

    opcode: int
    data: bytes


def frame(opcode: int, data: bytes) -> bytes:
    """A whole message from the server as it goes over the wire."""
    size = len(data)
    if size < 126:
        return bytes((0x80 | opcode, size)) + data
    if size < 0x10000:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + data
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + data


def close_frame(code: int) -> bytes:
    """The frame that ends a connection, with the reason's number."""
    return frame(CLOSE, code.to_bytes(2, "big"))


def event(name: str, data: bytes) -> bytes:
    """A server-sent event, as a chunk of the body."""
    # JSON has no line ends of its own, and neither has an id.
    return chunk(b"event: %b\ndata: %b\n\n" % (name.encode(), data))


def chunk(data: bytes) -> bytes:
    """A part of a body of unknown length (RFC 9112 §7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


#: What an event stream gets now and then, so that nobody in between takes it for dead.
THUMP: Final = chunk(b":thump\n")
#: The end of a body of unknown length.
END: Final = b"0\r\n\r\n"


class Reader:
    """Frames out of the bytes that a client sends, however they are cut into pieces."""

    __slots__ = ("_bytes", "_message")

    def __init__(self) -> None:
        self._bytes = b""  # of a frame that is not complete yet
        self._message: bytes | None = None  # of a message that is not complete yet

    @property
    def is_idle(self) -> bool:
        """Whether nothing is remembered: no frame and no message is half there."""
        return not self._bytes and self._message is None

    def feed(self, data: bytes) -> list[Frame]:
        """The messages and control frames that are complete now. Raises FrameError."""
        data = self._bytes + data if self._bytes else data
        found: list[Frame] = []
        at = 0
        while (size := self._measure(data, at)) is not None:
            complete = self._take(data[at : at + size])
            at += size
            if complete is not None:
                found.append(complete)
        self._bytes = bytes(data[at:])
        return found

    @staticmethod
    def _measure(data: bytes, at: int) -> int | None:
        """How many bytes the frame that begins at ``at`` has; None when they are not all there."""
        left = len(data) - at
        if left < 2:
            return None
        first, second = data[at], data[at + 1]
        opcode, length = first & 0x0F, second & 0x7F
        # No extension was agreed on, and clients mask everything (RFC 6455 §5.1, §5.2).
        if first & 0x70 or not second & 0x80:
            raise FrameError(PROTOCOL_ERROR)
        if opcode >= CLOSE and (length > _MAX_CONTROL or not first & 0x80):
            raise FrameError(PROTOCOL_ERROR)
        if opcode not in (_CONTINUED, TEXT, _BINARY, CLOSE, PING, PONG):
            raise FrameError(PROTOCOL_ERROR)
        if length == 127:
            raise FrameError(TOO_BIG)
        if length < 126:
            size = 6 + length
        elif left < 4:
            return None
        else:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            size = 8 + length
        if length > MAX_MESSAGE:
            raise FrameError(TOO_BIG)
        return size if left >= size else None

    def _take(self, whole: bytes) -> Frame | None:
        """The message or control frame that this frame is, or completes."""
        opcode, is_last = whole[0] & 0x0F, whole[0] & 0x80
        start = 4 if whole[1] & 0x7F == 126 else 2
        data = _unmasked(whole[start + 4 :], whole[start : start + 4])
        if opcode >= CLOSE:
            return Frame(opcode, data)
        if opcode == _BINARY:
            raise FrameError(UNSUPPORTED)
        if (opcode == _CONTINUED) != (self._message is not None):
            raise FrameError(PROTOCOL_ERROR)
        message = (self._message or b"") + data
        if len(message) > MAX_MESSAGE:
            raise FrameError(TOO_BIG)
        self._message = None if is_last else message
        return Frame(TEXT, message) if is_last else None


def _unmasked(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
