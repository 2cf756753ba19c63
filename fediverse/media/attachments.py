"""Files of people here that belong to their posts: who may attach, change and delete which.

A file is loose from its upload until a post takes it, and again when its post was deleted to be written anew; what is
loose for a day is swept away. Files themselves go by a job, after the commit that lets go of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, delete, or_, select, update

from fediverse import jobs
from fediverse.clock import DAY, Instant
from fediverse.drafts import MAX_ATTACHMENTS, MAX_DESCRIPTION, AttachmentDraft
from fediverse.errors import Invalid, NotFound
from fediverse.tables.actors import actors
from fediverse.tables.media import attachments
from fediverse.text import normalise

CONVERT: Final = "media.convert"
DELETE_FILES: Final = "media.delete"
PURGE: Final = "media.purge"

_LOOSE_FOR: Final = DAY
_SWEPT_AT_ONCE: Final = 200
_NOT_FOUND: Final = "Record not found"
_TOO_MANY: Final = f"A post may have {MAX_ATTACHMENTS} pictures. Leave some out."
_ALONE: Final = "A video, an animated picture or a sound stands alone in a post. Leave the other files out."
_UNFINISHED: Final = "A file of this post is still being processed. Try again in a moment."
_NOT_THERE: Final = "A file of this post does not exist, or belongs to another post already. Upload it anew."
_IN_USE: Final = "This file belongs to a post. Edit or delete the post."


def put(tx: Connection, values: dict[str, Any]) -> Row[Any]:
    """The file is known, and loose; one that is still to be converted soon is."""
    row = tx.execute(attachments.insert().values(**values).returning(*attachments.c)).one()
    if row.state == "processing":
        jobs.enqueue(tx, CONVERT, {"id": row.id}, unique_key=str(row.id))
    return row


def get_own(tx: Connection, attachment_id: int, actor_id: int) -> Row[Any]:
    """The actor's own file. Raises NotFound for anybody else's."""
    row = by_id(tx, attachment_id)
    if row is None or row.actor_id != actor_id:
        raise NotFound(_NOT_FOUND)
    return row


def by_id(tx: Connection, attachment_id: int) -> Row[Any] | None:
    """The file, whosever it is."""
    return tx.execute(select(attachments).where(attachments.c.id == attachment_id)).first()


def own(tx: Connection, attachment_ids: Iterable[int], actor_id: int) -> dict[int, Row[Any]]:
    """Those of the files that are the actor's, by id."""
    mine = attachments.c.id.in_(list(attachment_ids)), attachments.c.actor_id == actor_id
    return {row.id: row for row in tx.execute(select(attachments).where(*mine))}


def change(
    tx: Connection,
    row: Row[Any],
    *,
    description: str | None = None,
    focus: Sequence[float] | None = None,
    preview: dict[str, Any] | None = None,
) -> Row[Any]:
    """The file has another description, focal point or preview (``uploads.store_preview``); None changes nothing."""
    values: dict[str, Any] = {}
    meta = dict(row.meta)
    if description is not None:
        values["description"] = check_description(description)
    if focus is not None:
        meta["focus"] = list(focus)
    if preview is not None:
        values |= {"preview_key": preview["key"], "blurhash": preview["blurhash"]}
        meta["small"] = preview["small"]
        _drop_files(tx, [row.preview_key])
    return tx.execute(
        update(attachments).where(attachments.c.id == row.id).values(**values, meta=meta).returning(*attachments.c)
    ).one()


def check_description(text: str) -> str:
    """The description as it is kept. Raises Invalid for one that is too long."""
    text = normalise(text)
    if len(text) > MAX_DESCRIPTION:
        raise Invalid(f"The description has {len(text)} characters; at most {MAX_DESCRIPTION} are allowed. Shorten it.")
    return text


def converted(tx: Connection, attachment_id: int, *, error: str = "", facts: Mapping[str, Any] | None = None) -> bool:
    """The file is ready, or failed by ``error``; False when it was deleted meanwhile. What it was made of goes."""
    row = tx.execute(select(attachments).where(attachments.c.id == attachment_id).with_for_update()).first()
    if row is None:
        return False
    tx.execute(
        update(attachments)
        .where(attachments.c.id == row.id)
        .values(
            state="failed" if error else "ready",
            error=error,
            meta={**row.meta, **(facts or {})},  # the focal point may have been set meanwhile
            plan={},
            source_key=None,
        )
    )
    _drop_files(tx, [row.source_key])
    return True


def check_loose(row: Row[Any]) -> None:
    """Raises Invalid for a file that a post has, or that one waits with."""
    if row.status_id is not None or row.scheduled_id is not None:
        raise Invalid(_IN_USE)


def discard(tx: Connection, row: Row[Any]) -> None:
    """The loose file is gone. Raises Invalid for one that a post has."""
    check_loose(row)
    if not _discard(tx, [row], attachments.c.status_id.is_(None), attachments.c.scheduled_id.is_(None)):
        raise Invalid(_IN_USE)  # by now


