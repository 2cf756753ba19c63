"""Announcements: what those who run the instance tell everybody here, who has read it, and how they react.

Owner of the tables announcements, announcement_reads and announcement_reactions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import regex
from sqlalchemy import Connection, Row, case, delete, exists, func, or_, select

from fediverse import entities, events, ids, jobs
from fediverse.clock import Instant, now
from fediverse.db import Database, insert
from fediverse.entities import AnnouncementView
from fediverse.errors import Invalid, NotFound
from fediverse.tables.announcements import announcement_reactions, announcement_reads, announcements
from fediverse.text import is_blank, normalise

_LONGEST: Final = 5000
_DIFFERENT: Final = 8
_PART: Final = r"[\p{Emoji_Presentation}\p{Extended_Pictographic}](?:\uFE0F|\p{Emoji_Modifier})?"
# A flag, a keycap, or pictographs that are joined to one.
_EMOJI = regex.compile(
    rf"\p{{RI}}{{2}}|[0-9#*]\uFE0F?\u20E3|{_PART}(?:[\U000E0020-\U000E007E]{{1,16}}\U000E007F)?(?:\u200D{_PART}){{0,9}}"
)
_JOB: Final = "announce"


@dataclass(frozen=True, slots=True)
class Draft:
    """An announcement about to be made; the times are of what it is about."""

    text: str
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    all_day: bool = False


def create(tx: Connection, draft: Draft, *, now: Instant) -> Row[Any]:
    """The announcement is there for everybody, and on its way to those who are connected. Raises Invalid."""
    text = normalise(draft.text).strip()
    if is_blank(text) or len(text) > _LONGEST:
        raise Invalid(f"An announcement has 1 to {_LONGEST} characters.")
    if draft.starts_at is not None and draft.ends_at is not None and draft.ends_at < draft.starts_at:
        raise Invalid("An announcement cannot end before it starts.")
    if draft.all_day and (draft.starts_at is None or draft.ends_at is None):
        raise Invalid("Say on which days it starts and ends.")
    values = {
        "id": ids.new_id(),
        "text": text,
        "starts_at": draft.starts_at,
        "ends_at": draft.ends_at,
        "all_day": draft.all_day,
        "published_at": now,
        "updated_at": now,
    }
    row = tx.execute(insert(tx, announcements).values(**values).returning(*announcements.c)).one()
    # By a job: who announces may be another process than the one that people are connected to.
    jobs.enqueue(tx, _JOB, {"id": row.id, "gone": False})
    return row


def remove(tx: Connection, announcement_id: int) -> None:
    """The announcement is gone, with all that belongs to it. Raises NotFound."""
    for table in (announcement_reads, announcement_reactions):
        tx.execute(delete(table).where(table.c.announcement_id == announcement_id))
    if not tx.execute(delete(announcements).where(announcements.c.id == announcement_id)).rowcount:
        raise NotFound("There is no such announcement.")
    jobs.enqueue(tx, _JOB, {"id": announcement_id, "gone": True})


def everything(tx: Connection) -> Sequence[Row[Any]]:
    """All announcements, the oldest first."""
    return tx.execute(select(announcements).order_by(announcements.c.id)).all()


def shown(tx: Connection, actor_id: int, *, with_dismissed: bool, now: Instant) -> list[AnnouncementView]:
    """What the actor is told, in the order in which it happens or was announced; what has ended is not."""
    read = exists().where(
        announcement_reads.c.announcement_id == announcements.c.id, announcement_reads.c.actor_id == actor_id
    )
    statement = select(announcements, read.label("read")).where(_current(now))
    if not with_dismissed:
        statement = statement.where(~read)
    rows = tx.execute(
        statement.order_by(func.coalesce(announcements.c.starts_at, announcements.c.published_at), announcements.c.id)
    ).all()
    reactions = _reactions(tx, [row.id for row in rows], actor_id)
    return [AnnouncementView(row, bool(row.read), reactions.get(row.id, [])) for row in rows]


def dismiss(tx: Connection, actor_id: int, announcement_id: int, *, now: Instant) -> None:
    """The actor has read the announcement. Raises NotFound."""
    _get(tx, announcement_id, now=now)
    values = {"actor_id": actor_id, "announcement_id": announcement_id, "created_at": now}
    tx.execute(insert(tx, announcement_reads).values(**values).on_conflict_do_nothing())


def react(tx: Connection, actor_id: int, announcement_id: int, name: str, *, now: Instant) -> None:
    """The actor reacts with the emoji. Raises NotFound, and Invalid for what is no emoji or one too many."""
    _get(tx, announcement_id, now=now)
    if not _EMOJI.fullmatch(name):
        raise Invalid("Validation failed: Name is not a recognized emoji")
    others = select(func.count(func.distinct(announcement_reactions.c.name))).where(
        announcement_reactions.c.announcement_id == announcement_id, announcement_reactions.c.name != name
    )
    if (tx.scalar(others) or 0) >= _DIFFERENT:
        raise Invalid("Validation failed: Limit of different reactions reached")
    values = {"id": ids.new_id(), "actor_id": actor_id, "announcement_id": announcement_id, "name": name}
    added = insert(tx, announcement_reactions).values(**values).on_conflict_do_nothing()
    if tx.scalar(added.returning(announcement_reactions.c.id)) is not None:
        _tell_count(tx, announcement_id, name)


def take_back(tx: Connection, actor_id: int, announcement_id: int, name: str, *, now: Instant) -> None:
    """The actor does not react with the emoji any more. Raises NotFound where there is no such announcement."""
    _get(tx, announcement_id, now=now)
    gone = delete(announcement_reactions).where(
        announcement_reactions.c.actor_id == actor_id,
        announcement_reactions.c.announcement_id == announcement_id,
        announcement_reactions.c.name == name,
    )
    if tx.execute(gone).rowcount:
        _tell_count(tx, announcement_id, name)


def job_kinds(database: Database) -> dict[str, jobs.Job]:
    """The jobs of this room: those who are connected are told of what is announced or withdrawn."""

    async def announce(payload: Mapping[str, Any]) -> None:
        await database.write(_announce, payload["id"], gone=payload["gone"])

    return {_JOB: announce}


def _announce(tx: Connection, announcement_id: int, *, gone: bool) -> None:
    if gone:
        events.after_commit(tx, events.Announcement("announcement.delete", str(announcement_id)))
        return
    row = tx.execute(select(announcements).where(announcements.c.id == announcement_id, _current(now()))).first()
    if row is not None:
        told = entities.announcement(AnnouncementView(row, read=None))
        events.after_commit(tx, events.Announcement("announcement", orjson.dumps(told).decode()))


def _current(now: Instant) -> Any:
    return or_(announcements.c.ends_at.is_(None), announcements.c.ends_at > now)


def _get(tx: Connection, announcement_id: int, *, now: Instant) -> None:
    if tx.scalar(select(announcements.c.id).where(announcements.c.id == announcement_id, _current(now))) is None:
        raise NotFound("Record not found")


def _reactions(tx: Connection, announcement_ids: Sequence[int], actor_id: int) -> dict[int, list[dict[str, Any]]]:
    """The reactions to each announcement, those that somebody began with first."""
    found: dict[int, list[dict[str, Any]]] = {}
    reaction = announcement_reactions.c
    mine = func.sum(case((reaction.actor_id == actor_id, 1), else_=0))
    rows = tx.execute(
        select(reaction.announcement_id, reaction.name, func.count().label("number"), mine.label("mine"))
        .where(reaction.announcement_id.in_(announcement_ids))
        .group_by(reaction.announcement_id, reaction.name)
        .order_by(func.min(reaction.id))
    )
    for row in rows:
        found.setdefault(row.announcement_id, []).append(entities.reaction(row.name, row.number, me=bool(row.mine)))
    return found


def _tell_count(tx: Connection, announcement_id: int, name: str) -> None:
    reaction = announcement_reactions.c
    count = tx.scalar(select(func.count()).where(reaction.announcement_id == announcement_id, reaction.name == name))
    told = {**entities.reaction(name, count or 0, me=None), "announcement_id": str(announcement_id)}
    events.after_commit(tx, events.Announcement("announcement.reaction", orjson.dumps(told).decode()))
