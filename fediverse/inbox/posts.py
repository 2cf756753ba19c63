"""Posts that others write, change and delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from fediverse import statuses
from fediverse.actors import directory
from fediverse.documents import PUBLIC, id_of, read_note, same_origin
from fediverse.documents.polls import MAX_OPTIONS
from fediverse.drafts import NoteDraft, Visibility
from fediverse.inbox import threads
from fediverse.inbox.activity import Activity, Outcome
from fediverse.inbox.registry import ANY, BARE, NOTES, Need, handles
from fediverse.statuses import polls, quotes

_MAX_AHEAD = 100
"""Local actors that one post can be addressed to without mentioning them."""


@handles("Create", *NOTES, needs=(Need.PARENT,))
def create(tx: Connection, activity: Activity) -> Outcome:
    """A post of the sender's is here, where somebody here follows the sender, is mentioned or is answered."""
    if activity.note is None or not activity.concerns_us:
        return "ignored"
    if _is_vote(activity.note):
        counted = [_count_vote(tx, activity, note) for note in _votes(activity)]
        if None not in counted:
            return "applied" if any(counted) else "refused"
    if activity.supplies.thread:
        threads.store(tx, activity.urls, activity.supplies.thread, now=activity.now)
    return _store(tx, activity, activity.note, activity.mentioned)


@handles("Create", BARE, needs=(Need.NOTE,))
def create_by_id(tx: Connection, activity: Activity) -> Outcome:
    """The post whose id was sent is here, as the sender's own server hands it out."""
    thread = activity.supplies.thread
    if not thread:
        return "ignored"
    post = thread[-1]
    if post.author_id != activity.signer.id:
        return "refused"
    if len(thread) > 1:
        threads.store(tx, activity.urls, thread[:-1], now=activity.now)
    return _store(tx, activity, post.draft, threads.mentioned(tx, activity.urls, post.draft))


def _is_vote(note: NoteDraft) -> bool:
    """Whether it may be a vote: a Note that answers something by its name alone."""
    return note.kind == "Note" and bool(note.title) and not note.content and note.in_reply_to_uri is not None


def _votes(activity: Activity) -> list[NoteDraft]:
    """The votes of a Create: one, or an array of them, as GoToSocial sends."""
    if not activity.draft.objects:
        return [activity.note] if activity.note is not None else []
    documents = [document for document in activity.draft.objects[:MAX_OPTIONS] if isinstance(document, dict)]
    notes = [read_note(document, received_at=activity.now) for document in documents]
    return [note for note in notes if note.author_uri == activity.signer_uri and _is_vote(note)]


def _count_vote(tx: Connection, activity: Activity, note: NoteDraft) -> bool | None:
    """Whether the vote counts; None where what it answers is no poll of this instance."""
    parsed = activity.urls.parse(note.in_reply_to_uri or "")
    row = statuses.by_id(tx, parsed.id) if parsed is not None and parsed.kind == "status" else None
    if row is None or not row.local or row.poll is None:
        return None
    return polls.receive_vote(tx, activity.signer, row, note.title, now=activity.now)


def _store(tx: Connection, activity: Activity, note: NoteDraft, mentioned: Sequence[Row[Any]]) -> Outcome:
    row = statuses.create(
        tx,
        activity.urls,
        activity.signer,
        note,
        mentions=_recipients(activity, note, mentioned),
        now=activity.now,
    )
    # An id that belongs to somebody else's post stays theirs.
    return "applied" if row.author_id == activity.signer.id else "refused"


