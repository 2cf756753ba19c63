"""Instants: integer milliseconds since the Unix epoch, in the database and in all domain code.

Integers cost nothing to read on either database, compare the same everywhere, and leave no question of time zones.
Documents and pages turn them into text with :func:`rfc3339`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

Instant = int

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
# The epoch was a Thursday.
_FIRST_MONDAY = 4 * DAY


def now() -> Instant:
    """The present instant."""
    return time.time_ns() // 1_000_000


def to_datetime(instant: Instant) -> datetime:
    """The instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(instant / 1000, UTC)


def from_datetime(moment: datetime) -> Instant:
    """The instant of a datetime; one without a zone counts as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


def rfc3339(instant: Instant) -> str:
    """``2026-01-31T12:00:00.000Z``, the form that Mastodon's API and documents use."""
    whole, millis = divmod(instant, 1000)
    t = time.gmtime(whole)
    return f"{t.tm_year:04d}-{t.tm_mon:02d}-{t.tm_mday:02d}T{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}.{millis:03d}Z"


def week_of(instant: Instant) -> Instant:
    """The beginning (Monday, UTC) of the week of an instant."""
    return instant - (instant - _FIRST_MONDAY) % WEEK
