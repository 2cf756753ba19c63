"""Posts with authors, boosted and quoted posts, polls, cards and the viewer's own marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    bindparam,
    select,
)

from fediverse import cards, clock, filters
from fediverse.clock import Instant
from fediverse.db import Prepared, id_list, is_writing
from fediverse.documents import has_ended
from fediverse.entities import StatusView
from fediverse.loading import rows as loaded
from fediverse.loading.marks import marks_of, view_of
from fediverse.loading.quotes import add_quotes, add_standings
from fediverse.site import Recent
from fediverse.tables.statuses import poll_votes

# The card of a status in a version; fetched ones only, since then its posts have another version.
_known_cards = Recent(8192)
_me = bindparam("me", type_=BigInteger)


_VOTES = Prepared(
    lambda sql: (
        select(poll_votes.c.status_id, poll_votes.c.choice)
        .where(poll_votes.c.actor_id == _me, sql.within(poll_votes.c.status_id, "ids"))
        .order_by(poll_votes.c.choice)
    )
)


def statuses(
    tx: Connection,
    rows: Sequence[Row[Any]],
    viewer_id: int | None,
    *,
    known: Mapping[int, Row[Any]] | None = None,
    now: Instant | None = None,
) -> list[StatusView]:
    """The rows with authors, boosted posts, the viewer's marks and what the viewer's filters say, in the same order.

    ``rows`` may be whole or just their heads (``tables.statuses.HEAD``). A boost of something that is gone is left out.
    ``known`` are actors that were loaded already.
    """
    if not rows:
        return []
    if not hasattr(rows[0], "content"):
        rows = loaded.whole(tx, rows)
    boosted_ids = {row.boost_of_id for row in rows if row.boost_of_id is not None}
    boosted: dict[int, Row[Any]] = {}
    if boosted_ids:
        boosted = {row.id: row for row in loaded.by_id(tx, boosted_ids)}
    authors = dict(known or {})
    needed = {row.author_id for row in rows} | {row.author_id for row in boosted.values()}
    authors.update(loaded.accounts(tx, needed - authors.keys()))
    marks = marks_of(tx, [*rows, *boosted.values()], viewer_id)
    views = []
    for row in rows:
        inner = None
        if row.boost_of_id is not None:
            if row.boost_of_id not in boosted:
                continue
            inner = view_of(boosted[row.boost_of_id], authors, marks)
        view = view_of(row, authors, marks)
        view.boost = inner
        views.append(view)
    shown = [view.boost or view for view in views]
    quoted = add_quotes(tx, shown, viewer_id)
    _add_polls(tx, [*shown, *quoted], viewer_id)
    add_standings(tx, [*shown, *quoted], viewer_id)
    _add_cards(tx, [*shown, *quoted])
    if viewer_id is not None and "filters" in marks:
        at = clock.now() if now is None else now
        filters.mark(tx, [*views, *quoted], viewer_id, version=max(marks["filters"]), now=at)
    return views


def status(tx: Connection, row: Row[Any], viewer_id: int | None) -> StatusView:
    """One row with what is shown beside it."""
    return statuses(tx, [row], viewer_id)[0]


def _add_polls(tx: Connection, views: Sequence[StatusView], viewer_id: int | None) -> None:
    """Polls know whether they have ended, and what the viewer voted for: one query, where there is a poll."""
    asking = [view for view in views if view.status.poll is not None]
    if not asking:
        return
    votes: dict[int, list[int]] = {}
    if viewer_id is not None:
        found = tx.execute(_VOTES(tx), {"me": viewer_id, "ids": id_list(tx, {view.status.id for view in asking})})
        for status_id, choice in found:
            votes.setdefault(status_id, []).append(choice)
    now = clock.now()
    for view in asking:
        view.poll_ended = has_ended(view.status.poll, now)
        view.votes = votes.get(view.status.id, ())


def _add_cards(tx: Connection, views: Sequence[StatusView]) -> None:
    """Posts with a link have its card, where there is one: one query, where there are links that were not seen yet."""
    missing = []
    for view in views:
        row = view.status
        if row.card_id is not None:
            card = _known_cards.get((row.id, row.version))
            if card is None:
                missing.append(view)
            elif card.kind:
                view.card = card
    if not missing:
        return
    found = cards.by_ids(tx, {view.status.card_id for view in missing})
    for view in missing:
        row = view.status
        card = found.get(row.card_id)
        if card is None:
            continue
        if card.kind:
            view.card = card
        if not is_writing(tx):
            _known_cards.put((row.id, row.version), card)
