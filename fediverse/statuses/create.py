"""A status comes to be: written here, or received."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, and_, bindparam, case, delete, exists, func, literal, select, update

from fediverse import cards, conversations, documents, emojis, ids, media, search, text, timelines
from fediverse.clock import MINUTE, Instant
from fediverse.db import Prepared, insert
from fediverse.drafts import NoteDraft, Visibility
from fediverse.errors import Forbidden, Gone, Invalid, NotFound
from fediverse.statuses import polls, publishing, quote_policy, quotes
from fediverse.statuses.lookup import by_key, by_uri, get_visible
from fediverse.statuses.quotes import Quote
from fediverse.statuses.rejected import without_rejected_media
from fediverse.statuses.tagging import put_mention, put_mentions, put_tags
from fediverse.tables.actors import actors
from fediverse.tables.statuses import conversation_mutes, status_edits, statuses, tombstones
from fediverse.urls import Urls
from fediverse.visibility import visible

# What is younger than this sorts by its arrival, so that clients that poll for newer posts miss none.
_FRESH = 5 * MINUTE

_INSERT = Prepared(lambda insert: insert(statuses).on_conflict_do_nothing().returning(*statuses.c))
# Whether an id was deleted by its author, and whether replies to it are here already, before the post itself comes.
_BEFORE_ITS_COMING = select(
    exists().where(tombstones.c.uri == bindparam("uri"), tombstones.c.actor_id == bindparam("author")),
    exists().where(statuses.c.in_reply_to_uri == bindparam("uri")),
)
_COUNT_POST = (
    update(actors)
    .where(actors.c.id == bindparam("author"))
    .values(
        statuses_count=actors.c.statuses_count + 1,
        # What is fetched for context may be years old.
        last_status_at=case(
            (actors.c.last_status_at > bindparam("at"), actors.c.last_status_at), else_=bindparam("at")
        ),
        version=actors.c.version + 1,
    )
)
_COUNT_REPLY = (
    update(statuses)
    .where(statuses.c.id == bindparam("parent"))
    .values(replies_count=statuses.c.replies_count + 1, version=statuses.c.version + 1)
)


def create(
    tx: Connection,
    urls: Urls,
    author: Row[Any],
    draft: NoteDraft,
    *,
    mentions: Sequence[Row[Any]],
    now: Instant,
    surface: bool = True,
) -> Row[Any]:
    """The status exists, shows where it belongs, and is on its way to other servers if it is ours.

    ``mentions`` are the actors that were found for the draft's mentions; its ``media_ids`` become attachments.
    Creating the same thing again (by id, or by idempotency key) changes nothing and returns what exists.
    ``surface=False`` stores a post that was fetched for context, which is news to nobody.

    Raises Invalid for what the 140 rule or the audience forbids, NotFound for a parent that the author may not see,
    Gone for an id that was deleted.
    """
    local = draft.uri is None
    awaited = False
    if local:
        check_local(author, draft, mentions)
        if draft.media_ids:
            existing = _posted_before(tx, author, draft)
            if existing is not None:
                return existing
            draft = replace(draft, attachments=media.attachments.take(tx, author.id, draft.media_ids))
    else:
        is_gone, awaited = tx.execute(_BEFORE_ITS_COMING, {"uri": draft.uri, "author": author.id}).one()
        if is_gone:
            raise Gone("This post was deleted.")
        draft = without_rejected_media(tx, author, draft)
    parent = _parent(tx, urls, author, draft)
    quote = quotes.prepare(tx, urls, author, draft)
    row, is_new = _insert(tx, urls, author, draft, mentions=mentions, parent=parent, quote=quote, now=now)
    if not is_new:
        if row.deleted_at is not None:
            raise Gone("This post was deleted.")
        return row
    tag_names = [tag["name"] for tag in row.tags]
    put_tags(tx, row.id, tag_names, now=now)
    put_mentions(tx, row.id, mentions)
    if draft.media_ids:
        media.attachments.bind(tx, row.id, draft.media_ids)
    _count(tx, row, parent)
    if awaited:
        _adopt(tx, row)
    told = [m.id for m in mentions if m.host == ""]
    if surface:
        told += _answered(tx, row, parent, mentions)
        timelines.surface(tx, row, author=author, mentioned=told, now=now)
        if local and row.visibility == Visibility.DIRECT:
            conversations.arrive(tx, [(author.id, row)])
    search.put(tx, row, author=author, holders=told)
    if quote is not None:
        quotes.settle(tx, urls, row, quote, author=author, now=now)
    if local:
        polls.close_later(tx, row)
        publishing.created(tx, urls, row, author=author, parent=parent, mentions=mentions, now=now)
        if quote is not None:
            quotes.ask(tx, urls, row, quote, author=author, now=now)
    return row


def check_local(author: Row[Any], draft: NoteDraft, mentions: Sequence[Row[Any]]) -> None:
    """Returns when the author may post this here. Raises Forbidden or Invalid."""
    if author.suspended_at is not None:
        raise Forbidden("This account is suspended and cannot post.")
    check_words(draft)
    if draft.visibility is Visibility.DIRECT and not mentions:
        raise Invalid("A direct post needs at least one recipient: mention somebody by their full handle.")


def check_words(draft: NoteDraft) -> None:
    """The draft can be posted here as far as its text goes. Raises Invalid."""
    if draft.media_ids and draft.poll is not None:
        raise Invalid("A post has files or a poll, not both. Leave one out.")
    text.check_length(draft.text, draft.spoiler_text, has_attachment=bool(draft.media_ids or draft.poll))


def _posted_before(tx: Connection, author: Row[Any], draft: NoteDraft) -> Row[Any] | None:
    """What was posted under the draft's idempotency key already, and has the files of it."""
    if draft.idempotency_key is None:
        return None
    return by_key(tx, author.id, draft.idempotency_key)


