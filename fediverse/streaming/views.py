"""A status as many viewers see it at once: one JSON for all to whom it looks the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Select,
    Text,
    literal_column,
    select,
    union_all,
)

from fediverse import entities, filters
from fediverse.clock import Instant
from fediverse.db import Dialect, Prepared, id_list
from fediverse.entities import StatusView
from fediverse.site import Site
from fediverse.tables.filters import filter_versions
from fediverse.tables.statuses import bookmarks, conversation_mutes, favourites, pins, poll_votes
from fediverse.tables.statuses import statuses as posts
from fediverse.visibility import unwelcome

# Somebody who is signed in, and nobody in particular.
ANYBODY = 0


# What a viewer did, by kind and status (or conversation), and of votes for what.
_Marks = dict[tuple[str, int], list[int]]


@dataclass(slots=True)
class Payloads:
    """What goes to each viewer: the same bytes to most. None: nothing; empty: the event alone."""

    anonymous: bytes | None
    signed_in: bytes | None
    own: dict[int, bytes | None] = field(default_factory=dict)

    def of(self, actor_id: int) -> bytes | None:
        """What goes to this viewer; 0 is nobody."""
        return self.own.get(actor_id, self.signed_in) if actor_id else self.anonymous


def same(payload: bytes) -> Payloads:
    """The same to everybody."""
    return Payloads(payload, payload)


_FILTERS: ColumnElement[str] = literal_column("'filters'", Text).label("mark")
_NONE: ColumnElement[int] = literal_column("0", Integer).label("choice")


def _marks_query(sql: Dialect) -> CompoundSelect[Any]:
    def mark(
        name: str,
        what: ColumnElement[int],
        who: ColumnElement[int],
        given: str = "ids",
        choice: ColumnElement[int] = _NONE,
    ) -> Select[Any]:
        columns: tuple[ColumnElement[Any], ...] = (
            literal_column(f"'{name}'").label("mark"),
            what.label("id"),
            who.label("actor_id"),
            choice,
        )
        return select(*columns).where(sql.within(what, given), sql.within(who, "viewers"))

    return union_all(
        mark("favourited", favourites.c.status_id, favourites.c.actor_id),
        mark("bookmarked", bookmarks.c.status_id, bookmarks.c.actor_id),
        mark("pinned", pins.c.status_id, pins.c.actor_id),
        mark("boosted", posts.c.boost_of_id, posts.c.author_id),
        mark("muted", conversation_mutes.c.conversation_id, conversation_mutes.c.actor_id, "conversations"),
        select(_FILTERS, filter_versions.c.version, filter_versions.c.actor_id, _NONE).where(
            sql.within(filter_versions.c.actor_id, "viewers")
        ),
        mark("vote", poll_votes.c.status_id, poll_votes.c.actor_id, choice=poll_votes.c.choice.label("choice")),
    )


_MARKS = Prepared(_marks_query)


def for_viewers(
    tx: Connection, views: Collection[StatusView], viewer_ids: Collection[int], *, now: Instant
) -> dict[tuple[int, int], StatusView]:
    """The views of those viewers who see them otherwise than anybody who is signed in: by (status, viewer).

    ``views`` are nobody's in particular.
    """
    if not viewer_ids or not views:
        return {}
    shown = [inner for view in views for inner in ((view, view.boost) if view.boost else (view,))]
    values = {
        "ids": id_list(tx, {view.status.id for view in shown}),
        "conversations": id_list(tx, {view.status.conversation_id for view in shown}),
        "viewers": id_list(tx, viewer_ids),
    }
    marks: dict[int, _Marks] = {}
    for row in tx.execute(_MARKS(tx), values):
        marks.setdefault(row.actor_id, {}).setdefault((row.mark, row.id), []).append(row.choice)
    for view in shown:
        if view.status.author_id in viewer_ids:
            marks.setdefault(view.status.author_id, {})
    own: dict[tuple[int, int], StatusView] = {}
    for viewer_id, found in marks.items():
        theirs = [_marked(view, found) for view in views]
        version = max((number for mark, number in found if mark == "filters"), default=0)
        filters.mark(tx, theirs, viewer_id, version=version, now=now)
        own.update(((view.status.id, viewer_id), view) for view in theirs if _is_special(view, viewer_id))
    for view in views:
        quote = (view.boost or view).quote
        if quote is not None:
            for viewer_id in unwelcome(tx, [quote.author], now=now).intersection(viewer_ids):
                key = (view.status.id, viewer_id)
                own[key] = _without_quote(own.get(key, view))
    return own


def _without_quote(view: StatusView) -> StatusView:
    """The view for somebody to whom nothing of whom it quotes shows: a block either way, a mute, a hidden host."""
    if view.boost is not None:
        return replace(view, boost=_without_quote(view.boost))
    return replace(view, quote=None, quote_hidden="unauthorized")


def _is_special(view: StatusView, viewer_id: int) -> bool:
    """Whether the viewer sees it otherwise than anybody: most filters fit nothing."""
    return (
        view.status.author_id == viewer_id
        or bool(view.filtered or view.votes)
        or any((view.favourited, view.boosted, view.bookmarked, view.muted, view.pinned))
        or (view.boost is not None and _is_special(view.boost, viewer_id))
    )


def _marked(view: StatusView, marks: _Marks) -> StatusView:
    row = view.status
    return replace(
        view,
        boost=_marked(view.boost, marks) if view.boost is not None else None,
        favourited=("favourited", row.id) in marks,
        boosted=("boosted", row.id) in marks,
        bookmarked=("bookmarked", row.id) in marks,
        muted=("muted", row.conversation_id) in marks,
        pinned=("pinned", row.id) in marks,
        votes=sorted(marks.get(("vote", row.id), ())),
    )


def payloads(
    view: StatusView,
    own: dict[tuple[int, int], StatusView],
    viewers: Iterable[int],
    site: Site,
    *,
    context: str,
    anonymous: bool = False,
) -> Payloads:
    """The status for each of the viewers, and for nobody where ``anonymous`` says that there are such.

    Those whose filters hide it in the context get nothing.
    """
    made = Payloads(
        orjson.dumps(entities.status(view, site, None)) if anonymous else None,
        orjson.dumps(entities.status(view, site, ANYBODY)),
    )
    for viewer_id in viewers:
        special = own.get((view.status.id, viewer_id))
        if special is not None:
            hidden = filters.hides(special, viewer_id, context)
            made.own[viewer_id] = None if hidden else orjson.dumps(entities.status(special, site, viewer_id))
    return made
