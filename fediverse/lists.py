"""Lists of some of those whom an actor follows. Owner of the tables lists and list_members.

What a list shows is read by ``timelines.list_timeline``. Only followees are members, and the owner if it likes:
whoever is no longer followed is on no list.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, func, select, update

from fediverse import ids, text
from fediverse.clock import Instant
from fediverse.db import Dialect, Prepared, id_list
from fediverse.errors import Invalid, NotFound
from fediverse.paging import Page
from fediverse.tables.actors import actors, follows
from fediverse.tables.lists import list_members, lists

REPLIES_POLICIES: Final = ("followed", "list", "none")
MOST_LISTS: Final = 50
_MAX_TITLE: Final = 256
_NOT_FOUND: Final = "Record not found"

_OWN = select(lists).where(
    lists.c.id == bindparam("list", type_=BigInteger), lists.c.actor_id == bindparam("me", type_=BigInteger)
)


def all_of(tx: Connection, actor_id: int) -> Sequence[Row[Any]]:
    """The actor's lists, the oldest first."""
    return tx.execute(select(lists).where(lists.c.actor_id == actor_id).order_by(lists.c.id)).all()


def get(tx: Connection, actor_id: int, list_id: int) -> Row[Any]:
    """One of the actor's lists. Raises NotFound for anybody else's."""
    row = tx.execute(_OWN, {"list": list_id, "me": actor_id}).first()
    if row is None:
        raise NotFound(_NOT_FOUND)
    return row


def create(
    tx: Connection, actor_id: int, *, title: str, replies_policy: str = "list", exclusive: bool = False, now: Instant
) -> Row[Any]:
    """The actor has one list more. Raises Invalid."""
    values = _checked(title, replies_policy)
    if (tx.scalar(select(func.count()).select_from(lists).where(lists.c.actor_id == actor_id)) or 0) >= MOST_LISTS:
        raise Invalid(f"You have {MOST_LISTS} lists already: delete one first.")
    values |= {"id": ids.new_id(), "actor_id": actor_id, "exclusive": exclusive, "created_at": now}
    return tx.execute(lists.insert().values(values).returning(*lists.c)).one()


def change(
    tx: Connection,
    actor_id: int,
    list_id: int,
    *,
    title: str | None,
    replies_policy: str | None,
    exclusive: bool | None,
) -> Row[Any]:
    """The list is as given; what is None stays. Raises NotFound for anybody else's, Invalid."""
    before = get(tx, actor_id, list_id)
    values = _checked(
        before.title if title is None else title, before.replies_policy if replies_policy is None else replies_policy
    )
    values["exclusive"] = before.exclusive if exclusive is None else exclusive
    return tx.execute(update(lists).where(lists.c.id == list_id).values(values).returning(*lists.c)).one()


def remove(tx: Connection, actor_id: int, list_id: int) -> None:
    """The list is gone. Raises NotFound for anybody else's."""
    get(tx, actor_id, list_id)
    tx.execute(delete(lists).where(lists.c.id == list_id))


def holding(tx: Connection, actor_id: int, member_id: int) -> Sequence[Row[Any]]:
    """Those of the actor's lists that the other is on."""
    return tx.execute(
        select(lists)
        .join(list_members, list_members.c.list_id == lists.c.id)
        .where(lists.c.actor_id == actor_id, list_members.c.actor_id == member_id)
        .order_by(lists.c.id)
    ).all()


def members_page(tx: Connection, list_id: int, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of those on the list, the latest first."""
    statement = (
        select(list_members.c.id, list_members.c.actor_id)
        .join(actors, actors.c.id == list_members.c.actor_id)
        .where(list_members.c.list_id == list_id, actors.c.deleted_at.is_(None), actors.c.suspended_at.is_(None))
    )
    rows = tx.execute(page.select(statement, list_members.c.id)).all()
    return page.newest_first([(row.id, row.actor_id) for row in rows])


def _followed(sql: Dialect) -> Any:
    return select(follows.c.followee_id).where(
        follows.c.follower_id == bindparam("me", type_=BigInteger),
        follows.c.accepted,
        sql.within(follows.c.followee_id, "ids"),
    )


_FOLLOWED: Final = Prepared(_followed)
_KNOWN: Final = Prepared(lambda sql: select(actors.c.id).where(sql.within(actors.c.id, "ids")))
_ADD: Final = Prepared(lambda sql: sql(list_members).on_conflict_do_nothing().returning(list_members.c.id))
_REMOVE: Final = Prepared(
    lambda sql: delete(list_members).where(
        list_members.c.list_id == bindparam("list", type_=BigInteger), sql.within(list_members.c.actor_id, "ids")
    )
)


def add_members(tx: Connection, actor_id: int, list_id: int, member_ids: Collection[int]) -> None:
    """All of these are on the list, or none: only whom the actor follows, and the actor itself, can be.

    Raises NotFound for anybody else's list and for accounts that are not known here, Invalid for whom the actor does
    not follow and who is on the list already.
    """
    get(tx, actor_id, list_id)
    given = {"me": actor_id, "ids": id_list(tx, member_ids)}
    if len(tx.scalars(_KNOWN(tx), given).all()) < len(set(member_ids)):
        raise NotFound(_NOT_FOUND)
    if set(member_ids) - {actor_id} - set(tx.scalars(_FOLLOWED(tx), given)):
        raise Invalid("Only accounts that you follow can be on a list. Follow them first.")
    # The order they are given in is the order they are shown in: the first one is the latest.
    rows = [{"list_id": list_id, "actor_id": member} for member in reversed(list(dict.fromkeys(member_ids)))]
    added = tx.execute(_ADD(tx).values([{"id": ids.new_id(), **row} for row in rows])).all() if rows else []
    if len(added) < len(rows):
        raise Invalid("An account of these is on the list already.")


def remove_members(tx: Connection, actor_id: int, list_id: int, member_ids: Collection[int]) -> None:
    """None of these is on the list. Raises NotFound for anybody else's list."""
    get(tx, actor_id, list_id)
    tx.execute(_REMOVE(tx), {"list": list_id, "ids": id_list(tx, member_ids)})


def forget(tx: Connection, actor_id: int, member_id: int) -> None:
    """The other is on none of the actor's lists, as when it is not followed any more."""
    mine = select(lists.c.id).where(lists.c.actor_id == actor_id)
    tx.execute(delete(list_members).where(list_members.c.actor_id == member_id, list_members.c.list_id.in_(mine)))


def end_all(tx: Connection, actor_id: int) -> None:
    """The actor has no lists and is on none, as when it is deleted."""
    tx.execute(delete(list_members).where(list_members.c.actor_id == actor_id))
    tx.execute(delete(lists).where(lists.c.actor_id == actor_id))


def _checked(title: str, replies_policy: str) -> dict[str, Any]:
    if text.is_blank(title):
        raise Invalid("A list needs a “title”.")
    if len(title) > _MAX_TITLE:
        raise Invalid(f"The title has {len(title)} characters; it may have at most {_MAX_TITLE}.")
    if replies_policy not in REPLIES_POLICIES:
        raise Invalid(f"“replies_policy” is one of {', '.join(REPLIES_POLICIES)}.")
    return {"title": title, "replies_policy": replies_policy}