def _parent(tx: Connection, urls: Urls, author: Row[Any], draft: NoteDraft) -> Row[Any] | None:
    if draft.in_reply_to_id is not None:
        try:
            named = get_visible(tx, draft.in_reply_to_id, author.id)
            return get_visible(tx, named.boost_of_id, author.id) if named.boost_of_id else named
        except NotFound as error:
            raise NotFound("The post that you reply to does not exist, or you may not see it.") from error
    if draft.in_reply_to_uri is None:
        return None
    parent = by_uri(tx, urls, draft.in_reply_to_uri)
    if parent is None or parent.deleted_at is not None:
        return None
    # It does not join a conversation here that its author may not see, or is blocked from; it is a reply all the same.
    return parent if not parent.local or visible(tx, parent, author.id) else None


def _insert(
    tx: Connection,
    urls: Urls,
    author: Row[Any],
    draft: NoteDraft,
    *,
    mentions: Sequence[Row[Any]],
    parent: Row[Any] | None,
    quote: Quote | None,
    now: Instant,
) -> tuple[Row[Any], bool]:
    """The row, and whether it is new."""
    values = _values(urls, author, draft, mentions=mentions, parent=parent, now=now)
    values["emojis"] = emojis.of(tx, draft)
    if quote is not None:
        values |= quote.columns()
    values["card_id"] = cards.card_of(tx, urls, values, now=now)
    for _attempt in range(2):  # an id made for a moment in the past may be taken
        values["id"] = _new_id(draft, now)
        values["conversation_id"] = parent.conversation_id if parent is not None else values["id"]
        row = tx.execute(_INSERT(tx), values).first()
        if row is not None:
            return row, True
        if draft.uri is not None:
            same = statuses.c.uri == draft.uri
        else:
            same = (statuses.c.author_id == author.id) & (statuses.c.idempotency_key == draft.idempotency_key)
        existing = tx.execute(select(statuses).where(same)).first()
        if existing is not None:
            return existing, False
    raise AssertionError("two ids in a row were taken")


