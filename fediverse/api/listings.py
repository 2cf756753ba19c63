"""Rows to lists of entities, with what pages by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from fediverse import entities, loading
from fediverse.api.respond import Call, Listing


def statuses(tx: Connection, rows: Sequence[Row[Any]], call: Call) -> Listing:
    """The rows of a timeline as Status entities, paged by their own ids."""
    return Listing(_statuses(tx, rows, call), [row.id for row in rows])


def marked_statuses(tx: Connection, rows: Sequence[tuple[int, Row[Any]]], call: Call) -> Listing:
    """Statuses that are paged by the ids of what was done with them, such as bookmarks."""
    return Listing(_statuses(tx, [row for _, row in rows], call), [cursor for cursor, _ in rows])


def accounts(tx: Connection, rows: Sequence[tuple[int, int]], call: Call) -> Listing:
    """Account entities from (paging id, actor id)."""
    found = loading.in_order(tx, [actor_id for _, actor_id in rows])
    return Listing([entities.account(row, call.site) for row in found], [cursor for cursor, _ in rows])


def status(tx: Connection, row: Row[Any], call: Call) -> dict[str, Any]:
    """One row as a Status entity."""
    return entities.status(loading.status(tx, row, call.viewer_id), call.site, call.viewer_id)


def _statuses(tx: Connection, rows: Sequence[Row[Any]], call: Call) -> list[dict[str, Any]]:
    site, viewer_id = call.site, call.viewer_id
    return [entities.status(view, site, viewer_id) for view in loading.statuses(tx, rows, viewer_id)]
