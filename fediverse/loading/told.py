"""What people are told, and their direct conversations, with those who are in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from fediverse import filters
from fediverse.conversations import participant_ids
from fediverse.db import Prepared, id_list
from fediverse.entities import ConversationView, GroupView, NotificationView, RequestView
from fediverse.loading.posts import statuses
from fediverse.loading.rows import accounts, by_id
from fediverse.notifications import Group, Request
from fediverse.tables.moderation import account_warnings, severances
from fediverse.tables.moderation import reports as complaints

_REPORTS = Prepared(lambda sql: select(complaints).where(sql.within(complaints.c.id, "ids")))
_WARNINGS = Prepared(lambda sql: select(account_warnings).where(sql.within(account_warnings.c.id, "ids")))


def notifications(
    tx: Connection, rows: Sequence[Row[Any]], viewer_id: int, *, known: Mapping[int, Row[Any]] | None = None
) -> list[NotificationView]:
    """The notifications with who did it and the status that it is about. ``known`` are actors loaded already.

    Those about a status that the viewer's filters hide are left out.
    """
    status_rows = by_id(tx, {row.status_id for row in rows if row.status_id})
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
    last = {view.status.id: view for view in statuses(tx, by_id(tx, [row.last_status_id for row in rows]), viewer_id)}
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
    rows = by_id(tx, [request.last_status_id for request in found])
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
