"""Bounds on what others could make grow without end: memories that forget, and work done once for all who wait."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """Values that are forgotten after ``seconds``, or when more than ``size`` of them are kept: the oldest first."""

    def __init__(self, size: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value kept under ``key``, unless it has expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._entries[key]
            return None
        return entry[1]

    def put(self, key: K, value: V) -> None:
        """``value`` is kept under ``key`` from now on."""
        self._entries.pop(key, None)
        self._entries[key] = (self._clock() + self._seconds, value)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def items(self) -> list[tuple[K, V]]:
        """What is kept, expired entries included: for going through all of it."""
        return [(key, value) for key, (_, value) in self._entries.items()]

    def clear(self) -> None:
        """Nothing is kept."""
        self._entries.clear()

    def drop(self, key: K) -> None:
        """Nothing is kept under ``key``."""
        self._entries.pop(key, None)


class SingleFlight(Generic[K, V]):
    """Work that several ask for at once is done once, and all get its result or its error."""

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[V]] = {}

    def __contains__(self, key: K) -> bool:
        """Whether the work under ``key`` goes on already: who asks for it now only waits with others."""
        return key in self._flights

    async def do(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """What ``work()`` returns, or what it returns to those who asked under this key before.

        It goes on when the one who asked first is cancelled, since others wait for it.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(work())
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    def _landed(self, key: K, flight: asyncio.Task[V]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # taken notice of, even when nobody waits any more
