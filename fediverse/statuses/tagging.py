"""The hashtags and mentions of a status, as rows to be found by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from fediverse import ids, text
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.tables.statuses import mentions as mentions_table
from fediverse.tables.statuses import status_tags, tags


def put_tags(tx: Connection, status_id: int, names: Sequence[str], *, now: Instant) -> None:
    """The status is found under these hashtags; a new one is kept as it was first written."""
    folded = {text.fold_tag(name): name for name in reversed(names)}
    if not folded:
        return
    found = _tag_ids(tx, folded)
    missing = [
        {"id": ids.new_id(), "name": fold, "display": name, "created_at": now}
        for fold, name in folded.items()
        if fold not in found
    ]
    if missing:
        tx.execute(insert(tx, tags).on_conflict_do_nothing(index_elements=["name"]), missing)
        found = _tag_ids(tx, folded)
    tx.execute(
        insert(tx, status_tags).on_conflict_do_nothing(),
        [{"tag_id": tag_id, "status_id": status_id} for tag_id in found.values()],
    )


def put_mentions(tx: Connection, status_id: int, actors: Sequence[Row[Any]]) -> None:
    """The status is found by those whom it mentions."""
    if actors:
        tx.execute(
            insert(tx, mentions_table).on_conflict_do_nothing(),
            [{"actor_id": actor.id, "status_id": status_id} for actor in actors],
        )


def clear_tags(tx: Connection, status_id: int) -> None:
    """The status is found under no hashtag."""
    tx.execute(delete(status_tags).where(status_tags.c.status_id == status_id))


def _tag_ids(tx: Connection, folded: dict[str, str]) -> dict[str, int]:
    rows = tx.execute(select(tags.c.name, tags.c.id).where(tags.c.name.in_(list(folded))))
    return {row.name: row.id for row in rows}
