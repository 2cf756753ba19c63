"""The wire of streams: WebSocket frames from bytes cut anywhere, and what is no frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fediverse.streaming import framing
from fediverse.streaming.framing import CLOSE, MAX_MESSAGE, PING, TEXT, Frame, FrameError, Reader


def masked(opcode: int, data: bytes, *, fin: bool = True, mask: bytes = b"abcd") -> bytes:
    """A frame as a client sends it."""
    first = (0x80 if fin else 0) | opcode
    size = len(data)
    length = bytes((0x80 | size,)) if size < 126 else bytes((0x80 | 126,)) + size.to_bytes(2, "big")
    return bytes((first,)) + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


@given(
    st.lists(st.tuples(st.binary(max_size=300), st.binary(min_size=4, max_size=4), st.integers(0, 5)), max_size=6),
    st.lists(st.integers(1, 40), min_size=1, max_size=40),
)
def test_messages_come_whole_however_they_are_cut(messages: list[tuple[bytes, bytes, int]], cuts: list[int]) -> None:
    wire = b""
    for data, mask, parts in messages:
        size = len(data) // (parts + 1) + 1
        pieces = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        for number, piece in enumerate(pieces):
            wire += masked(TEXT if not number else 0, piece, fin=number == len(pieces) - 1, mask=mask)
            wire += masked(PING, b"in between")
    reader, found, at = Reader(), [], 0
    while at < len(wire):
        for cut in cuts:
            found += reader.feed(wire[at : at + cut])
            at += cut
    assert [frame.data for frame in found if frame.opcode == TEXT] == [data for data, _, _ in messages]
    assert all(frame == Frame(PING, b"in between") for frame in found if frame.opcode != TEXT)
    assert reader.is_idle


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    def code() -> int:
        reader = Reader()
        try:
            for byte in data:
                reader.feed(bytes((byte,)))
        except FrameError as error:
            return error.code
        return 0

    assert code() in {0, 1002, 1003, 1009}


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"\x81\x00", 1002),  # not masked
        (masked(TEXT | 0x40, b"x"), 1002),  # compressed, though that was not agreed on
        (masked(0x3, b"x"), 1002),  # no such opcode
        (masked(PING, b"x", fin=False), 1002),  # a control frame in parts
        (masked(CLOSE, b"x" * 126), 1002),  # a control frame too long
        (masked(0x0, b"x"), 1002),  # goes on with nothing
        (masked(TEXT, b"x", fin=False) + masked(TEXT, b"y"), 1002),  # begins anew before the end
        (masked(0x2, b"x"), 1003),  # binary
        (masked(TEXT, b"x" * (MAX_MESSAGE + 1)), 1009),
        (masked(TEXT, b"x" * MAX_MESSAGE, fin=False) + masked(0x0, b"y"), 1009),
        (bytes((0x81, 0xFF)) + (2**40).to_bytes(8, "big"), 1009),
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(wire: bytes, code: int) -> None:
    with pytest.raises(FrameError) as caught:
        Reader().feed(wire)
    assert caught.value.code == code


@pytest.mark.parametrize(("size", "head"), [(125, 2), (126, 4), (65535, 4), (65536, 10)])
def test_frames_that_are_sent_say_their_length(size: int, head: int) -> None:
    made = framing.frame(TEXT, b"x" * size)
    assert made[0] == 0x81
    assert len(made) == head + size
    length = made[1] if head == 2 else int.from_bytes(made[2:head], "big")
    assert length == size


def test_server_sent_events_are_chunks_of_a_body() -> None:
    assert framing.event("delete", b"12") == b"18\r\nevent: delete\ndata: 12\n\n\r\n"
