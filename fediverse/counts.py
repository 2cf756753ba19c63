"""How often what was asked for: the memory behind the rate limits, which processes can share.

Each process counts by itself, so that no request waits for another server, and tells the others what it counted; each
adds that to its own. They agree within some hundredths of a second, and where they cannot reach one another each goes
on with what it knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from limits.storage.base import Storage

_SWEEP_SECONDS: Final = 60.0
_MAX_KEYS: Final = 1_000_000


class Counts(Storage):
    """Counters that end by themselves. Used on the event loop's thread only."""

    STORAGE_SCHEME = None

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._entries: dict[str, tuple[int, float]] = {}
        self._swept_at = clock()
        #: Takes what is counted here to the other processes: key, seconds, how much more.
        self.share: Callable[[str, float, int], None] | None = None

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Nothing fails here."""
        return ()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """The counter after it grew; a new one ends after ``expiry`` seconds."""
        if self.share is not None:
            self.share(key, expiry, amount)
        return self.add(key, expiry, amount)

    def add(self, key: str, expiry: float, amount: int) -> int:
        """The counter after it grew, of which nobody else is told."""
        now = self._clock()
        if now >= self._swept_at + _SWEEP_SECONDS or len(self._entries) > _MAX_KEYS:
            self._sweep(now)
        value, ends_at = self._entries.get(key, (0, 0.0))
        if ends_at <= now:
            value, ends_at = 0, now + expiry
        self._entries[key] = (value + amount, ends_at)
        return value + amount

    def get(self, key: str) -> int:
        """The counter; 0 where it ended."""
        value, ends_at = self._entries.get(key, (0, 0.0))
        return value if ends_at > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """When the counter ends; now where there is none."""
        now = self._clock()
        return max(now, self._entries.get(key, (0, now))[1])

    def check(self) -> bool:
        """It works."""
        return True

    def reset(self) -> int:
        """Nothing was counted."""
        size = len(self._entries)
        self._entries.clear()
        return size

    def clear(self, key: str) -> None:
        """The counter is at its beginning."""
        self._entries.pop(key, None)

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        kept = {key: entry for key, entry in self._entries.items() if entry[1] > now}
        # More than a million at once are addresses that somebody made up: they begin anew.
        self._entries = kept if len(kept) <= _MAX_KEYS else {}


class Gathered:
    """What was counted since it was last told to the others."""

    def __init__(self) -> None:
        self._amounts: dict[str, tuple[float, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._amounts)

    def __call__(self, key: str, expiry: float, amount: int) -> None:
        """The counter grew."""
        self._amounts[key] = (expiry, self._amounts.get(key, (expiry, 0))[1] + amount)

    def take(self) -> dict[str, tuple[float, int]]:
        """What is to be told now, and is not told again."""
        taken, self._amounts = self._amounts, {}
        return taken


def add_all(counts: Counts, told: Mapping[str, Any]) -> None:
    """What another process counted is counted here, too."""
    for key, entry in told.items():
        match entry:
            case [int() | float() as expiry, int() as amount] if amount > 0 and 0 < expiry <= 86_400:
                counts.add(key, expiry, amount)
