"""A status is edited or deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

from sqlalchemy import Connection, Row, select, update
from sqlalchemy import delete as sql_delete

from fediverse import cards, conversations, emojis, events, media, notifications, search, text
from fediverse.clock import DAY, Instant
from fediverse.db import insert
from fediverse.drafts import NoteDraft, Visibility
from fediverse.errors import NotFound
from fediverse.statuses import polls, publishing, quotes
from fediverse.statuses.create import check_words, keep_first_version, keep_version, kind_of, wording
from fediverse.statuses.rejected import without_rejected_media
from fediverse.statuses.tagging import clear_tags, put_mentions, put_tags
from fediverse.tables.actors import actors
from fediverse.tables.statuses import bookmarks, favourites, pins, poll_votes, status_edits, statuses, tombstones
from fediverse.tables.statuses import mentions as mentions_table
from fediverse.urls import Urls


def edit(
    tx: Connection,
    urls: Urls,
    status: Row[Any],
    draft: NoteDraft,
    *,
    author: Row[Any],
    mentions: Sequence[Row[Any]],
    now: Instant,
) -> Row[Any]:
    """The status says what the draft says; its history keeps what it said before.

    Audience, parent and time of posting stay. A poll that asks something else has no votes any more; a file that is not
    among the ``media_ids`` any more stays in the history. An edit that changes nothing is none, and neither is a remote
    one that is older than what is stored, or has but new counts of votes. Raises Invalid for what the 140 rule forbids
    and for files that cannot be had, NotFound for what is deleted by now.
    """
    if status.local:
        check_words(draft)
    status = _locked(tx, status.id) or _gone()
    edited_at = draft.updated_at or now
    if not status.local and edited_at < (status.edited_at or status.created_at):
        return status
    if not status.local:
        draft = without_rejected_media(tx, author, draft)
    poll, asks_anew = polls.edited(status, draft)
    if draft.media_ids:
        taken = media.attachments.take(tx, author.id, draft.media_ids, status_id=status.id)
        draft = replace(draft, attachments=taken)
    changed: dict[str, Any] = {
        "kind": kind_of(draft),
        "title": draft.title,
        "spoiler_text": draft.spoiler_text,
        "sensitive": draft.sensitive or bool(draft.spoiler_text),
        "language": draft.language,
        "emojis": emojis.of(tx, draft),
        "attachments": list(draft.attachments),
        "poll": poll,
        **wording(urls, draft, mentions),
    }
    differing = [name for name, value in changed.items() if getattr(status, name) != value]
    if not differing:
        return status
    if differing == ["poll"] and not status.local and not asks_anew:
        polls.refresh(tx, status, draft)
        return status
    if draft.media_ids:
        media.attachments.bind(tx, status.id, draft.media_ids)
    keep_first_version(tx, status)
    shown = {**changed, "visibility": status.visibility, "local": status.local, "quote_uri": status.quote_uri}
    changed["card_id"] = cards.card_of(tx, urls, shown, now=now)
    row = tx.execute(
        update(statuses)
        .where(statuses.c.id == status.id)
        .values(**changed, edited_at=min(edited_at, now + DAY), version=statuses.c.version + 1)
        .returning(*statuses.c)
    ).one()
    keep_version(tx, row, at=row.edited_at)
    if asks_anew:
        polls.forget_votes(tx, row.id)
    polls.close_later(tx, row)
    clear_tags(tx, row.id)
    put_tags(tx, row.id, [tag["name"] for tag in row.tags], now=now)
    known = set(tx.scalars(select(mentions_table.c.actor_id).where(mentions_table.c.status_id == row.id)))
    put_mentions(tx, row.id, mentions)
    search.refresh(tx, [row.id])
    newly = [actor.id for actor in mentions if actor.id not in known and actor.host == ""]
    notifications.notify(tx, newly, kind="mention", by=author, status=row, now=now)
    if row.quotes_count:
        quotes.tell_of_edit(tx, row, author=author, now=now)
    notifications.notify_boosters(tx, row, author=author, now=now)
    events.after_commit(tx, events.Edited(row.id))
    if row.local:
        publishing.edited(tx, urls, row, author=author, mentions=mentions, now=now)
    return row


def delete(
    tx: Connection, urls: Urls, status: Row[Any], *, author: Row[Any], now: Instant, keep_media: bool = False
) -> None:
    """The status is gone everywhere here; its id stays as a tombstone; other servers are told if it is ours.

    ``keep_media``: its author may post its files again within a day; until then they are shown to nobody.
    """
    locked = _locked(tx, status.id)
    if locked is None:
        return
    status = locked
    if status.local:
        publishing.deleted(tx, urls, status, author=author, now=now)
        if status.attachments or status.edited_at is not None:
            media.attachments.leave(tx, status.id, keep=keep_media, now=now)
    _tell_deleted(tx, status)
    quotes.forget(tx, status)
    _drop_boosts(tx, status.id)
    notifications.forget_statuses(tx, [status.id])
    conversations.forget_statuses(tx, [status.id])
    for table in (status_edits, poll_votes, mentions_table, favourites, bookmarks, pins):
        tx.execute(sql_delete(table).where(table.c.status_id == status.id))
    clear_tags(tx, status.id)
    search.forget(tx, [status.id])
    tx.execute(
        update(statuses)
        .where(statuses.c.id == status.id)
        .values(
            deleted_at=now,
            listed=False,
            title="",
            content="",
            text="",
            spoiler_text="",
            mentions=[],
            tags=[],
            emojis=[],
            attachments=[],
            poll=None,
            card_id=None,
            quote_uri=None,
            quote_state="",
            quote_authorization=None,
            version=statuses.c.version + 1,
        )
    )
    if status.visibility <= Visibility.UNLISTED:
        _count_down(tx, status.author_id)
        if status.in_reply_to_id is not None:
            tx.execute(
                update(statuses)
                .where(statuses.c.id == status.in_reply_to_id, statuses.c.replies_count > 0)
                .values(replies_count=statuses.c.replies_count - 1, version=statuses.c.version + 1)
            )


def _tell_deleted(tx: Connection, status: Row[Any]) -> None:
    events.after_commit(
        tx,
        events.Deleted(
            status.id,
            listed=status.listed,
            public=status.visibility == Visibility.PUBLIC,
            local=status.local,
            has_media=bool(status.attachments),
            tags=tuple(text.fold_tag(tag["name"]) for tag in status.tags),
        ),
    )


def _locked(tx: Connection, status_id: int) -> Row[Any] | None:
    """The status as it is now, which nobody else changes before ``tx`` ends; None when it is deleted."""
    return tx.execute(
        select(statuses).where(statuses.c.id == status_id, statuses.c.deleted_at.is_(None)).with_for_update()
    ).first()


def _gone() -> NoReturn:
    raise NotFound("This post was deleted.")


def _drop_boosts(tx: Connection, status_id: int) -> None:
    """Nobody boosts the status any more; two statements, however many did."""
    boosters = select(statuses.c.author_id).where(statuses.c.boost_of_id == status_id)
    tx.execute(
        update(actors)
        .where(actors.c.id.in_(boosters), actors.c.statuses_count > 0)
        .values(statuses_count=actors.c.statuses_count - 1, version=actors.c.version + 1)
    )
    tx.execute(sql_delete(statuses).where(statuses.c.boost_of_id == status_id))


def forget(tx: Connection, uri: str, actor_id: int, *, now: Instant) -> None:
    """An id that is not known here yet can never be created: its deletion came first."""
    tx.execute(insert(tx, tombstones).values(uri=uri, actor_id=actor_id, created_at=now).on_conflict_do_nothing())


def _count_down(tx: Connection, author_id: int) -> None:
    tx.execute(
        update(actors)
        .where(actors.c.id == author_id, actors.c.statuses_count > 0)
        .values(statuses_count=actors.c.statuses_count - 1, version=actors.c.version + 1)
    )
