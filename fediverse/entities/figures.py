"""Measures, dimensions and retention as moderators' dashboards get them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from fediverse.clock import Instant, rfc3339

_UNITS = ("B", "KB", "MB", "GB", "TB")


class MeasureFacts(Protocol):
    """What was counted."""

    @property
    def key(self) -> str: ...  # noqa: D102 the names say it
    @property
    def total(self) -> int: ...  # noqa: D102 the names say it
    @property
    def previous(self) -> int: ...  # noqa: D102 the names say it
    @property
    def by_day(self) -> Mapping[Instant, int]: ...  # noqa: D102 the names say it


class LineFacts(Protocol):
    """One value of a dimension."""

    @property
    def key(self) -> str: ...  # noqa: D102 the names say it
    @property
    def name(self) -> str: ...  # noqa: D102 the names say it
    @property
    def value(self) -> int: ...  # noqa: D102 the names say it
    @property
    def is_size(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def version(self) -> str: ...  # noqa: D102 the names say it


class CohortFacts(Protocol):
    """Those who registered in a period, and how many of them were here later."""

    @property
    def period(self) -> Instant: ...  # noqa: D102 the names say it
    @property
    def size(self) -> int: ...  # noqa: D102 the names say it
    @property
    def here(self) -> Sequence[tuple[Instant, int]]: ...  # noqa: D102 the names say it


def measure(facts: MeasureFacts, days: Iterable[Instant]) -> dict[str, Any]:
    """An Admin::Measure."""
    return {
        "key": facts.key,
        "unit": None,
        "total": str(facts.total),
        "previous_total": str(facts.previous),
        "data": [{"date": rfc3339(day), "value": str(facts.by_day.get(day, 0))} for day in days],
    }


def dimension(key: str, lines: Iterable[LineFacts]) -> dict[str, Any]:
    """An Admin::Dimension."""
    return {"key": key, "data": [_line(line) for line in lines]}


def _line(line: LineFacts) -> dict[str, Any]:
    value = line.version or str(line.value)
    shown: dict[str, Any] = {"key": line.key, "human_key": line.name, "value": value}
    if line.is_size:
        shown |= {"unit": "bytes", "human_value": _size(line.value)}
    elif line.version:
        shown["human_value"] = value
    return shown


def _size(number: int) -> str:
    size, unit = float(number), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{number} B"


def cohort(facts: CohortFacts, frequency: str) -> dict[str, Any]:
    """An Admin::Cohort."""
    return {
        "period": rfc3339(facts.period),
        "frequency": frequency,
        "data": [
            {"date": rfc3339(then), "rate": number / facts.size if facts.size else 0.0, "value": str(number)}
            for then, number in facts.here
        ],
    }
