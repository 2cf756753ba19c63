"""Direct conversations: who writes with whom, what was said last, whether it was read.

Owner of the tables ``conversations`` and ``conversation_statuses``. Each of those here who take part has a row of its
own, which follows what it was told: what its notifications do not let through does not arrive here either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)

from fediverse import events, ids
from fediverse.clock import Instant
from fediverse.db import Prepared
from fediverse.drafts import Visibility
from fediverse.paging import Page
from fediverse.tables.conversations import conversation_statuses as entries
from fediverse.tables.conversations import conversations as table
from fediverse.tables.statuses import HEAD, statuses
from fediverse.visibility import muted_by, shows, visible_where

_ARRIVE = Prepared(
    lambda insert: (
        (statement := insert(table))
        .on_conflict_do_update(
            index_elements=["thread_id", "actor_id", "participants"],
            set_={
                "last_status_id": case(
                    (table.c.last_status_id > statement.excluded.last_status_id, table.c.last_status_id),
                    else_=statement.excluded.last_status_id,
                ),
                "unread": statement.excluded.unread,
            },
        )
        .returning(table.c.id, table.c.thread_id, table.c.actor_id, table.c.participants)
    )
)
_ENTER = Prepared(lambda insert: insert(entries).on_conflict_do_nothing())


def arrive(tx: Connection, told: Iterable[tuple[int, Row[Any]]]) -> None:
    """Each actor here has the direct status in its conversation with the others; unread, unless it wrote it itself."""
    latest: dict[tuple[int, int, str], Row[Any]] = {}
    members = []
    for actor_id, status in sorted(told, key=lambda one: int(one[1].id)):
        key = (status.conversation_id, actor_id, _participants(status, actor_id))
        latest[key] = status
        members.append((key, actor_id, status.id))
    if not latest:
        return
    rows = [
        {
            "id": ids.new_id(),
            "actor_id": actor_id,
            "thread_id": thread_id,
            "participants": participants,
            "last_status_id": status.id,
            "unread": status.author_id != actor_id,
        }
        for (thread_id, actor_id, participants), status in latest.items()
    ]
    found = tx.execute(_ARRIVE(tx), rows).all()
    by_key = {(row.thread_id, row.actor_id, row.participants): row.id for row in found}
    tx.execute(
        _ENTER(tx),
        [
            {"actor_id": actor_id, "status_id": status_id, "conversation_id": by_key[key]}
            for key, actor_id, status_id in members
        ],
    )
    for row in found:
        events.after_commit(tx, events.ConversationChanged((row.actor_id,), row.id))


def arrive_late(tx: Connection, actor_id: int, status_ids: Iterable[int]) -> None:
    """The direct ones of these statuses, which were kept from the actor, are in its conversations."""
    wanted = list(status_ids)
    if wanted:
        direct = (statuses.c.visibility == Visibility.DIRECT, statuses.c.deleted_at.is_(None))
        rows = tx.execute(select(statuses).where(statuses.c.id.in_(wanted), *direct)).all()
        arrive(tx, [(actor_id, row) for row in rows])


def _participants(status: Row[Any], actor_id: int) -> str:
    others = {status.author_id, *(mention["id"] for mention in status.mentions)} - {actor_id}
    return "," + "".join(f"{one}," for one in sorted(others))


def participant_ids(conversation: Row[Any]) -> list[int]:
    """The others who take part."""
    return [int(one) for one in conversation.participants.split(",") if one]


def page(tx: Connection, actor_id: int, page: Page, *, now: Instant) -> list[Row[Any]]:
    """A page of the actor's conversations, by their last status; those where somebody muted spoke last are left out."""
    statement = _shown(actor_id, now=now)
    return page.newest_first(tx.execute(page.select(statement, table.c.last_status_id)).all())


def get(tx: Connection, actor_id: int, conversation_id: int) -> Row[Any] | None:
    """One of the actor's conversations."""
    return tx.execute(select(table).where(table.c.id == conversation_id, table.c.actor_id == actor_id)).first()


def by_ids(tx: Connection, conversation_ids: Iterable[int]) -> Sequence[Row[Any]]:
    """Those of the conversations that there are, whoever's they are."""
    return tx.execute(select(table).where(table.c.id.in_(list(conversation_ids)))).all()


