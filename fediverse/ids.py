"""Sortable 64-bit ids: milliseconds since 2020 in the upper bits, 22 bits of node and sequence below.

They are decimal strings in the API and safe to page by: a later thing has a larger id.
"""

from __future__ import annotations

import secrets
import threading

from fediverse import clock
from fediverse.clock import Instant

EPOCH: Instant = 1_577_836_800_000  # 2020-01-01T00:00:00Z
NODE_BITS = 10
SEQUENCE_BITS = 12
LOW_BITS = NODE_BITS + SEQUENCE_BITS
MAX_ID = (1 << 63) - 1


class _Generator:
    """Gives out ids that grow within the process; other processes differ by a random node number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._node = secrets.randbelow(1 << NODE_BITS)
        self._last = 0
        self._sequence = 0

    def next(self, instant: Instant) -> int:
        """The next id, at ``instant`` or a little later when that millisecond is used up."""
        with self._lock:
            millis = max(instant - EPOCH, self._last)
            if millis == self._last:
                self._sequence += 1
                if self._sequence >> SEQUENCE_BITS:
                    millis += 1
                    self._sequence = 0
            else:
                self._sequence = 0
            self._last = millis
            return (millis << LOW_BITS) | (self._sequence << NODE_BITS) | self._node


_generator = _Generator()


def new_id() -> int:
    """A new id of the present instant."""
    return _generator.next(clock.now())


def id_at(instant: Instant) -> int:
    """A new id that sorts as if made at ``instant`` in the past.

    Many servers publish whole seconds only, so the milliseconds of a whole second are drawn at random: two posts
    of one second then share 32 random bits' worth of room instead of 22.
    """
    if instant % 1000 == 0:
        instant += secrets.randbelow(1000)
    return (max(instant - EPOCH, 0) << LOW_BITS) | secrets.randbits(LOW_BITS)


def floor_id(instant: Instant) -> int:
    """The smallest id that could have been made at ``instant``."""
    return max(instant - EPOCH, 0) << LOW_BITS


def instant_of(id_: int) -> Instant:
    """The instant that an id was made for."""
    return (id_ >> LOW_BITS) + EPOCH
