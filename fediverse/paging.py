"""Pages by id, as the client API has them: ``max_id`` back in time, ``since_id`` and ``min_id`` forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam

T = TypeVar("T")
V = TypeVar("V")
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
    def bounded(statement: S, column: ColumnElement[int], shape: Shape, *, limit: str = "page_limit") -> S:
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
        return statement.limit(bindparam(limit, type_=BigInteger))

    def beyond(self, newest: int, oldest: int) -> Page:
        """The page that comes after one that reached from ``newest`` to ``oldest``, in the direction asked for."""
        return replace(self, min_id=newest) if self.forward else replace(self, max_id=oldest)

    def newest_first(self, rows: Sequence[T]) -> list[T]:
        """The rows of :meth:`select` in the order that is shown."""
        return list(reversed(rows)) if self.forward else list(rows)


# So many pages are looked through for one, where most of what is found is left out.
_LOOKED_THROUGH = 10


def filled(
    page: Page, load: Callable[[Page], tuple[Sequence[int], Sequence[tuple[int, V]]]]
) -> tuple[list[V], list[int]]:
    """A page of what ``load`` keeps, and its ends (newest and oldest id): as full as if nothing were left out.

    ``load(page)`` gives the ids of the rows of a page and those of its entries that are kept, by their ids, both
    newest first. Where hundreds in a row are left out the page stays short; its ends lead on all the same.
    """
    kept: list[tuple[int, V]] = []
    ends: list[int] = []
    for _ in range(_LOOKED_THROUGH):
        ids, found = load(page)
        if not ids:
            break
        room = page.limit - len(kept)
        newest, oldest = ids[0], ids[-1]
        if len(found) > room:
            found = found[-room:] if page.forward else found[:room]
            newest, oldest = (found[0][0], oldest) if page.forward else (newest, found[-1][0])
        kept = [*found, *kept] if page.forward else [*kept, *found]
        ends = [max(newest, *ends), min(oldest, *ends)] if ends else [newest, oldest]
        if len(kept) >= page.limit or len(ids) < page.limit:
            break
        page = page.beyond(newest, oldest)
    return [value for _, value in kept], ends
