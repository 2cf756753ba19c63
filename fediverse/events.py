"""What happened, told after the commit and never before it.

Domain code says ``events.after_commit(tx, event)``; a rollback drops the event. The hub hands events to whoever
listens in this process: workers that were sleeping, and later the streaming sockets.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from fediverse import db


@dataclass(frozen=True, slots=True)
class Woken:
    """A queue has new work: ``received``, ``fanouts``, ``deliveries`` or ``jobs``."""

    queue: str


Event = Woken
Listener = Callable[[Event], None]


def after_commit(tx: Connection, event: Event) -> None:
    """Listeners get ``event`` once ``tx`` is committed."""
    db.after_commit(tx, event)


class Hub:
    """Hands committed events to this process's listeners. All calls are on the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: dict[type[Event], list[Listener]] = defaultdict(list)
        self._wakers: dict[str, asyncio.Event] = {}

    def listen(self, kind: type[Event], listener: Listener) -> None:
        """``listener`` is called with every event of ``kind``; it must neither block nor raise."""
        self._listeners[kind].append(listener)

    def waker(self, queue: str) -> asyncio.Event:
        """The asyncio event that is set whenever ``queue`` may have work. Whoever waits for it clears it."""
        return self._wakers.setdefault(queue, asyncio.Event())

    def dispatch(self, messages: Sequence[object]) -> None:
        """The commit listener of the database."""
        for message in messages:
            if isinstance(message, Woken):
                self.waker(message.queue).set()
                for listener in self._listeners[Woken]:
                    listener(message)
