"""Who of those who are looking just now has a status in the home timeline: what open streams ask."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import BigInteger, Connection, Select, bindparam, exists, select, union_all

from fediverse.db import Dialect, Prepared, id_list
from fediverse.tables.actors import follows
from fediverse.tables.timelines import home_entries

_status, _author, _after, _until = (
    bindparam(name, type_=BigInteger) for name in ("status", "author", "after", "until")
)


def _readers(sql: Dialect) -> Select[int]:
    # Whoever follows by a later follow is told in the turn of that.
    told_later = exists().where(
        follows.c.follower_id == home_entries.c.actor_id, follows.c.followee_id == _author, follows.c.id > _until
    )
    return select(home_entries.c.actor_id).where(
        sql.within(home_entries.c.actor_id, "among"), home_entries.c.status_id == _status, ~told_later
    )


_READERS = Prepared(_readers)
_BY_FOLLOW = (
    select(home_entries.c.actor_id)
    .join(follows, follows.c.follower_id == home_entries.c.actor_id)
    .where(
        follows.c.followee_id == _author,
        follows.c.follower_is_local,
        follows.c.accepted,
        follows.c.id > _after,
        follows.c.id <= _until,
        home_entries.c.status_id == _status,
    )
)
_ENTRIES = Prepared(
    lambda sql: union_all(
        *(
            select(home_entries.c.actor_id, home_entries.c.status_id).where(
                sql.within(home_entries.c.actor_id, "among"), column == _status
            )
            for column in (home_entries.c.status_id, home_entries.c.subject_id)
        )
    )
)


def new_to(
    tx: Connection, status_id: int, author_id: int, *, after: int, until: int, among: Collection[int]
) -> set[int]:
    """Those ``among`` the actors to whom the status came with the follows in (``after``, ``until``].

    With ``after`` 0 also those who have it for another reason: who wrote it, who is mentioned.
    """
    if not among:
        return set()
    values = {"status": status_id, "author": author_id, "after": after, "until": until}
    if after:  # the batches are small, and each follower is in one of them
        return set(tx.scalars(_BY_FOLLOW, values)) & set(among)
    return set(tx.scalars(_READERS(tx), {**values, "among": id_list(tx, among)}))


def having(tx: Connection, status_id: int, *, among: Collection[int]) -> set[tuple[int, int]]:
    """Who ``among`` the actors has the status at home, by itself or in a boost: pairs of actor and entry."""
    if not among:
        return set()
    found = tx.execute(_ENTRIES(tx), {"status": status_id, "among": id_list(tx, among)})
    return {(row.actor_id, row.status_id) for row in found}
