"""Pages by id, as the client API has them: ``max_id`` back in time, ``since_id`` and ``min_id`` forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select

T = TypeVar("T")
S = TypeVar("S", bound=Select[Any])


@dataclass(frozen=True, slots=True)
class Page:
    """Which slice of a list is wanted; newest first unless ``min_id`` is given."""

    limit: int = 20
    max_id: int | None = None
    since_id: int | None = None
    min_id: int | None = None

    @property
    def forward(self) -> bool:
        """Whether the rows come oldest first: the page that follows ``min_id`` immediately."""
        return self.min_id is not None

    def select(self, statement: S, column: ColumnElement[int]) -> S:
        """The statement narrowed to this page of ``column``."""
        if self.max_id is not None:
            statement = statement.where(column < self.max_id)
        if self.min_id is not None:
            return statement.where(column > self.min_id).order_by(column.asc()).limit(self.limit)
        if self.since_id is not None:
            statement = statement.where(column > self.since_id)
        return statement.order_by(column.desc()).limit(self.limit)

    def newest_first(self, rows: Sequence[T]) -> list[T]:
        """The rows of :meth:`select` in the order that is shown."""
        return list(reversed(rows)) if self.forward else list(rows)