def statuses_page(tx: Connection, actor_id: int, page: Page, *, now: Instant) -> list[Row[Any]]:
    """A page of what was said in the actor's conversations: the heads of ``statuses``."""
    statement: Select[Any] = (
        select(*HEAD)
        .select_from(entries)
        .join(statuses, statuses.c.id == entries.c.status_id)
        .where(entries.c.actor_id == actor_id, *_readable(actor_id, now=now))
    )
    return page.newest_first(tx.execute(page.select(statement, entries.c.status_id)).all())


def _shown(actor_id: int, *, now: Instant) -> Select[Any]:
    return (
        select(table)
        .join(statuses, statuses.c.id == table.c.last_status_id)
        .where(table.c.actor_id == actor_id, *_readable(actor_id, now=now))
    )


def _readable(actor_id: int, *, now: Instant) -> tuple[ColumnElement[bool], ...]:
    author = statuses.c.author_id
    shown = shows(author, viewer_id=literal(actor_id, BigInteger))
    return (visible_where(actor_id), shown, author.not_in(muted_by(actor_id, now=now)))


def mark(tx: Connection, actor_id: int, conversation_id: int, *, unread: bool) -> Row[Any] | None:
    """The actor's conversation is read, or unread again; None when it is none of the actor's."""
    mine = (table.c.id == conversation_id, table.c.actor_id == actor_id)
    row = tx.execute(update(table).where(*mine).values(unread=unread).returning(table)).first()
    if row is not None:
        events.after_commit(tx, events.ConversationChanged((actor_id,), row.id))
    return row


def remove(tx: Connection, actor_id: int, conversation_id: int) -> bool:
    """The actor has the conversation no longer, until somebody goes on with it; False when it was none of its own."""
    mine = (table.c.id == conversation_id, table.c.actor_id == actor_id)
    return tx.execute(delete(table).where(*mine)).rowcount > 0


def forget_statuses(tx: Connection, status_ids: Sequence[int] | Select[tuple[int]]) -> None:
    """Nobody has these statuses in a conversation; what was said before is the last, and what is empty is gone."""
    gone = tx.execute(delete(entries).where(entries.c.status_id.in_(status_ids))).rowcount
    if gone:
        _settle(tx, table.c.last_status_id.in_(status_ids))


def forget_between(tx: Connection, actor_id: int, other_id: int) -> None:
    """The actor has no conversation in which the other takes part, as after a block."""
    tx.execute(
        delete(table).where(
            table.c.actor_id == actor_id, table.c.participants.contains(f",{other_id},", autoescape=True)
        )
    )


def forget_actor(tx: Connection, actor_id: int) -> None:
    """The actor has no conversations."""
    tx.execute(delete(table).where(table.c.actor_id == actor_id))


def join(tx: Connection, thread_id: int, into: int) -> None:
    """What was said in the one thread was said in the other, as when a late parent brings them together."""
    if not tx.scalar(select(exists().where(table.c.thread_id == thread_id))):
        return
    same = table.alias("same")
    partner = (
        select(same.c.id)
        .where(
            same.c.thread_id == into, same.c.actor_id == table.c.actor_id, same.c.participants == table.c.participants
        )
        .correlate(table)
        .scalar_subquery()
    )
    tx.execute(update(table).where(table.c.thread_id == thread_id, partner.is_(None)).values(thread_id=into))
    moving = tx.execute(select(table.c.id, partner.label("partner")).where(table.c.thread_id == thread_id)).all()
    if not moving:
        return
    moved = update(entries).where(entries.c.conversation_id == bindparam("old", type_=BigInteger))
    tx.execute(
        moved.values(conversation_id=bindparam("new", type_=BigInteger)),
        [{"old": row.id, "new": row.partner} for row in moving],
    )
    tx.execute(delete(table).where(table.c.thread_id == thread_id))
    _settle(tx, table.c.id.in_([row.partner for row in moving]))


def _settle(tx: Connection, which: ColumnElement[bool]) -> None:
    """The last status of these conversations is the newest that is left; those without any are gone."""
    newest = select(func.max(entries.c.status_id)).where(entries.c.conversation_id == table.c.id).correlate(table)
    tx.execute(update(table).where(which).values(last_status_id=func.coalesce(newest.scalar_subquery(), 0)))
    tx.execute(delete(table).where(table.c.last_status_id == 0))
