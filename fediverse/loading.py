"""What is shown beside rows: authors, boosted posts, the viewer's own marks. A fixed number of queries a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Select,
    bindparam,
    literal_column,
    select,
    union_all,
)

from fediverse import cards, clock, filters
from fediverse.clock import Instant
from fediverse.conversations import participant_ids
from fediverse.db import Dialect, Prepared, id_list, is_writing
from fediverse.documents import has_ended
from fediverse.drafts import QuotePolicy, Visibility
from fediverse.entities import ConversationView, GroupView, NotificationView, RequestView, StatusView
from fediverse.notifications import Group, Request
from fediverse.quick import Quick
from fediverse.site import Recent
from fediverse.tables.actors import actors, blocks, follows, mutes
from fediverse.tables.filters import filter_versions
from fediverse.tables.moderation import account_warnings, severances
from fediverse.tables.moderation import reports as complaints
from fediverse.tables.statuses import bookmarks, conversation_mutes, favourites, pins, poll_votes
from fediverse.tables.statuses import statuses as posts
from fediverse.visibility import visible_where

# Rows by (id, version): whatever changes how a row shows changes its version too.
_known_actors = Recent(4096)
_known_statuses = Recent(8192)
# The card of a status in a version; fetched ones only, since then its posts have another version.
_known_cards = Recent(8192)

_me = bindparam("me", type_=BigInteger)
_ACTORS = Prepared(lambda sql: select(actors).where(sql.within(actors.c.id, "ids")))
_ACTOR_VERSIONS = Quick(lambda sql: select(actors.c.id, actors.c.version).where(sql.within(actors.c.id, "ids")))
_STATUSES = Prepared(lambda sql: select(posts).where(sql.within(posts.c.id, "ids"), posts.c.deleted_at.is_(None)))
_STATUS_VERSIONS = Quick(
    lambda sql: select(posts.c.id, posts.c.version).where(sql.within(posts.c.id, "ids"), posts.c.deleted_at.is_(None))
)

_REPORTS = Prepared(lambda sql: select(complaints).where(sql.within(complaints.c.id, "ids")))
_WARNINGS = Prepared(lambda sql: select(account_warnings).where(sql.within(account_warnings.c.id, "ids")))


def _marks_query(sql: Dialect) -> CompoundSelect[Any, Any]:
    """What the viewer did with the statuses of a page, in one query."""

    def mark(name: str, found: ColumnElement[int], who: ColumnElement[int], given: str = "ids") -> Select[Any, Any]:
        return select(literal_column(f"'{name}'").label("mark"), found.label("id")).where(
            who == _me, sql.within(found, given)
        )

    return union_all(
        mark("favourite", favourites.c.status_id, favourites.c.actor_id),
        mark("bookmark", bookmarks.c.status_id, bookmarks.c.actor_id),
        mark("pin", pins.c.status_id, pins.c.actor_id),
        mark("boost", posts.c.boost_of_id, posts.c.author_id),
        mark("mute", conversation_mutes.c.conversation_id, conversation_mutes.c.actor_id, "conversations"),
        select(literal_column("'filters'"), filter_versions.c.version).where(filter_versions.c.actor_id == _me),
    )


_MARKS = Quick(_marks_query)
_VOTES = Prepared(
    lambda sql: (
        select(poll_votes.c.status_id, poll_votes.c.choice)
        .where(poll_votes.c.actor_id == _me, sql.within(poll_votes.c.status_id, "ids"))
        .order_by(poll_votes.c.choice)
    )
)


_SEEN = Prepared(lambda sql: select(posts.c.id).where(sql.within(posts.c.id, "ids"), visible_where(_me)))
_SEEN_BY_ANYBODY = Prepared(lambda sql: select(posts.c.id).where(sql.within(posts.c.id, "ids"), visible_where(None)))
# Why the viewer is shown nothing of some authors in quotes.
_HIDDEN = Prepared(
    lambda sql: union_all(
        select(mutes.c.target_id, literal_column("'muted_account'")).where(
            mutes.c.actor_id == _me, sql.within(mutes.c.target_id, "ids")
        ),
        select(blocks.c.target_id, literal_column("'blocked_account'")).where(
            blocks.c.actor_id == _me, sql.within(blocks.c.target_id, "ids")
        ),
    )
)
_FOLLOWS = Prepared(
    lambda sql: union_all(
        select(literal_column("'followers'"), follows.c.followee_id).where(
            follows.c.follower_id == _me, follows.c.accepted, sql.within(follows.c.followee_id, "ids")
        ),
        select(literal_column("'following'"), follows.c.follower_id).where(
            follows.c.followee_id == _me, follows.c.accepted, sql.within(follows.c.follower_id, "ids")
        ),
    )
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
        rows = whole(tx, rows)
    boosted_ids = {row.boost_of_id for row in rows if row.boost_of_id is not None}
    boosted: dict[int, Row[Any]] = {}
    if boosted_ids:
        heads = _STATUS_VERSIONS(tx, {"ids": id_list(tx, boosted_ids)})
        boosted = _whole(tx, heads, _STATUSES, _known_statuses)
    authors = dict(known or {})
    needed = {row.author_id for row in rows} | {row.author_id for row in boosted.values()}
    authors.update(accounts(tx, needed - authors.keys()))
    marks = _marks(tx, [*rows, *boosted.values()], viewer_id)
    views = []
    for row in rows:
        inner = None
        if row.boost_of_id is not None:
            if row.boost_of_id not in boosted:
                continue
            inner = _view(boosted[row.boost_of_id], authors, marks)
        view = _view(row, authors, marks)
        view.boost = inner
        views.append(view)
    shown = [view.boost or view for view in views]
    quoted = _add_quotes(tx, shown, viewer_id)
    _add_polls(tx, [*shown, *quoted], viewer_id)
    _add_standings(tx, [*shown, *quoted], viewer_id)
    _add_cards(tx, [*shown, *quoted])
    if viewer_id is not None and "filters" in marks:
        at = clock.now() if now is None else now
        filters.mark(tx, [*views, *quoted], viewer_id, version=max(marks["filters"]), now=at)
    return views


def _add_quotes(tx: Connection, views: Sequence[StatusView], viewer_id: int | None) -> list[StatusView]:
    """What the statuses quote stands beside them, as far as the viewer may see it: few queries, where one quotes."""
    quoting = [view for view in views if view.status.quote_of_id is not None and view.status.quote_state == "accepted"]
    if not quoting:
        return []
    wanted = id_list(tx, {view.status.quote_of_id for view in quoting})
    who = {"me": viewer_id, "ids": wanted}
    seen = set(tx.scalars((_SEEN_BY_ANYBODY if viewer_id is None else _SEEN)(tx), who))
    rows = _by_id(tx, {view.status.quote_of_id for view in quoting})
    authors = accounts(tx, {row.author_id for row in rows})
    hidden = dict(tx.execute(_HIDDEN(tx), {**who, "ids": id_list(tx, authors)}).all()) if viewer_id is not None else {}
    marks = _marks(tx, rows, viewer_id)
    quoted = {row.id: _view(row, authors, marks) for row in rows if row.id in seen}
    existing = {row.id for row in rows}
    for view in quoting:
        quoted_id = view.status.quote_of_id
        if quoted_id not in existing:
            view.quote_hidden = "deleted"
        elif quoted_id not in quoted:
            view.quote_hidden = "unauthorized"
        elif reason := hidden.get(quoted[quoted_id].author.id):
            view.quote_hidden = reason
        else:
            view.quote = quoted[quoted_id]
            view.quote.is_quoted = True
    return list(quoted.values())


def _add_standings(tx: Connection, views: Sequence[StatusView], viewer_id: int | None) -> None:
    """Statuses know whether the viewer may quote them: one query, where a policy asks who follows whom."""
    if viewer_id is None:
        return
    named = {
        view.author.id
        for view in views
        if view.status.quote_policy is not None
        and view.author.id != viewer_id
        and not _RELATIONS.isdisjoint(_groups(view.status.quote_policy))
    }
    follows_of: dict[str, set[int]] = {"followers": set(), "following": set()}
    if named:
        for group, other in tx.execute(_FOLLOWS(tx), {"me": viewer_id, "ids": id_list(tx, named)}):
            follows_of[group].add(other)
    for view in views:
        if view.status.quote_policy is not None or view.status.author_id == viewer_id:
            view.may_quote = _may_quote(view, viewer_id, follows_of)


_RELATIONS = frozenset({"followers", "following"})


def _groups(policy: QuotePolicy | None) -> list[str]:
    return [*policy["automatic"], *policy["manual"]] if policy is not None else []


def _may_quote(view: StatusView, viewer_id: int, follows_of: Mapping[str, set[int]]) -> str:
    row = view.status
    if row.author_id == viewer_id:
        return "denied" if row.visibility == Visibility.DIRECT else "automatic"
    policy: QuotePolicy | None = row.quote_policy
    if policy is None or row.visibility > Visibility.UNLISTED:
        return "denied"
    groups = {"public", *(group for group, authors in follows_of.items() if row.author_id in authors)}
    if not groups.isdisjoint(policy["automatic"]):
        return "automatic"
    if not groups.isdisjoint(policy["manual"]):
        return "manual"
    return "unknown" if "unsupported_policy" in _groups(policy) else "denied"


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


def whole(tx: Connection, heads: Sequence[Row[Any]]) -> list[Row[Any]]:
    """The whole statuses behind a timeline's heads, in the same order."""
    found = _whole(tx, heads, _STATUSES, _known_statuses)
    return [found[head.id] for head in heads if head.id in found]


