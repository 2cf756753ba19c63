"""A post's conversation: what it answers, and what answers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, literal, select

from fediverse.tables.statuses import statuses
from fediverse.visibility import visible_where

_MAX_DEPTH = 100
_MAX_DESCENDANTS = 500


def context(tx: Connection, status: Row[Any], viewer_id: int | None) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """(ancestors, descendants) of a status in reading order, as far as the viewer may see them.

    At most 100 levels up and 500 posts down; a loop that a remote server made ends where it closes.
    """
    parent = statuses.alias("parent")
    up = (
        select(statuses.c.id, statuses.c.in_reply_to_id, literal(0).label("depth"))
        .where(statuses.c.id == status.id)
        .cte("up", recursive=True)
    )
    up = up.union(
        select(parent.c.id, parent.c.in_reply_to_id, up.c.depth + 1).where(
            parent.c.id == up.c.in_reply_to_id, up.c.depth < _MAX_DEPTH
        )
    )
    child = statuses.alias("child")
    down = (
        select(statuses.c.id, literal(0).label("depth")).where(statuses.c.id == status.id).cte("down", recursive=True)
    )
    down = down.union(
        select(child.c.id, down.c.depth + 1).where(child.c.in_reply_to_id == down.c.id, down.c.depth < _MAX_DEPTH)
    )
    depths = {row.id: row.depth for row in reversed(tx.execute(select(up.c.id, up.c.depth)).all())}
    # Not DISTINCT, which PostgreSQL answers by walking the whole thread first: a loop merely uses up places.
    below = set(tx.scalars(select(down.c.id).where(down.c.id != status.id).limit(_MAX_DESCENDANTS)))
    above = [found for found in depths if found != status.id]
    rows = {
        row.id: row
        for row in tx.execute(select(statuses).where(statuses.c.id.in_([*above, *below]), visible_where(viewer_id)))
    }
    ancestors = sorted((rows[i] for i in above if i in rows), key=lambda row: -depths[row.id])
    chosen = below - set(above)
    return ancestors, _reading_order(status.id, [rows[i] for i in rows if i in chosen])


def _reading_order(root_id: int, rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Replies under what they answer, older ones first; what answers something hidden comes last."""
    children: dict[int, list[Row[Any]]] = {}
    for row in sorted(rows, key=lambda row: -row.id):
        children.setdefault(row.in_reply_to_id, []).append(row)
    ordered: list[Row[Any]] = []
    stack = children.pop(root_id, [])
    while stack:
        row = stack.pop()
        ordered.append(row)
        stack.extend(children.pop(row.id, []))
    for rest in children.values():
        ordered.extend(reversed(rest))
    return ordered