def _new_id(draft: NoteDraft, now: Instant) -> int:
    published = draft.published_at
    return ids.new_id() if published is None or published > now - _FRESH else ids.id_at(published)


def _values(
    urls: Urls,
    author: Row[Any],
    draft: NoteDraft,
    *,
    mentions: Sequence[Row[Any]],
    parent: Row[Any] | None,
    now: Instant,
) -> dict[str, Any]:
    addressee = _addressee(draft, mentions, parent)
    to_somebody_else = (parent is not None or draft.in_reply_to_uri is not None) and addressee != author.id
    standing_is_good = author.limited_at is None and author.suspended_at is None
    return {
        "uri": draft.uri,
        "url": draft.url,
        "author_id": author.id,
        "local": draft.uri is None,
        "kind": kind_of(draft),
        "visibility": int(draft.visibility),
        "title": draft.title,
        "spoiler_text": text.normalise(draft.spoiler_text) if draft.uri is None else draft.spoiler_text,
        "sensitive": draft.sensitive or bool(draft.spoiler_text),
        "language": draft.language,
        "in_reply_to_id": parent.id if parent is not None else None,
        "in_reply_to_uri": draft.in_reply_to_uri if parent is None else None,
        "in_reply_to_author_id": addressee,
        "boost_of_id": None,
        "listed": draft.visibility is Visibility.PUBLIC and not to_somebody_else and standing_is_good,
        "attachments": list(draft.attachments),
        "poll": draft.poll,
        "quote_policy": quote_policy.policy_of(author, draft),
        "app_name": draft.app_name,
        "app_url": draft.app_url,
        "created_at": min(draft.published_at or now, now),
        "idempotency_key": draft.idempotency_key,
        **wording(urls, draft, mentions),
    }


def kind_of(draft: NoteDraft) -> str:
    """What the status is: a post from here that asks something is a Question."""
    return "Question" if draft.uri is None and draft.poll is not None else draft.kind


def wording(urls: Urls, draft: NoteDraft, mentions: Sequence[Row[Any]]) -> dict[str, Any]:
    """The columns that follow from the text: rendered for what is written here, as read for what was received."""
    named = [mention_entry(urls, actor) for actor in mentions]
    if draft.uri is not None:
        return {
            "text": "",
            "content": draft.content,
            "mentions": named,
            "tags": [{"name": tag} for tag in draft.tags],
        }
    written = text.normalise(draft.text)
    found = text.entities(written)
    tags = {text.fold_tag(e.name): e.name for e in reversed(found) if isinstance(e, text.Hashtag)}
    return {
        "text": written,
        "content": text.render(written, mentions=_targets(urls, mentions), tag_url=urls.tag),
        "mentions": named,
        "tags": [{"name": name} for name in reversed(tags.values())],
    }


def mention_entry(urls: Urls, actor: Row[Any]) -> dict[str, Any]:
    """An actor as a status's ``mentions`` column keeps it."""
    local = actor.host == ""
    uri = urls.actor(actor.username) if local else actor.uri
    return {
        "id": actor.id,
        "username": actor.username,
        "host": actor.host,
        "uri": uri,
        "url": urls.profile(actor.username) if local else actor.url or uri,
    }


def _targets(urls: Urls, mentions: Sequence[Row[Any]]) -> dict[tuple[str, str | None], text.MentionTarget]:
    targets: dict[tuple[str, str | None], text.MentionTarget] = {}
    for actor in mentions:
        target = text.MentionTarget(
            url=mention_entry(urls, actor)["url"],
            acct_username=actor.username,
            handle=urls.handle(actor.username, actor.host),
        )
        for host in (None, urls.domain, urls.host) if actor.host == "" else (actor.host,):
            targets[(actor.username_folded, host)] = target
    return targets


