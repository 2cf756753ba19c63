"""Posts that wait for their time. Owner of the table ``scheduled_statuses``.

A waiting post is checked by the same rules as one that is posted at once. When its time has come, a job looks up whom
it mentions; then the waiting post goes and the status comes in one transaction: it is posted once, whatever dies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NotRequired, TypedDict

import structlog
from sqlalchemy import Connection, Row, delete, func, select, update

from fediverse import access, clock, documents, ids, jobs, media, posting, statuses
from fediverse.actors.discovery import Discovery
from fediverse.clock import DAY, MINUTE, Instant
from fediverse.db import Database, insert
from fediverse.drafts import AttachmentDraft, NoteDraft, PollParams, QuotePolicy, Visibility
from fediverse.errors import FediverseError, Invalid, NotFound, Unavailable
from fediverse.paging import Page
from fediverse.statuses import quotes
from fediverse.tables.actors import actors
from fediverse.tables.scheduled import scheduled_statuses
from fediverse.urls import Urls

log = structlog.get_logger(__name__)

AHEAD: Final[Instant] = 5 * MINUTE
"""How far ahead a post is scheduled at least."""

MOST: Final = 300
"""Waiting posts of one account."""

MOST_A_DAY: Final = 25
"""Waiting posts of one account for one day."""

_POST: Final = "statuses.scheduled"
_TOO_SOON: Final = "A post is scheduled at least five minutes ahead. Choose a later time, or post it now."
_NOT_FOUND: Final = "Record not found"


class Params(TypedDict):
    """What a waiting post will say."""

    text: str
    spoiler_text: str
    sensitive: bool
    language: str | None
    visibility: int
    in_reply_to_id: int | None
    poll: PollParams | None
    quote_of_id: NotRequired[int | None]
    quote_policy: NotRequired[QuotePolicy | None]
    application_id: int
    attachments: list[AttachmentDraft]


def schedule(
    tx: Connection,
    urls: Urls,
    author: Row[Any],
    draft: NoteDraft,
    *,
    poll: PollParams | None,
    app_id: int,
    mentions: Sequence[Row[Any]],
    at: Instant,
    now: Instant,
) -> Row[Any]:
    """The post waits for its time; with an idempotency key that was used before, the one of then.

    Raises Invalid for what could not be posted now, for a time that is too near, and for one post too many; NotFound
    for a parent that the author may not see.
    """
    statuses.check_local(author, draft, mentions)
    if draft.in_reply_to_id is not None:
        statuses.get_visible(tx, draft.in_reply_to_id, author.id)
    quotes.prepare(tx, urls, author, draft)
    tx.execute(select(actors.c.id).where(actors.c.id == author.id).with_for_update())  # counted one after the other
    if draft.idempotency_key is not None and (known := _by_key(tx, author.id, draft.idempotency_key)) is not None:
        return known
    _check_time(tx, author.id, at, now=now)
    if (tx.scalar(select(func.count()).where(scheduled_statuses.c.author_id == author.id)) or 0) >= MOST:
        raise Invalid(f"You have {MOST} scheduled posts already. Delete one first.")
    wanted = Params(
        text=draft.text,
        spoiler_text=draft.spoiler_text,
        sensitive=draft.sensitive,
        language=draft.language,
        visibility=int(draft.visibility),
        in_reply_to_id=draft.in_reply_to_id,
        poll=poll,
        quote_of_id=draft.quote_of_id,
        quote_policy=draft.quote_policy,
        application_id=app_id,
        attachments=list(media.attachments.take(tx, author.id, draft.media_ids)),
    )
    row = tx.execute(
        insert(tx, scheduled_statuses)
        .values(
            id=ids.new_id(),
            author_id=author.id,
            params=wanted,
            idempotency_key=draft.idempotency_key,
            scheduled_at=at,
            created_at=now,
        )
        .returning(*scheduled_statuses.c)
    ).one()
    media.attachments.hold(tx, row.id, draft.media_ids)
    _post_later(tx, row)
    return row


def page(tx: Connection, author_id: int, page: Page) -> list[Row[Any]]:
    """A page of the author's waiting posts, the latest made first."""
    mine = select(scheduled_statuses).where(scheduled_statuses.c.author_id == author_id)
    return page.newest_first(tx.execute(page.select(mine, scheduled_statuses.c.id)).all())


def get_own(tx: Connection, scheduled_id: int, author_id: int) -> Row[Any]:
    """The author's own waiting post. Raises NotFound for anybody else's."""
    row = tx.execute(_own(scheduled_id, author_id)).first()
    if row is None:
        raise NotFound(_NOT_FOUND)
    return row


def move(tx: Connection, scheduled_id: int, author_id: int, *, at: Instant | None, now: Instant) -> Row[Any]:
    """The author's waiting post has another time. Raises NotFound, and Invalid as ``schedule`` does."""
    row = tx.execute(_own(scheduled_id, author_id).with_for_update()).first()
    if row is None:
        raise NotFound(_NOT_FOUND)
    if at is None or at == row.scheduled_at:
        return row
    _check_time(tx, author_id, at, now=now)
    row = tx.execute(
        update(scheduled_statuses)
        .where(scheduled_statuses.c.id == scheduled_id)
        .values(scheduled_at=at)
        .returning(*scheduled_statuses.c)
    ).one()
    _post_later(tx, row)
    return row


