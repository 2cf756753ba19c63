"""Who stays: of those who registered in a day or month, how many were here in later ones. Only read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, select

from fediverse.admin.figures import Period
from fediverse.clock import DAY, Instant, from_datetime, to_datetime
from fediverse.tables.actors import people, person_days

Frequency = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Cohort:
    """Those who registered in a day or month, and of these by later days or months how many were here."""

    period: Instant
    size: int
    here: Sequence[tuple[Instant, int]]


def beginnings(period: Period, frequency: Frequency) -> list[Instant]:
    """The beginnings of the days, or of the months of which the period has a part."""
    if frequency == "day":
        return period.days
    return list(dict.fromkeys(_month(day) for day in period.days))


def _month(instant: Instant) -> Instant:
    moment = to_datetime(instant)
    return from_datetime(datetime(moment.year, moment.month, 1, tzinfo=UTC))


def cohorts(tx: Connection, period: Period, frequency: Frequency) -> list[Cohort]:
    """The cohorts of the period, in two queries."""
    periods = beginnings(period, frequency)

    def bucket(instant: Instant) -> Instant:
        if frequency == "month":
            return _month(instant)
        return instant - instant % DAY

    start = periods[0]
    joined = (people.c.created_at >= start, people.c.created_at < period.end)
    registered = tx.execute(select(people.c.id, people.c.created_at).where(*joined))
    came = {row.id: bucket(row.created_at) for row in registered}
    visits = select(person_days.c.person_id, person_days.c.day).join(people, people.c.id == person_days.c.person_id)
    seen = {
        (came[row.person_id], bucket(row.day), row.person_id)
        for row in tx.execute(visits.where(*joined, person_days.c.day >= start, person_days.c.day < period.end))
        if row.person_id in came
    }
    here: dict[tuple[Instant, Instant], int] = {}
    for cohort, then, _ in seen:
        here[cohort, then] = here.get((cohort, then), 0) + 1
    sizes: dict[Instant, int] = {}
    for cohort in came.values():
        sizes[cohort] = sizes.get(cohort, 0) + 1
    return [
        Cohort(first, sizes.get(first, 0), [(then, here.get((first, then), 0)) for then in periods if then >= first])
        for first in periods
    ]
