"""Notifications one by one, as they are listed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    bindparam,
    exists,
    func,
    select,
)

from fediverse.db import Prepared, id_list
from fediverse.paging import Page, Shape
from fediverse.quick import Quick
from fediverse.tables.actors import actors
from fediverse.tables.timelines import markers
from fediverse.tables.timelines import notifications as table

_Conditions = tuple[bool, bool, bool, bool]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which notifications: of all or some kinds, of all or one sender, with or without what is kept back."""

    kinds: Sequence[str] = ()
    exclude: Sequence[str] = ()
    from_id: int | None = None
    include_filtered: bool = False

    @property
    def conditions(self) -> _Conditions:
        """Which conditions there are: one statement serves all that have the same."""
        return (bool(self.kinds), bool(self.exclude), self.from_id is not None, self.include_filtered)

    def parameters(self, actor_id: int) -> dict[str, Any]:
        """The values of the parameters of :func:`wanted_by`."""
        return {"me": actor_id, "kinds": list(self.kinds), "exclude": list(self.exclude), "from_id": self.from_id}


ALL = Wanted()


def big(name: str) -> BindParameter[int]:
    """A parameter that is an id."""
    return bindparam(name, type_=BigInteger)


def wanted_by(
    statement: Select[Any], conditions: _Conditions, *, shown: ColumnElement[bool] | None = None
) -> Select[Any]:
    """The statement narrowed to those of an actor's notifications that are wanted and show (whose senders do)."""
    by_kind, without_kind, by_sender, include_filtered = conditions
    statement = statement.where(table.c.actor_id == big("me"), sender_shows(table) if shown is None else shown)
    if by_kind:
        statement = statement.where(table.c.kind.in_(bindparam("kinds", expanding=True)))
    if without_kind:
        statement = statement.where(table.c.kind.not_in(bindparam("exclude", expanding=True)))
    if by_sender:
        statement = statement.where(table.c.from_actor_id == big("from_id"))
    return statement if include_filtered else statement.where(~table.c.filtered)


def sender_shows(notification: FromClause) -> ColumnElement[bool]:
    """Whether the sender of a row of ``notification`` is neither suspended nor gone."""
    return (
        exists()
        .where(
            actors.c.id == notification.c.from_actor_id, actors.c.suspended_at.is_(None), actors.c.deleted_at.is_(None)
        )
        .correlate_except(actors)
    )


def page(tx: Connection, actor_id: int, page: Page, wanted: Wanted = ALL) -> list[Row[Any]]:
    """A page of what the actor was told, newest first."""
    values = {**wanted.parameters(actor_id), **page.parameters}
    by_kind, without_kind, _, _ = wanted.conditions
    if by_kind or without_kind:
        return page.newest_first(tx.execute(_page(wanted.conditions, page.shape), values).all())
    return page.newest_first(_quick_page(wanted.conditions, page.shape)(tx, values))


@cache
def _page(conditions: _Conditions, shape: Shape) -> Select[Any]:
    return Page.bounded(wanted_by(select(table), conditions), table.c.id, shape)


@cache
def _quick_page(conditions: _Conditions, shape: Shape) -> Quick:
    return Quick(lambda _sql: _page(conditions, shape))


def get(tx: Connection, actor_id: int, notification_id: int) -> Row[Any] | None:
    """One notification of the actor's."""
    return tx.execute(_ONE, {"me": actor_id, "id": notification_id}).first()


def by_ids(tx: Connection, notification_ids: Iterable[int]) -> list[Row[Any]]:
    """Those of the notifications that exist and show, the oldest first: what open streams are told."""
    return list(tx.execute(_BY_IDS(tx), {"ids": id_list(tx, notification_ids)}))


_BY_IDS = Prepared(
    lambda sql: (
        select(table).where(sql.within(table.c.id, "ids"), ~table.c.filtered, sender_shows(table)).order_by(table.c.id)
    )
)
_ONE = select(table).where(table.c.id == big("id"), table.c.actor_id == big("me"), sender_shows(table))


def unread_count(tx: Connection, actor_id: int, wanted: Wanted = ALL, *, limit: int = 100) -> int:
    """How many notifications are newer than the marker, up to ``limit``."""
    return tx.scalar(_unread(wanted.conditions), {**wanted.parameters(actor_id), "limit": limit}) or 0


@cache
def _unread(conditions: _Conditions) -> Select[Any]:
    return count_of(wanted_by(select(table.c.id), conditions).where(table.c.id > last_read()))


def last_read() -> ColumnElement[int]:
    """The id up to which the actor has read its notifications."""
    read = select(markers.c.last_read_id).where(markers.c.actor_id == big("me"), markers.c.timeline == "notifications")
    return func.coalesce(read.scalar_subquery(), 0)


def count_of(statement: Select[Any]) -> Select[Any]:
    """How many rows the statement has, up to the parameter ``limit``."""
    return select(func.count()).select_from(statement.limit(big("limit")).subquery())