def take(
    tx: Connection,
    actor_id: int,
    attachment_ids: Sequence[int],
    *,
    status_id: int | None = None,
    scheduled_id: int | None = None,
) -> tuple[AttachmentDraft, ...]:
    """The files as a post shows them, in this order; nobody else takes them before ``tx`` ends.

    Loose ones of the actor can be taken, and those that the post (``status_id``) or the waiting one (``scheduled_id``)
    has or had already. Raises Invalid for everything else, and for too many, unfinished and failed ones.
    """
    wanted = list(dict.fromkeys(attachment_ids))
    if not wanted:
        return ()
    if len(wanted) > MAX_ATTACHMENTS:
        raise Invalid(_TOO_MANY)
    free: list[ColumnElement[bool]] = [attachments.c.status_id.is_(None) & attachments.c.scheduled_id.is_(None)]
    if status_id is not None:
        free.append(attachments.c.status_id == status_id)
    if scheduled_id is not None:
        free.append(attachments.c.scheduled_id == scheduled_id)
    rows = {
        row.id: row
        for row in tx.execute(
            select(attachments)
            .where(attachments.c.id.in_(wanted), attachments.c.actor_id == actor_id, or_(*free))
            .with_for_update()
        )
    }
    if len(rows) < len(wanted):
        raise Invalid(_NOT_THERE)
    for row in rows.values():
        if row.state == "failed":
            raise Invalid(row.error)
        if row.state != "ready":
            raise Invalid(_UNFINISHED)
    if len(rows) > 1 and any(row.kind != "image" for row in rows.values()):
        raise Invalid(_ALONE)
    return tuple(draft(rows[attachment_id]) for attachment_id in wanted)


def bind(tx: Connection, status_id: int, attachment_ids: Iterable[int]) -> None:
    """The files, which were taken, belong to the status."""
    _assign(tx, attachment_ids, status_id=status_id, scheduled_id=None, withheld=False, loose_since=None)


def hold(tx: Connection, scheduled_id: int, attachment_ids: Iterable[int]) -> None:
    """The files, which were taken, wait for their post with it."""
    _assign(tx, attachment_ids, scheduled_id=scheduled_id, withheld=False, loose_since=None)


def let_go(tx: Connection, scheduled_id: int, *, now: Instant) -> None:
    """The files of a post that is not to come are loose again."""
    tx.execute(
        update(attachments).where(attachments.c.scheduled_id == scheduled_id).values(scheduled_id=None, loose_since=now)
    )


def leave(tx: Connection, status_id: int, *, keep: bool, now: Instant) -> None:
    """The deleted status has no files any more: they are gone, or with ``keep`` loose, shown to nobody meanwhile."""
    mine = attachments.c.status_id == status_id
    if keep:
        tx.execute(update(attachments).where(mine).values(status_id=None, withheld=True, loose_since=now))
        return
    _discard(tx, tx.execute(select(attachments).where(mine)).all())


def close(tx: Connection, actor_id: int) -> None:
    """All files of the actor are shown to nobody; a job deletes them."""
    tx.execute(update(attachments).where(attachments.c.actor_id == actor_id).values(withheld=True))
    jobs.enqueue(tx, PURGE, {"actor_id": actor_id}, unique_key=str(actor_id))


def purge(tx: Connection, actor_id: int) -> int:
    """Some files of the actor are gone; returns how many, none when all are."""
    return _discard(
        tx, tx.execute(select(attachments).where(attachments.c.actor_id == actor_id).limit(_SWEPT_AT_ONCE)).all()
    )


def sweep(tx: Connection, *, now: Instant) -> int:
    """Some files that were loose for a day are gone; returns how many, none when all are."""
    old = attachments.c.loose_since < now - _LOOSE_FOR
    return _discard(tx, tx.execute(select(attachments).where(old).limit(_SWEPT_AT_ONCE)).all(), old)


def is_shown(tx: Connection, key: str) -> bool:
    """Whether anybody may have the file with this storage key: not of deleted posts, nor of suspended accounts."""
    named = or_(attachments.c.storage_key == key, attachments.c.preview_key == key)
    shown = (~attachments.c.withheld, actors.c.suspended_at.is_(None), actors.c.deleted_at.is_(None))
    statement = select(attachments.c.id).join(actors, actors.c.id == attachments.c.actor_id).where(named, *shown)
    return tx.execute(statement).first() is not None


def draft(row: Row[Any]) -> AttachmentDraft:
    """The file as a post keeps it."""
    meta = dict(row.meta)
    return {
        "type": row.kind,
        "media_type": meta.pop("media_type", ""),
        "url": "",
        "preview_url": None,
        "description": row.description,
        "blurhash": row.blurhash,
        "width": meta.pop("width", None),
        "height": meta.pop("height", None),
        "facts": meta,  # type: ignore[typeddict-item]  # what is left of it
        "id": row.id,
        "key": row.storage_key,
        "preview_key": row.preview_key,
    }


def _assign(tx: Connection, attachment_ids: Iterable[int], **values: Any) -> None:
    tx.execute(update(attachments).where(attachments.c.id.in_(list(attachment_ids))).values(**values))


def _discard(tx: Connection, rows: Sequence[Row[Any]], *still: ColumnElement[bool]) -> int:
    """How many of the rows are gone, with their files: those of which ``still`` is true, whoever else changes them."""
    if not rows:
        return 0
    named = attachments.c.id.in_([row.id for row in rows])
    keys = (attachments.c.storage_key, attachments.c.preview_key, attachments.c.source_key)
    gone = tx.execute(delete(attachments).where(named, *still).returning(*keys)).all()
    _drop_files(tx, [key for row in gone for key in row])
    return len(gone)


def _drop_files(tx: Connection, keys: Iterable[str | None]) -> None:
    named = [key for key in keys if key]
    if named:
        jobs.enqueue(tx, DELETE_FILES, {"keys": named})
