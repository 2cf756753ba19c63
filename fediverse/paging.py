"""Pages by id, as the client API has them: ``max_id`` back in time, ``since_id`` and ``min_id`` forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam

T = TypeVar("T")
S = TypeVar("S", bound=Select[Any])

# (max_id is given, since_id is given, min_id is given)
Shape = tuple[bool, bool, bool]


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
        """The statement narrowed to this page of ``column``, to be executed as it is."""
        return self.bounded(statement, column, self.shape).params(**self.parameters)

    @property
    def shape(self) -> Shape:
        """Which bounds there are, apart from where they lie: one statement serves all pages of a shape."""
        return (self.max_id is not None, self.since_id is not None, self.min_id is not None)

    @property
    def parameters(self) -> dict[str, int]:
        """The values of the parameters of :meth:`bounded`."""
        bounds = {"page_max": self.max_id, "page_since": self.since_id, "page_min": self.min_id}
        return {"page_limit": self.limit, **{name: bound for name, bound in bounds.items() if bound is not None}}

    @staticmethod
    def bounded(statement: S, column: ColumnElement[int], shape: Shape) -> S:
        """The statement narrowed to pages of a shape, whose bounds are given when it is executed."""
        has_max, has_since, has_min = shape
        if has_max:
            statement = statement.where(column < bindparam("page_max", type_=BigInteger))
        if has_min:
            statement = statement.where(column > bindparam("page_min", type_=BigInteger)).order_by(column.asc())
        else:
            if has_since:
                statement = statement.where(column > bindparam("page_since", type_=BigInteger))
            statement = statement.order_by(column.desc())
        return statement.limit(bindparam("page_limit", type_=BigInteger))

    def newest_first(self, rows: Sequence[T]) -> list[T]:
        """The rows of :meth:`select` in the order that is shown."""
        return list(reversed(rows)) if self.forward else list(rows)
