"""A load generator that costs little: finished requests over kept connections, no parsing beyond what is needed."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_TIMEOUT_SECONDS = 60.0


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    body: bytes


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError("the server closed the connection"))

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end])
        found = _LENGTH.search(head)
        status = int(head[9:12])
        size = int(found[1]) if found else 0
        if len(self._buffer) < end + 4 + size or self._waiting is None or self._waiting.done():
            return
        answer = Answer(status, bytes(self._buffer[end + 4 : end + 4 + size]))
        self._buffer.clear()
        if b"\r\nconnection: close" in head.lower() or (not found and status not in (204, 304)):
            self.close()
        self._waiting.set_result(answer)


class Client:
    """Asks one server over kept connections."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: list[_Connection] = []

    async def ask(self, request: bytes) -> Answer:
        """The answer to a finished request. Raises OSError when there is none."""
        connection = self._idle.pop() if self._idle else await self._connect()
        if connection.closed:
            connection = await self._connect()
        try:
            answer = await asyncio.wait_for(connection.send(request), _TIMEOUT_SECONDS)
        except BaseException:
            connection.close()
            raise
        if not connection.closed:
            self._idle.append(connection)
        return answer

    async def _connect(self) -> _Connection:
        _, protocol = await asyncio.get_running_loop().create_connection(_Connection, self._host, self._port)
        return protocol

    def close(self) -> None:
        """The connections are closed."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()


@dataclass(slots=True)
class Driven:
    """What came of a load. Latencies are in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    refusal: str = ""

    @property
    def accepted(self) -> int:
        """How many requests were answered with 2xx."""
        return sum(count for status, count in self.statuses.items() if status // 100 == 2)

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that this share of the requests stayed within."""
        ordered = sorted(self.latencies)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2) if ordered else 0.0

    def latency(self) -> dict[str, float]:
        """Half of the requests, and all but one in a hundred, in milliseconds."""
        return {"p50_ms": self.percentile(0.5), "p99_ms": self.percentile(0.99)}


async def drive(
    client: Client, requests: Iterable[bytes], *, at_once: int = 1, seconds: float = float("inf")
) -> Driven:
    """The requests were sent, ``at_once`` of them at any time, until there are no more or the time is over."""
    driven = Driven()
    started = time.perf_counter()
    source = iter(requests)
    await asyncio.gather(*(_lane(client, source, driven, started + seconds) for _ in range(at_once)))
    driven.seconds = time.perf_counter() - started
    return driven


async def _lane(client: Client, source: Iterator[bytes], driven: Driven, deadline: float) -> None:
    for request in source:
        began = time.perf_counter()
        if began >= deadline:
            return
        try:
            status, body = await client.ask(request)
        except OSError as error:
            status, body = 0, str(error).encode()
        driven.latencies.append(time.perf_counter() - began)
        driven.statuses[status] += 1
        if status // 100 != 2 and not driven.refusal:
            driven.refusal = f"{status}: {body[:300].decode(errors='replace')}"
