"""Notifications in groups: likes and boosts of one post, new followers of some hours.

A group stands where its newest notification stands, so that it shows once, however one pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Select, bindparam, case, exists, func, or_, select

from fediverse.clock import Instant
from fediverse.notifications import policy
from fediverse.notifications.reading import (
    ALL,
    Wanted,
    big,
    count_of,
    get,
    last_read,
    sender_shows,
    wanted_by,
)
from fediverse.notifications.telling import GROUPED
from fediverse.paging import Page, Shape
from fediverse.params import read_id
from fediverse.tables.timelines import notifications as table

#: How many senders of a group are shown with it.
_SAMPLE: Final = 8
_ALONE: Final = "ungrouped-"
_Conditions = tuple[bool, bool, bool, bool]


@dataclass(frozen=True, slots=True)
class Group:
    """A group by its newest notification; a single one is a group of its own."""

    key: str
    head: Row[Any]
    sender_ids: Sequence[int]  # of the newest
    count: int
    # What of it a page holds.
    oldest_id: int
    latest_at: Instant


def group_page(
    tx: Connection, actor_id: int, page: Page, wanted: Wanted = ALL, *, grouped: Iterable[str] | None = None
) -> list[Group]:
    """A page of groups, newest first. ``grouped`` are the kinds to be grouped, where not all that can be."""
    kinds = _groupable(grouped)
    statement = _page(wanted.conditions, page.shape, kinds is None)
    parameters = {**wanted.parameters(actor_id), "grouped": kinds or [], **page.parameters}
    heads = page.newest_first(tx.execute(statement, parameters).all())
    return _groups(tx, actor_id, heads, wanted, kinds, from_id=min((head.id for head in heads), default=0))


def group(tx: Connection, actor_id: int, group_key: str) -> Group | None:
    """The actor's group with this key; None where there is none."""
    if group_key.startswith(_ALONE):
        found = read_id(group_key.removeprefix(_ALONE))
        head = get(tx, actor_id, found) if found is not None else None
        return Group(group_key, head, [head.from_actor_id], 1, head.id, head.created_at) if head is not None else None
    head = tx.execute(_newest_of(group_key), ALL.parameters(actor_id)).first()
    return _groups(tx, actor_id, [head], ALL, None, from_id=0)[0] if head is not None else None


def group_senders(tx: Connection, actor_id: int, group_key: str, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of those whose notifications are in the group, the latest first."""
    if group_key.startswith(_ALONE):
        found = group(tx, actor_id, group_key)
        return [(found.head.id, found.head.from_actor_id)] if found is not None else []
    rows = tx.execute(page.select(_members(group_key), table.c.id), ALL.parameters(actor_id)).all()
    return page.newest_first([(row.id, row.from_actor_id) for row in rows])


def unread_groups(
    tx: Connection, actor_id: int, wanted: Wanted = ALL, *, grouped: Iterable[str] | None = None, limit: int = 100
) -> int:
    """How many groups have something newer than the marker, up to ``limit``."""
    kinds = _groupable(grouped)
    newer = _heads(wanted.conditions, grouped=kinds is None).where(table.c.id > last_read())
    return tx.scalar(count_of(newer), {**wanted.parameters(actor_id), "grouped": kinds or [], "limit": limit}) or 0


def alone(notification_id: int) -> str:
    """The key of a notification that is in no group."""
    return f"{_ALONE}{notification_id}"


def _groupable(grouped: Iterable[str] | None) -> list[str] | None:
    """The kinds to group; None for all that can be."""
    kinds = None if grouped is None else [kind for kind in GROUPED if kind in set(grouped)]
    return None if kinds is not None and len(kinds) == len(GROUPED) else kinds


def _heads(conditions: _Conditions, *, grouped: bool) -> Select[Any]:
    """The notifications that are the newest of their group, or in none."""
    later = table.alias("later")
    _, _, by_sender, _ = conditions
    # Of one column: for "SELECT *" SQLite takes no index alone.
    is_passed = exists(later.c.id).where(
        later.c.actor_id == big("me"),
        later.c.group_key == table.c.group_key,
        later.c.group_key != policy.NO_GROUP,
        later.c.id > table.c.id,
        sender_shows(later),
    )
    if by_sender:
        is_passed = is_passed.where(later.c.from_actor_id == big("from_id"))
    stands_alone: ColumnElement[bool] = table.c.group_key == policy.NO_GROUP
    if not grouped:
        stands_alone = or_(stands_alone, table.c.kind.not_in(bindparam("grouped", expanding=True)))
    return wanted_by(select(table), conditions).where(or_(stands_alone, ~is_passed))


@cache
def _page(conditions: _Conditions, shape: Shape, grouped: bool) -> Select[Any]:
    return Page.bounded(_heads(conditions, grouped=grouped), table.c.id, shape)


def _members(group_key: str) -> Select[Any]:
    return wanted_by(select(table), ALL.conditions).where(
        table.c.group_key == group_key, table.c.group_key != policy.NO_GROUP
    )


def _newest_of(group_key: str) -> Select[Any]:
    return _members(group_key).order_by(table.c.id.desc()).limit(1)


@cache
def _details(by_sender: bool) -> Select[Any]:
    """The newest of each group, with how many there are and which is the oldest that the page holds."""
    of_group = table.c.group_key
    held = case((table.c.id >= big("low"), table.c.id))
    rows = (
        select(
            table.c.group_key,
            table.c.from_actor_id,
            func.row_number().over(partition_by=of_group, order_by=table.c.id.desc()).label("place"),
            func.count().over(partition_by=of_group).label("size"),
            func.min(held).over(partition_by=of_group).label("oldest_id"),
        )
        .where(
            table.c.actor_id == big("me"),
            table.c.group_key.in_(bindparam("keys", expanding=True)),
            table.c.group_key != policy.NO_GROUP,
            sender_shows(table),
            *([table.c.from_actor_id == big("from_id")] if by_sender else []),
        )
        .subquery()
    )
    return select(rows).where(rows.c.place <= bindparam("sample", type_=BigInteger)).order_by(rows.c.place)


def _groups(
    tx: Connection,
    actor_id: int,
    heads: Sequence[Row[Any]],
    wanted: Wanted,
    kinds: Sequence[str] | None,
    *,
    from_id: int,
) -> list[Group]:
    keys = {head.group_key for head in heads if head.group_key and (kinds is None or head.kind in kinds)}
    found: dict[str, list[Row[Any]]] = {}
    if keys:
        values = {"me": actor_id, "keys": list(keys), "low": from_id, "sample": _SAMPLE, "from_id": wanted.from_id}
        for row in tx.execute(_details(wanted.from_id is not None), values):
            found.setdefault(row.group_key, []).append(row)
    return [_group(head, found) for head in heads]


def _group(head: Row[Any], found: Mapping[str, Sequence[Row[Any]]]) -> Group:
    rows = found.get(head.group_key)
    if rows is None:
        return Group(alone(head.id), head, [head.from_actor_id], 1, head.id, head.created_at)
    senders = list(dict.fromkeys(row.from_actor_id for row in rows))
    return Group(head.group_key, head, senders, rows[0].size, rows[0].oldest_id or head.id, head.created_at)
