"""Rows by their ids: what was read before in the same version is not read again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from fediverse.db import Prepared, id_list, is_writing
from fediverse.quick import Quick
from fediverse.site import Recent
from fediverse.tables.actors import actors
from fediverse.tables.statuses import statuses as posts

# Rows by (id, version): whatever changes how a row shows changes its version too.
_known_actors = Recent(4096)
_known_statuses = Recent(8192)
_ACTORS = Prepared(lambda sql: select(actors).where(sql.within(actors.c.id, "ids")))
_ACTOR_VERSIONS = Quick(lambda sql: select(actors.c.id, actors.c.version).where(sql.within(actors.c.id, "ids")))
_STATUSES = Prepared(lambda sql: select(posts).where(sql.within(posts.c.id, "ids"), posts.c.deleted_at.is_(None)))
_STATUS_VERSIONS = Quick(
    lambda sql: select(posts.c.id, posts.c.version).where(sql.within(posts.c.id, "ids"), posts.c.deleted_at.is_(None))
)


def accounts(tx: Connection, actor_ids: Iterable[int]) -> dict[int, Row[Any]]:
    """The actors, by id."""
    wanted = set(actor_ids)
    if not wanted:
        return {}
    heads = _ACTOR_VERSIONS(tx, {"ids": id_list(tx, wanted)})
    return _whole(tx, heads, _ACTORS, _known_actors)


def in_order(tx: Connection, actor_ids: Sequence[int]) -> list[Row[Any]]:
    """The actors, in the order of the ids."""
    found = accounts(tx, actor_ids)
    return [found[actor_id] for actor_id in actor_ids if actor_id in found]


def whole(tx: Connection, heads: Sequence[Row[Any]]) -> list[Row[Any]]:
    """The whole statuses behind a timeline's heads, in the same order."""
    found = _whole(tx, heads, _STATUSES, _known_statuses)
    return [found[head.id] for head in heads if head.id in found]


def by_id(tx: Connection, status_ids: Iterable[int]) -> list[Row[Any]]:
    """The statuses that are not deleted, in no order."""
    wanted = set(status_ids)
    heads = _STATUS_VERSIONS(tx, {"ids": id_list(tx, wanted)}) if wanted else []
    return list(_whole(tx, heads, _STATUSES, _known_statuses).values())


def _whole(
    tx: Connection, heads: Sequence[Any], select_by_ids: Prepared[Select[Any]], known: Recent
) -> dict[int, Row[Any]]:
    """The whole rows behind heads (id, version), by id; what was read before in that version is not read again."""
    rows: dict[int, Row[Any]] = {}
    missing = []
    for head in heads:
        row = known.get((head.id, head.version))
        if row is None:
            missing.append(head.id)
        else:
            rows[head.id] = row
    if missing:
        for row in tx.execute(select_by_ids(tx), {"ids": id_list(tx, missing)}):
            rows[row.id] = row
            if not is_writing(tx):  # what may yet be rolled back is kept for nobody
                known.put((row.id, row.version), row)
    return rows
