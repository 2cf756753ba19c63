"""Notifications in groups: likes and boosts of one post, new followers of some hours.

A group stands where its newest notification stands, so that it shows once, however one pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
)

from fediverse.notifications import policy
from fediverse.notifications.reading import (
    ALL,
    Wanted,
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
    oldest_id: int  # that the page holds
    place: int  # the id by which it is paged: of its newest, be that from somebody suspended


def group_page(
    tx: Connection, actor_id: int, page: Page, wanted: Wanted = ALL, *, grouped: Iterable[str] | None = None
) -> list[Group]:
    """A page of groups, newest first. ``grouped`` are the kinds to be grouped, where not all that can be."""
    kinds = _groupable(grouped)
    parameters = {**wanted.parameters(actor_id), "grouped": kinds or [], **page.parameters}
    statement = _page(wanted.conditions, page.shape, kinds is None, tx.dialect.name)
    return _groups(tx, page.newest_first(tx.execute(statement, parameters).all()), kinds)


def group(tx: Connection, actor_id: int, group_key: str) -> Group | None:
    """The actor's group with this key; None where there is none."""
    if group_key.startswith(_ALONE):
        found = single_id(group_key)
        head = get(tx, actor_id, found) if found is not None else None
        return Group(group_key, head, [head.from_actor_id], 1, head.id, head.id) if head is not None else None
    statement = _of_key(group_key).order_by(table.c.id.desc()).limit(1)
    heads = tx.execute(statement.add_columns(*_beside(tx.dialect.name)), ALL.parameters(actor_id)).all()
    return next(iter(_groups(tx, heads, None)), None)