def status(tx: Connection, row: Row[Any], viewer_id: int | None) -> StatusView:
    """One row with what is shown beside it."""
    return statuses(tx, [row], viewer_id)[0]


def notifications(
    tx: Connection, rows: Sequence[Row[Any]], viewer_id: int, *, known: Mapping[int, Row[Any]] | None = None
) -> list[NotificationView]:
    """The notifications with who did it and the status that it is about. ``known`` are actors loaded already.

    Those about a status that the viewer's filters hide are left out.
    """
    status_rows = _by_id(tx, {row.status_id for row in rows if row.status_id})
    reports = _concerned(tx, rows, "admin.report", _REPORTS)
    warnings = _concerned(tx, rows, "moderation_warning", _WARNINGS)
    severed = _severed(tx, rows)
    senders = dict(known or {})
    needed = {row.from_actor_id for row in rows} | {row.author_id for row in status_rows}
    needed |= {row.target_id for row in (*reports.values(), *warnings.values())}
    senders.update(accounts(tx, needed - senders.keys()))
    found = {
        view.status.id: view
        for view in statuses(tx, status_rows, viewer_id, known=senders)
        if not filters.hides(view, viewer_id, "notifications")
    }
    return [
        NotificationView(
            row,
            senders[row.from_actor_id],
            found.get(row.status_id),
            report=_with_target(reports, row.about_id, senders),
            warning=_with_target(warnings, row.about_id, senders),
            severance=severed.get((row.about_id, row.actor_id)),
        )
        for row in rows
        if row.from_actor_id in senders and (not row.status_id or row.status_id in found)
    ]


