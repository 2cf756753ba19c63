"""Which sockets listen to which streams: the switchboard of a process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from fediverse.streaming.channels import LIST, NOTIFICATIONS, USER, Channel
from fediverse.streaming.sockets import Socket

_Name = TypeVar("_Name", int, str)
Key = tuple[str, Any]
_NOBODY: Final[frozenset[Socket]] = frozenset()


@dataclass(frozen=True)
class Interest:
    """What is listened to at a moment, and by whom: what the database is asked for, and nothing more."""

    #: Actors with an open ``user`` stream.
    users: frozenset[int]
    #: Actors who hear of their notifications.
    notified: frozenset[int]
    #: Lists that are listened to, with their owners.
    lists: dict[int, int]
    #: Streams that are not one actor's own, with the actors who listen.
    shared: dict[Key, frozenset[int]]

    @cached_property
    def readers(self) -> frozenset[int]:
        """Actors for whom it matters what comes into their home timelines."""
        return self.users | frozenset(self.lists.values())


class Board:
    """Sockets by what they are subscribed to. Used on the event loop's thread only."""

    def __init__(self) -> None:
        self._sockets: dict[Key, set[Socket]] = {}
        self._open: dict[Socket, None] = {}
        self._actors: Counter[int] = Counter()
        self._addresses: Counter[str] = Counter()
        self._interest: Interest | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, socket: Socket) -> None:
        """The socket is open, and subscribed to nothing yet."""
        self._open[socket] = None
        self._actors[socket.actor_id] += 1
        self._addresses[socket.address] += 1

    def remove(self, socket: Socket) -> None:
        """The socket is gone, and so are its subscriptions."""
        if socket not in self._open:
            return
        del self._open[socket]
        _count_down(self._actors, socket.actor_id)
        _count_down(self._addresses, socket.address)
        for key in list(socket.channels):
            self.unsubscribe(socket, key)

    def count(self, actor_id: int, address: str) -> int:
        """How many sockets the actor has open; for nobody's, how many that address has."""
        return self._actors[actor_id] if actor_id else self._addresses[address]

    def subscribe(self, socket: Socket, channel: Channel) -> None:
        """The socket gets what comes by the channel."""
        socket.channels[channel.key] = channel
        self._sockets.setdefault(channel.key, set()).add(socket)
        self._interest = None

    def unsubscribe(self, socket: Socket, key: Key) -> None:
        """The socket gets nothing of the channel any more."""
        if socket.channels.pop(key, None) is None:
            return
        listening = self._sockets[key]
        listening.discard(socket)
        if not listening:
            del self._sockets[key]
        self._interest = None

    def listening(self, key: Key) -> Collection[Socket]:
        """The sockets that are subscribed to the channel."""
        return self._sockets.get(key, _NOBODY)

    def sockets(self) -> list[Socket]:
        """All open sockets."""
        return list(self._open)

    def interest(self) -> Interest:
        """What is listened to now. Made anew only when a subscription changed."""
        if self._interest is None:
            self._interest = self._take_stock()
        return self._interest

    def _take_stock(self) -> Interest:
        users: set[int] = set()
        notified: set[int] = set()
        lists: dict[int, int] = {}
        shared: dict[Key, frozenset[int]] = {}
        for key, sockets in self._sockets.items():
            name, argument = key
            if name == USER:
                users.add(argument)
            if name in (USER, NOTIFICATIONS):
                notified.add(argument)
            elif name == LIST:  # only its owner listens
                lists[argument] = next(iter(sockets)).actor_id
            else:
                shared[key] = _actors(sockets)
        return Interest(frozenset(users), frozenset(notified), lists, shared)


def _count_down(counter: Counter[_Name], name: _Name) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]


def _actors(sockets: Iterable[Socket]) -> frozenset[int]:
    return frozenset(socket.actor_id for socket in sockets if socket.actor_id)