def _addressee(draft: NoteDraft, mentions: Sequence[Row[Any]], parent: Row[Any] | None) -> int | None:
    """Whom the reply rule counts as addressed: the parent's author, else, the parent unknown, the first mention."""
    if parent is not None:
        return int(parent.author_id)
    if draft.in_reply_to_uri is not None and mentions:
        return int(mentions[0].id)
    return None


def _count(tx: Connection, row: Row[Any], parent: Row[Any] | None) -> None:
    if row.visibility > Visibility.UNLISTED:
        return  # totals do not tell of what may not be seen
    tx.execute(_COUNT_POST, {"author": row.author_id, "at": row.created_at})
    if parent is not None:
        tx.execute(_COUNT_REPLY, {"parent": parent.id})


def _answered(tx: Connection, row: Row[Any], parent: Row[Any] | None, mentions: Sequence[Row[Any]]) -> list[int]:
    """Whom the status answers without naming them, where that is somebody here who may see it: they hear of it too."""
    if parent is None or not parent.local or parent.author_id == row.author_id:
        return []
    if any(actor.id == parent.author_id for actor in mentions) or not visible(tx, row, parent.author_id):
        return []
    put_mention(tx, row.id, parent.author_id, silent=True)
    return [parent.author_id]


def _adopt(tx: Connection, row: Row[Any]) -> None:
    """Replies that came before this, their parent, are joined to it, and so are their conversations."""
    waiting = statuses.c.in_reply_to_uri == row.uri
    conversations = tx.scalars(select(statuses.c.conversation_id).where(waiting).distinct()).all()
    if not conversations:
        return
    counted = select(func.count()).select_from(statuses).where(waiting, statuses.c.visibility <= Visibility.UNLISTED)
    replies = tx.scalar(counted) or 0
    tx.execute(
        update(statuses)
        .where(waiting)
        .values(
            in_reply_to_id=row.id,
            in_reply_to_uri=None,
            in_reply_to_author_id=row.author_id,
            listed=and_(statuses.c.listed, statuses.c.author_id == row.author_id),
            version=statuses.c.version + 1,
        )
    )
    for conversation_id in conversations:
        _join(tx, conversation_id, row.conversation_id)
    tx.execute(
        update(statuses)
        .where(statuses.c.id == row.id)
        .values(replies_count=statuses.c.replies_count + replies, version=statuses.c.version + 1)
    )


def _join(tx: Connection, conversation_id: int, into: int) -> None:
    """The posts of a conversation belong to another one, which those who muted it have muted then."""
    tx.execute(
        update(statuses)
        .where(statuses.c.conversation_id == conversation_id)
        .values(conversation_id=into, version=statuses.c.version + 1)
    )
    muted = conversation_mutes.c.conversation_id == conversation_id
    columns = ["actor_id", "conversation_id"]
    moved = select(conversation_mutes.c.actor_id, literal(into, BigInteger)).where(muted)
    tx.execute(insert(tx, conversation_mutes).from_select(columns, moved).on_conflict_do_nothing())
    tx.execute(delete(conversation_mutes).where(muted))
    conversations.join(tx, conversation_id, into)


def keep_first_version(tx: Connection, status: Row[Any]) -> None:
    """The history of a status begins with what it said before its first edit."""
    if status.edited_at is None:
        keep_version(tx, status, at=status.created_at)


def keep_version(tx: Connection, status: Row[Any], *, at: Instant) -> None:
    """The history has a version more: what the status says in this row."""
    tx.execute(
        status_edits.insert().values(
            id=ids.new_id(),
            status_id=status.id,
            content=status.content,
            text=status.text,
            spoiler_text=status.spoiler_text,
            sensitive=status.sensitive,
            attachments=status.attachments,
            emojis=status.emojis,
            poll_options=documents.titles(status.poll) or None,
            created_at=at,
        )
    )