def _recipients(activity: Activity, note: NoteDraft, mentioned: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Those mentioned; of a direct post, those here whom it is addressed to as well: it was written to them."""
    found = list(mentioned)
    if note.visibility is Visibility.DIRECT:
        named = {row.id for row in found}
        addressed = (activity.local(uri) for uri in note.audience)
        found += [row for row in addressed if row is not None and row.id not in named][:_MAX_AHEAD]
    return found


@handles("Update", *NOTES)
def update(tx: Connection, activity: Activity) -> Outcome:
    """The sender's post says what it says now; an older version than the stored one changes nothing."""
    signer, document = activity.signer, activity.draft.object
    note = read_note(document, received_at=activity.now, followers_uri=signer.followers_uri)
    if note.author_uri != signer.uri or note.uri is None:
        return "refused"
    row = statuses.by_uri(tx, activity.urls, note.uri)
    if row is None or row.deleted_at is not None:
        return "ignored"
    if row.author_id != signer.id:
        return "refused"
    if quotes.show_authorization(tx, row, note.quote_authorization) and note.updated_at is None:
        return "applied"
    # Mastodon tells new counts of votes without a time, or with that of the last edit: the post was not edited.
    is_new = note.updated_at is not None and note.updated_at > (row.edited_at or row.created_at)
    if not is_new and note.poll is not None:
        return "applied" if polls.refresh(tx, row, note) else "ignored"
    if not is_new and (note.updated_at is not None or note.kind == "Question" or _claims_a_time(document)):
        return "ignored"
    mentioned = threads.mentioned(tx, activity.urls, note)
    statuses.edit(tx, activity.urls, row, note, author=signer, mentions=mentioned, now=activity.now)
    return "applied"


def _claims_a_time(document: Mapping[str, object] | None) -> bool:
    """Whether the post says when it was edited: a time that the reader dropped is not after its publication."""
    return document is not None and bool(document.get("updated"))


@handles("Delete", ANY)
def delete(tx: Connection, activity: Activity) -> Outcome:
    """The sender's post is gone, or the sender itself is. What is not known yet can never come, if it was its own."""
    signer, uri = activity.signer, activity.draft.object_uri
    if uri is None:
        return "ignored"
    if uri == signer.uri:
        directory.mark_gone(tx, signer.id, activity.now)
        return "applied"
    row = statuses.by_uri(tx, activity.urls, uri)
    if row is None:
        if quotes.receive_revocation(tx, activity.urls, signer, uri, now=activity.now):
            return "applied"
        if not same_origin(uri, signer.uri):
            return "refused"
        statuses.forget(tx, uri, signer.id, now=activity.now)
        return "applied"
    if row.author_id != signer.id:
        return "refused"
    if row.boost_of_id is not None:
        return undo_boost(tx, activity, row)
    statuses.delete(tx, activity.urls, row, author=signer, now=activity.now)
    return "applied"


@handles("Announce", BARE, *NOTES, "Create", "Update", needs=(Need.OBJECT,))
def announce(tx: Connection, activity: Activity) -> Outcome:
    """The sender boosts a post: one of this instance, or any for the sender's followers here.

    What is embedded is never believed: an unknown post was fetched from its own server. A group that passes on a
    Create or Update boosts what that is about (FEP-1b12).
    """
    row = _subject(tx, activity)
    if row is None or not (row.local or activity.concerns_us):
        return "ignored"
    if row.boost_of_id is not None:
        return "ignored"
    author = directory.by_id(tx, row.author_id)
    if author is None or author.suspended_at is not None or author.deleted_at is not None:
        return "refused"
    draft = activity.draft
    uri = draft.id if same_origin(draft.id, activity.signer_uri) else None
    boosted = statuses.boost(
        tx,
        activity.urls,
        activity.signer,
        row,
        author=author,
        now=activity.now,
        uri=uri or f"{activity.signer_uri}#announces/{row.id}",
        visibility=_announced_to(activity),
    )
    return "applied" if boosted.author_id == activity.signer.id else "refused"


def _subject(tx: Connection, activity: Activity) -> Row[Any] | None:
    draft = activity.draft
    wraps = draft.object is not None and draft.object_type in {"Create", "Update"}
    uri = id_of(draft.object.get("object")) if wraps and draft.object is not None else draft.object_uri
    if uri is None:
        return None
    found = threads.find(tx, activity.urls, uri)
    if found is None and activity.supplies.thread:
        found = threads.store(tx, activity.urls, activity.supplies.thread, now=activity.now)
    return found


def _announced_to(activity: Activity) -> Visibility:
    if PUBLIC in activity.draft.to:
        return Visibility.PUBLIC
    return Visibility.UNLISTED if PUBLIC in activity.draft.cc else Visibility.FOLLOWERS


def undo_boost(tx: Connection, activity: Activity, boost: Row[Any]) -> Outcome:
    """The sender's boost is gone."""
    status = statuses.by_id(tx, boost.boost_of_id)
    author = directory.by_id(tx, status.author_id) if status is not None else None
    if status is None or author is None or boost.author_id != activity.signer.id:
        return "ignored"
    gone = statuses.unboost(tx, activity.urls, activity.signer, status, author=author, now=activity.now)
    return "applied" if gone else "ignored"


@handles("Undo", "Announce")
def undo_announce(tx: Connection, activity: Activity) -> Outcome:
    """The sender's boost, named by its id or by what it boosted, is gone."""
    document = activity.draft.object or {}
    if id_of(document.get("actor")) not in {None, activity.signer_uri}:
        return "refused"
    boost = statuses.by_uri(tx, activity.urls, activity.draft.object_uri) if activity.draft.object_uri else None
    if boost is not None and boost.boost_of_id is not None:
        return undo_boost(tx, activity, boost)
    subject = id_of(document.get("object"))
    status = threads.find(tx, activity.urls, subject) if subject else None
    author = directory.by_id(tx, status.author_id) if status is not None else None
    if status is None or author is None:
        return "ignored"
    gone = statuses.unboost(tx, activity.urls, activity.signer, status, author=author, now=activity.now)
    return "applied" if gone else "ignored"