def cancel(tx: Connection, scheduled_id: int, author_id: int) -> None:
    """The author's waiting post is gone. Raises NotFound for anybody else's."""
    mine = (scheduled_statuses.c.id == scheduled_id, scheduled_statuses.c.author_id == author_id)
    if not tx.execute(delete(scheduled_statuses).where(*mine)).rowcount:
        raise NotFound(_NOT_FOUND)
    media.attachments.let_go(tx, scheduled_id, now=clock.now())


def post(tx: Connection, urls: Urls, scheduled_id: int, *, mentions: Sequence[Row[Any]], now: Instant) -> None:
    """What was waiting is posted, and waits no longer; nothing happens before its time, or when it is gone.

    Raises what ``statuses.create`` raises; then it still waits.
    """
    row = tx.execute(
        delete(scheduled_statuses)
        .where(scheduled_statuses.c.id == scheduled_id, scheduled_statuses.c.scheduled_at <= now)
        .returning(*scheduled_statuses.c)
    ).first()
    if row is None:
        return
    media.attachments.let_go(tx, row.id, now=now)  # for the post that takes them
    author = tx.execute(select(actors).where(actors.c.id == row.author_id)).one()
    wanted: Params = row.params
    app = access.app_by_id(tx, wanted["application_id"])
    draft = NoteDraft(
        text=wanted["text"],
        spoiler_text=wanted["spoiler_text"],
        sensitive=wanted["sensitive"],
        language=wanted["language"],
        visibility=Visibility(wanted["visibility"]),
        in_reply_to_id=wanted["in_reply_to_id"],
        media_ids=tuple(file["id"] for file in wanted.get("attachments", ())),
        poll=documents.new_poll(**wanted["poll"], now=now) if wanted["poll"] is not None else None,
        quote_of_id=wanted.get("quote_of_id"),
        quote_policy=wanted.get("quote_policy"),
        idempotency_key=row.idempotency_key or f"scheduled:{row.id}",
        app_name=app.name if app is not None else "",
        app_url=app.website if app is not None else None,
    )
    statuses.create(tx, urls, author, draft, mentions=mentions, now=now)


def job_kinds(database: Database, discovery: Discovery, urls: Urls) -> dict[str, jobs.Job]:
    """The work that is left for later, by kind."""

    async def post_due(payload: Mapping[str, Any]) -> None:
        scheduled_id = payload["id"]
        words = await database.read(_due, scheduled_id, now=clock.now())
        if words is None:
            return
        mentions = await posting.find_mentions(database, discovery, urls, words)
        try:
            await database.write(post, urls, scheduled_id, mentions=mentions, now=clock.now())
        except Unavailable:
            raise
        except FediverseError as error:
            # What it answers is gone, or its author is suspended: it stays in the list, where its author finds it.
            log.info("scheduled.not_posted", id=scheduled_id, error=str(error))

    return {_POST: post_due}


def _own(scheduled_id: int, author_id: int) -> Any:
    return select(scheduled_statuses).where(
        scheduled_statuses.c.id == scheduled_id, scheduled_statuses.c.author_id == author_id
    )


def _by_key(tx: Connection, author_id: int, key: str) -> Row[Any] | None:
    return tx.execute(
        select(scheduled_statuses).where(
            scheduled_statuses.c.author_id == author_id, scheduled_statuses.c.idempotency_key == key
        )
    ).first()


def _due(tx: Connection, scheduled_id: int, *, now: Instant) -> str | None:
    """The text of a waiting post whose time has come."""
    row = tx.execute(
        select(scheduled_statuses).where(
            scheduled_statuses.c.id == scheduled_id, scheduled_statuses.c.scheduled_at <= now
        )
    ).first()
    return row.params["text"] if row is not None else None


def _check_time(tx: Connection, author_id: int, at: Instant, *, now: Instant) -> None:
    if at < now + AHEAD:
        raise Invalid(_TOO_SOON)
    day = at - at % DAY
    same_day = select(func.count()).where(
        scheduled_statuses.c.author_id == author_id,
        scheduled_statuses.c.scheduled_at >= day,
        scheduled_statuses.c.scheduled_at < day + DAY,
    )
    if (tx.scalar(same_day) or 0) >= MOST_A_DAY:
        raise Invalid(f"You have {MOST_A_DAY} scheduled posts for that day already. Choose another day.")


def _post_later(tx: Connection, row: Row[Any]) -> None:
    # The time is part of the key: a job for the time before may be running just now.
    key = f"{row.id}:{row.scheduled_at}"
    jobs.enqueue(tx, _POST, {"id": row.id}, unique_key=key, due_at=row.scheduled_at)