def _concerned(
    tx: Connection, rows: Sequence[Row[Any]], kind: str, select_by_ids: Prepared[Select[Any]]
) -> dict[int, Row[Any]]:
    """What the notifications of a kind are about, by id."""
    wanted = [row.about_id for row in rows if row.kind == kind]
    if not wanted:
        return {}
    return {row.id: row for row in tx.execute(select_by_ids(tx), {"ids": id_list(tx, wanted)})}


def _severed(tx: Connection, rows: Sequence[Row[Any]]) -> dict[tuple[int, int], Row[Any]]:
    """What the told actors lost, by event and actor."""
    wanted = {row.about_id: row.actor_id for row in rows if row.kind == "severed_relationships"}
    if not wanted:
        return {}
    found = select(severances).where(severances.c.event_id.in_(wanted), severances.c.actor_id.in_(set(wanted.values())))
    return {(row.event_id, row.actor_id): row for row in tx.execute(found)}


def _with_target(
    found: Mapping[int, Row[Any]], about_id: int, known: Mapping[int, Row[Any]]
) -> tuple[Row[Any], Row[Any]] | None:
    row = found.get(about_id)
    return (row, known[row.target_id]) if row is not None else None


def groups(tx: Connection, found: Sequence[Group], viewer_id: int) -> list[GroupView]:
    """The groups of notifications with their senders and the status that each is about."""
    # Most of what one is told is about one's own posts.
    senders = accounts(tx, {viewer_id, *(sender_id for group in found for sender_id in group.sender_ids)})
    heads = {
        view.notification.id: view
        for view in notifications(tx, [group.head for group in found], viewer_id, known=senders)
    }
    return [
        GroupView(
            group.key,
            heads[group.head.id],
            [senders[sender_id] for sender_id in group.sender_ids if sender_id in senders],
            group.count,
            group.oldest_id,
        )
        for group in found
        if group.head.id in heads
    ]