def group_senders(tx: Connection, actor_id: int, group_key: str, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of those whose notifications are in the group, the latest first."""
    if group_key.startswith(_ALONE):
        found = group(tx, actor_id, group_key)
        return [(found.head.id, found.head.from_actor_id)] if found is not None else []
    rows = tx.execute(page.select(_of_key(group_key), table.c.id), ALL.parameters(actor_id)).all()
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


def single_id(group_key: str) -> int | None:
    """The notification whose key this is alone; None for the key of a group."""
    return read_id(group_key.removeprefix(_ALONE)) if group_key.startswith(_ALONE) else None


def _groupable(grouped: Iterable[str] | None) -> list[str] | None:
    """The kinds to group; None for all that can be."""
    kinds = None if grouped is None else [kind for kind in GROUPED if kind in set(grouped)]
    return None if kinds is not None and len(kinds) == len(GROUPED) else kinds


def _heads(conditions: _Conditions, *, grouped: bool) -> Select[Any]:
    """The notifications that stand for their groups, be they from somebody suspended, or for themselves."""
    _, _, by_sender, _ = conditions
    if by_sender:  # nobody is twice in a group
        return wanted_by(select(table), conditions)
    stands: ColumnElement[bool] = table.c.newest
    in_group: ColumnElement[bool] = table.c.group_key != policy.NO_GROUP
    if not grouped:
        kinds: BindParameter[Any] = bindparam("grouped", expanding=True)
        stands = or_(stands, table.c.kind.not_in(kinds))
        in_group = and_(in_group, table.c.kind.in_(kinds))
    return wanted_by(select(table), conditions, shown=or_(in_group, sender_shows(table))).where(stands)


@cache
def _page(conditions: _Conditions, shape: Shape, grouped: bool, dialect: str) -> Select[Any]:
    _, _, by_sender, _ = conditions
    heads = _heads(conditions, grouped=grouped)
    beside = _ALONE_IN_IT if by_sender else _beside(dialect)
    return Page.bounded(heads.add_columns(*beside), table.c.id, shape)


def _beside(dialect: str) -> tuple[ColumnElement[Any], ...]:
    """How large the group of a notification is, where it begins, and who sent the newest of it, as ``1,2,3``."""
    each, newest = table.alias("each"), table.alias("newest")
    of_group = (each.c.actor_id == table.c.actor_id, each.c.group_key == table.c.group_key, _in_group(each))
    senders = (
        select(cast(newest.c.from_actor_id, Text).label("sender"))
        .where(
            newest.c.actor_id == table.c.actor_id,
            newest.c.group_key == table.c.group_key,
            _in_group(newest),
            sender_shows(newest),
        )
        .order_by(newest.c.id.desc())
        .limit(literal_column(str(_SAMPLE)))
        .correlate(table)
        .subquery("senders")
    )
    joined = func.group_concat(senders.c.sender) if dialect == "sqlite" else func.string_agg(senders.c.sender, ",")
    size = select(func.count(each.c.id)).where(*of_group).correlate(table).scalar_subquery()
    first = select(func.min(each.c.id)).where(*of_group).correlate(table).scalar_subquery()
    # Most of what one is told stands alone: then none of them is looked for.
    return tuple(
        case((_in_group(table), found)).label(name)
        for name, found in (
            ("size", size),
            ("first_id", first),
            ("senders", select(joined).select_from(senders).scalar_subquery()),
        )
    )


_ALONE_IN_IT: Final[tuple[ColumnElement[Any], ...]] = (
    literal_column("1").label("size"),
    table.c.id.label("first_id"),
    cast(table.c.from_actor_id, Text).label("senders"),
)


def _in_group(notification: FromClause) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = notification.c.group_key != policy.NO_GROUP
    return condition


def _of_key(group_key: str) -> Select[Any]:
    return wanted_by(select(table), ALL.conditions).where(table.c.group_key == group_key, _in_group(table))


def _groups(tx: Connection, heads: Sequence[Row[Any]], kinds: Sequence[str] | None) -> list[Group]:
    """The groups that these stand for, in order; none of whose senders nobody shows."""
    low = heads[-1].id if heads else 0
    groups: dict[str, Group] = {}
    for head in heads:
        if not head.group_key or (kinds is not None and head.kind not in kinds):
            key = alone(head.id)
            groups[key] = Group(key, head, [head.from_actor_id], 1, head.id, head.id)
        elif head.senders and head.group_key not in groups:
            senders = [int(sender) for sender in head.senders.split(",")]
            # Where the page ends with it, no more of it is on the page.
            oldest_id = head.id if head.id == low else head.first_id
            groups[head.group_key] = Group(head.group_key, head, senders, head.size, oldest_id, head.id)
    return _bounded(tx, _with_heads(tx, list(groups.values())), low)


def _with_heads(tx: Connection, groups: list[Group]) -> list[Group]:
    """The groups, by the newest that shows where the newest of all is from somebody suspended."""
    hidden = {group.key: group for group in groups if group.head.from_actor_id != group.sender_ids[0]}
    if not hidden:
        return groups
    found = tx.execute(
        select(table).where(
            table.c.actor_id == groups[0].head.actor_id,
            table.c.group_key.in_(list(hidden)),
            _in_group(table),
            table.c.from_actor_id.in_([group.sender_ids[0] for group in hidden.values()]),
        )
    )
    shown = {(row.group_key, row.from_actor_id): row for row in found}
    return [
        replace(group, head=shown.get((group.key, group.sender_ids[0]), group.head)) if group.key in hidden else group
        for group in groups
    ]


def _bounded(tx: Connection, groups: list[Group], low: int) -> list[Group]:
    """The groups, with the oldest of each that is not older than the page."""
    older = [group.key for group in groups if group.oldest_id < low]
    if not older:
        return groups
    held = select(table.c.group_key, func.min(table.c.id)).where(
        table.c.actor_id == groups[0].head.actor_id, table.c.group_key.in_(older), _in_group(table), table.c.id >= low
    )
    oldest: dict[str, int] = {row[0]: row[1] for row in tx.execute(held.group_by(table.c.group_key))}
    return [replace(group, oldest_id=oldest.get(group.key, group.oldest_id)) for group in groups]
