"""Open WebSockets: what memory each of them takes, and how soon an event is with all of them.

Every client is an account of its own that follows the one that posts, so that each event goes through the home
timelines, as it does when a busy account posts. Then the same number listen to the public timeline, which is one
stream for all.
"""

from __future__ import annotations

import asyncio
import os
import resource
import selectors
import socket
import time
from base64 import b64encode
from collections.abc import Sequence

from benchmarks import rows
from benchmarks.report import CPU_SECONDS, SECONDS, Figure
from benchmarks.server import BenchmarkError
from benchmarks.stage import ACCOUNT, Setting, Stage, stage

KILOBYTES = "KB a connection"
_AT_ONCE = 50
_SPARE_FILES = 200
_EVENTS = 5
_FIRST = 100  # connections that are open before memory is looked at: the first ones make what all share
_PATIENCE_SECONDS = 30.0


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """Memory by connection, and the time and the CPU of an event to all, on two kinds of streams."""
    wanted = min(setting.sizes.streams, _raise_limit() - _SPARE_FILES)
    figures = []
    async with stage(setting) as place:
        tokens = rows.give_readers(place.server.database, ACCOUNT, wanted)
        await place.json(place.post("the first one"))
        for stream in ("user", "public"):
            clients = Clients(place.server.port)
            try:
                figures += await _measure(place, clients, stream, tokens)
            finally:
                clients.close()
            await place.tree.quiet()
    return {"streams": figures}


async def _measure(place: Stage, clients: Clients, stream: str, tokens: Sequence[str]) -> list[Figure]:
    first = tokens[: min(_FIRST, len(tokens) // 2)]
    await asyncio.to_thread(clients.open, stream, first)
    await place.tree.quiet()
    before = place.tree.memory()
    await asyncio.to_thread(clients.open, stream, tokens[len(first) :])
    await place.tree.quiet()
    each = (place.tree.memory() - before) * 1000 / (len(tokens) - len(first))
    took, used = [], []
    for number in range(_EVENTS):
        began, cpu = time.perf_counter(), place.tree.cpu()
        posting = asyncio.create_task(place.json(place.post(f"event {number} for everybody on {stream}")))
        last = await asyncio.to_thread(clients.hear, b'"event":"update"')
        await posting
        took.append(last - began)
        await place.tree.quiet()
        used.append((place.tree.cpu() - cpu) * 1000 / len(tokens))
    detail = {"connections": len(tokens), "all": [round(seconds, 3) for seconds in took]}
    name = f"{len(tokens)} on {stream}"
    return [
        Figure(f"memory, {name}", each, KILOBYTES, bound="stream memory", detail={"connections": len(tokens)}),
        Figure(f"event to all, {name}", sorted(took)[len(took) // 2], SECONDS, bound="stream event", detail=detail),
        Figure(f"CPU of an event to all, {name}", sorted(used)[len(used) // 2], CPU_SECONDS),
    ]


class Clients:
    """Many WebSockets of one process, read by one selector."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []

    def open(self, stream: str, tokens: Sequence[str]) -> None:
        """One more is open for each of the tokens."""
        for at in range(0, len(tokens), _AT_ONCE):
            opened = [self._connect(stream, token) for token in tokens[at : at + _AT_ONCE]]
            for each in opened:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += each.recv(4096)
                if not head.startswith(b"HTTP/1.1 101"):
                    raise BenchmarkError(f"A stream was refused: {head[:200]!r}")
                each.setblocking(False)
                self._selector.register(each, selectors.EVENT_READ)
            self._sockets += opened

    def hear(self, what: bytes) -> float:
        """When the last of them had received a message with ``what``. Raises BenchmarkError if one does not."""
        silent, end = set(self._sockets), time.monotonic() + _PATIENCE_SECONDS
        last = 0.0
        while silent:
            if time.monotonic() > end:
                raise BenchmarkError(f"{len(silent)} of {len(self._sockets)} streams did not get the event.")
            for key, _ in self._selector.select(1):
                received = key.fileobj
                assert isinstance(received, socket.socket)
                if what in received.recv(65536) and received in silent:
                    silent.discard(received)
                    last = time.perf_counter()
        return last

    def close(self) -> None:
        """None is open."""
        for each in self._sockets:
            each.close()
        self._selector.close()

    def _connect(self, stream: str, token: str) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port))
        made.sendall(
            (
                f"GET /api/v1/streaming?stream={stream}&access_token={token} HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n"
                "Origin: https://client.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n"
            ).encode()
        )
        return made


def _raise_limit() -> int:
    """How many files may be open, as many as the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
