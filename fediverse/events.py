"""What happened, told after the commit and never before it.

Domain code says ``events.after_commit(tx, event)``; a rollback drops the event. The hub hands events to whoever
listens in this process (workers that were sleeping, open streams), and to the other processes where there are any.

Events are small: they name rows, and whoever listens reads what it needs of them once for all who wait. Nothing is
read where nobody listens.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import structlog
from sqlalchemy import Connection

from fediverse import db

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Woken:
    """A queue has new work: ``received``, ``fanouts``, ``deliveries`` or ``jobs``."""

    queue: str


@dataclass(frozen=True, slots=True)
class Surfaced:
    """A status or a boost came into the home timelines of those who follow its author by follows after ``after``.

    The ids of these follows are in (``after``, ``until``]. With ``after`` 0 the status is new to everybody: to its
    author, to those it mentions, and wherever else it shows.
    """

    status_id: int
    author_id: int
    after: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True)
class Entered:
    """A status came into the home timelines of these actors, some hundred at most, for another reason than a follow."""

    status_id: int
    actor_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Edited:
    """What a status says has changed."""

    status_id: int


@dataclass(frozen=True, slots=True)
class Deleted:
    """A status or a boost is gone. What it was is told here, since its row does not tell any more."""

    status_id: int
    listed: bool = False
    public: bool = False
    local: bool = False
    has_media: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notified:
    """Actors here were told something: pairs of actor and notification. Some of these may not exist after all."""

    told: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ConversationChanged:
    """A direct conversation of each of these actors has a new last status, or was read."""

    actor_ids: tuple[int, ...]
    conversation_id: int


@dataclass(frozen=True, slots=True)
class Changed:
    """Something of one actor's changed that its clients read anew. The event goes to its ``user`` streams."""

    actor_id: int
    event: Literal["filters_changed", "notifications_merged"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """An announcement was published, reacted to or withdrawn: ``payload`` is what clients get, as JSON or an id."""

    event: Literal["announcement", "announcement.reaction", "announcement.delete"]
    payload: str


@dataclass(frozen=True, slots=True)
class AccessChanged:
    """A token, a person or an actor may have lost its access; 0 stands for those that are not meant."""

    token_id: int = 0
    person_id: int = 0
    actor_id: int = 0


Event = (
    Woken
    | Surfaced
    | Entered
    | Edited
    | Deleted
    | Notified
    | ConversationChanged
    | Changed
    | Announcement
    | AccessChanged
)
Listener = Callable[[Any], None]

_KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__: kind
    for kind in (
        Woken,
        Surfaced,
        Entered,
        Edited,
        Deleted,
        Notified,
        ConversationChanged,
        Changed,
        Announcement,
        AccessChanged,
    )
}


def after_commit(tx: Connection, event: Event) -> None:
    """Listeners get ``event`` once ``tx`` is committed."""
    db.after_commit(tx, event)


def to_json(event: Event) -> dict[str, Any]:
    """The event as it goes to another process."""
    return {"kind": type(event).__name__, **asdict(event)}


def from_json(value: Any) -> Event | None:
    """The event that another process sent; None for what this version does not know."""
    try:
        kind = _KINDS[value["kind"]]
        fields = {name: _frozen(field) for name, field in value.items() if name != "kind"}
        event: Event = kind(**fields)
    except (KeyError, TypeError):
        return None
    return event


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


class Hub:
    """Hands committed events to this process's listeners. All calls are on the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: dict[type[Any], list[Listener]] = defaultdict(list)
        self._wakers: dict[str, asyncio.Event] = {}
        #: Takes what was committed here to the other processes.
        self.forward: Callable[[Sequence[Event]], None] | None = None

    def listen(self, kind: type[Any], listener: Listener) -> None:
        """``listener`` is called with every event of ``kind``; it must not block."""
        self._listeners[kind].append(listener)

    def waker(self, queue: str) -> asyncio.Event:
        """The asyncio event that is set whenever ``queue`` may have work. Whoever waits for it clears it."""
        return self._wakers.setdefault(queue, asyncio.Event())

    def dispatch(self, messages: Sequence[Any]) -> None:
        """The commit listener of the database: what was committed here is told here and elsewhere."""
        self.tell(messages)
        if self.forward is not None:
            self.forward(messages)

    def tell(self, messages: Sequence[Any]) -> None:
        """The listeners of this process are told. What fails in one of them keeps no other from hearing."""
        for message in messages:
            if isinstance(message, Woken):
                self.waker(message.queue).set()
            for listener in self._listeners[type(message)]:
                try:
                    listener(message)
                except Exception:
                    log.exception("events.listener_failed", kind=type(message).__name__)
