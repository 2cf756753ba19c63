"""Rows to lists of entities, with what pages by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row

from fediverse import entities, filters, hashtags, loading
from fediverse.api.respond import Call, Listing
from fediverse.entities import StatusView
from fediverse.paging import Page, filled


def statuses(tx: Connection, rows: Sequence[Row[Any]], call: Call) -> Listing:
    """The rows of a timeline as Status entities, paged by their own ids."""
    return Listing(_statuses(tx, rows, call), [row.id for row in rows])


def timeline(
    tx: Connection, page: Page, load: Callable[[Page], Sequence[Row[Any]]], call: Call, *, context: str
) -> Listing:
    """A page of a timeline without what the viewer's filters hide in ``context``, and nonetheless a full one."""
    site, viewer_id = call.site, call.viewer_id

    def kept(page: Page) -> tuple[list[int], list[tuple[int, StatusView]]]:
        rows = load(page)
        views = loading.statuses(tx, rows, viewer_id, now=call.now)
        shown = [(view.status.id, view) for view in views if not filters.hides(view, viewer_id, context)]
        return [row.id for row in rows], shown

    views, ends = filled(page, kept)
    return Listing([entities.status_json(view, site, viewer_id) for view in views], ends)


def marked_statuses(tx: Connection, rows: Sequence[tuple[int, Row[Any]]], call: Call) -> Listing:
    """Statuses that are paged by the ids of what was done with them, such as bookmarks."""
    return Listing(_statuses(tx, [row for _, row in rows], call), [cursor for cursor, _ in rows])


def accounts(tx: Connection, rows: Sequence[tuple[int, int]], call: Call) -> Listing:
    """Account entities from (paging id, actor id)."""
    found = loading.in_order(tx, [actor_id for _, actor_id in rows])
    return Listing([entities.account(row, call.site) for row in found], [cursor for cursor, _ in rows])


def tags(tx: Connection, rows: Sequence[Row[Any]], call: Call) -> list[dict[str, Any]]:
    """Tag entities of rows of ``tags``."""
    signed_in = call.viewer_id is not None
    views = hashtags.views(tx, rows, call.viewer_id, now=call.now)
    return [entities.tag(view, call.site, signed_in=signed_in, now=call.now) for view in views]


def status(tx: Connection, row: Row[Any], call: Call) -> dict[str, Any]:
    """One row as a Status entity."""
    return entities.status(loading.status(tx, row, call.viewer_id), call.site, call.viewer_id)


def _statuses(tx: Connection, rows: Sequence[Row[Any]], call: Call) -> list[dict[str, Any] | orjson.Fragment]:
    site, viewer_id = call.site, call.viewer_id
    return [entities.status_json(view, site, viewer_id) for view in loading.statuses(tx, rows, viewer_id)]
