"""How far an actor has read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.tables.timelines import markers


def get_markers(tx: Connection, actor_id: int) -> dict[str, Row[Any]]:
    """How far the actor has read, by timeline."""
    rows = tx.execute(select(markers).where(markers.c.actor_id == actor_id))
    return {row.timeline: row for row in rows}


def set_marker(tx: Connection, actor_id: int, timeline: str, last_read_id: int, *, now: Instant) -> Row[Any]:
    """The actor has read that far in ``home`` or ``notifications``; a marker never goes back."""
    statement = insert(tx, markers).values(
        actor_id=actor_id, timeline=timeline, last_read_id=last_read_id, version=1, updated_at=now
    )
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["actor_id", "timeline"],
            set_={"last_read_id": last_read_id, "version": markers.c.version + 1, "updated_at": now},
            where=markers.c.last_read_id < last_read_id,
        )
    )
    return get_markers(tx, actor_id)[timeline]