def conversations(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int) -> list[ConversationView]:
    """The conversations with those who take part (the viewer alone, where nobody else does) and their last status."""
    last = {view.status.id: view for view in statuses(tx, _by_id(tx, [row.last_status_id for row in rows]), viewer_id)}
    members = {row.id: participant_ids(row) or [viewer_id] for row in rows}
    known = accounts(tx, {actor_id for ids in members.values() for actor_id in ids})
    return [
        ConversationView(
            row,
            [known[actor_id] for actor_id in members[row.id] if actor_id in known],
            last.get(row.last_status_id),
        )
        for row in rows
    ]


def requests(tx: Connection, found: Sequence[Request], viewer_id: int) -> list[RequestView]:
    """Those who ask to be heard, with the last status of what was kept back."""
    rows = _by_id(tx, [request.last_status_id for request in found])
    last = {view.status.id: view for view in statuses(tx, rows, viewer_id)}
    senders = accounts(tx, [request.from_id for request in found])
    return [
        RequestView(
            request.id,
            senders[request.from_id],
            request.count,
            request.created_at,
            request.updated_at,
            last.get(request.last_status_id),
        )
        for request in found
        if request.from_id in senders
    ]


def _by_id(tx: Connection, status_ids: Iterable[int]) -> list[Row[Any]]:
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


# What the viewer did, by kind of mark: the ids of statuses (of conversations, for mutes); the version of the viewer's
# filters, if there ever were any. Empty for nothing.
_Marks = dict[str, set[int]]


def _marks(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int | None) -> _Marks:
    """What the viewer did with the statuses, in one query."""
    marks: _Marks = {"favourite": set(), "bookmark": set(), "pin": set(), "boost": set(), "mute": set()}
    if viewer_id is None:
        return {}
    values = {
        "me": viewer_id,
        "ids": id_list(tx, {row.id for row in rows}),
        "conversations": id_list(tx, {row.conversation_id for row in rows}),
    }
    found = _MARKS(tx, values)
    for mark, status_id in found:
        marks.setdefault(mark, set()).add(status_id)
    if len(found) == 1 and "filters" in marks:  # of its own; the statuses were not touched
        return {"filters": marks["filters"]}
    return marks if found else {}


def _view(row: Row[Any], authors: dict[int, Row[Any]], marks: _Marks) -> StatusView:
    author = authors[row.author_id]
    if len(marks) < 2:  # most posts of most pages were never touched by the viewer
        return StatusView(row, author)
    return StatusView(
        row,
        author,
        favourited=row.id in marks["favourite"],
        boosted=row.id in marks["boost"],
        bookmarked=row.id in marks["bookmark"],
        muted=row.conversation_id in marks["mute"],
        pinned=row.id in marks["pin"],
    )
