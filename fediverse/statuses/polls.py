"""The poll of a status: voted in, counted, closed, told of. Owner of the table ``poll_votes``.

What a poll shows stands in its status, so that a page of a timeline needs no query for it; ``poll_votes`` knows who
voted. Every change of either happens while the status is locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select, update

from fediverse import documents, ids, jobs, notifications
from fediverse.clock import MINUTE, Instant
from fediverse.db import insert
from fediverse.drafts import NoteDraft, Poll
from fediverse.errors import Forbidden, Invalid, NotFound
from fediverse.outbox import activities
from fediverse.outbox.publish import Audience, publish
from fediverse.statuses import publishing
from fediverse.statuses.lookup import uri_of
from fediverse.tables.actors import actors
from fediverse.tables.statuses import poll_votes, statuses
from fediverse.urls import Urls
from fediverse.visibility import visible

CLOSE: Final = "polls.close"
TELL: Final = "polls.tell"
REFRESH: Final = "polls.refresh"

TELL_EVERY: Final[Instant] = 3 * MINUTE
"""Others are told new counts at most this often."""

STALE: Final[Instant] = MINUTE
"""How old the counts of another server's poll may be before somebody who looks has them fetched."""

_NO_POLL: Final = "This poll does not exist, or you may not see it."


def vote(
    tx: Connection,
    urls: Urls,
    voter: Row[Any],
    status: Row[Any],
    choices: Sequence[int],
    *,
    author: Row[Any],
    now: Instant,
) -> Row[Any]:
    """The local voter has voted for these options; the status as it is now. The author's server is told.

    Raises Invalid for a poll that has ended, one's own, one that the voter voted in, and for choices that it has not.
    """
    locked = _with_poll(tx, status.id)
    poll: Poll = locked.poll
    wanted = sorted(set(choices))
    if voter.suspended_at is not None:
        raise Forbidden("This account is suspended and cannot vote.")
    if documents.has_ended(poll, now):
        raise Invalid("The poll has already ended.")
    if locked.author_id == voter.id:
        raise Invalid("You cannot vote in your own poll.")
    if not wanted or any(not 0 <= choice < len(poll["options"]) for choice in wanted):
        raise Invalid("Choose among the options of the poll: “choices” are their numbers, counted from 0.")
    if len(wanted) > 1 and not poll["multiple"]:
        raise Invalid("Only one option of this poll can be chosen.")
    if _chosen(tx, status.id, voter.id):
        raise Invalid("You have already voted in this poll.")
    vote_ids = [_put(tx, status.id, voter.id, choice, now=now) for choice in wanted]
    row = _count(tx, locked, wanted, is_new_voter=True)
    if author.host == "":
        _tell_later(tx, row, now=now)
        return row
    for vote_id, choice in zip(vote_ids, wanted, strict=True):
        _send(tx, urls, voter, row, author, vote_id, poll["options"][choice]["title"], now=now)
    close_later(tx, row)
    return row


def receive_vote(tx: Connection, voter: Row[Any], status: Row[Any], title: str, *, now: Instant) -> bool:
    """A remote actor's vote for the option ``title`` of a local poll counts; False when it does not.

    Each option counts once for a voter, and only one where only one can be chosen. After the end nothing counts.
    """
    if voter.suspended_at is not None or not visible(tx, status, voter.id):
        return False
    locked = _with_poll(tx, status.id)
    poll: Poll = locked.poll
    titles = documents.titles(poll)
    if documents.has_ended(poll, now) or title not in titles:
        return False
    choice, before = titles.index(title), _chosen(tx, status.id, voter.id)
    if choice in before or (before and not poll["multiple"]):
        return False
    _put(tx, status.id, voter.id, choice, now=now)
    row = _count(tx, locked, [choice], is_new_voter=not before)
    _tell_later(tx, row, now=now)
    return True


def refresh(tx: Connection, status: Row[Any], draft: NoteDraft) -> bool:
    """The poll of a remote status shows what its server counts; False when that is another poll, or none.

    A status that came before polls were read gets its poll, and loses the list of its options.
    """
    locked = _locked(tx, status.id)
    if locked is None or draft.poll is None or locked.local:
        return False
    values: dict[str, Any] = {"poll": draft.poll}
    if locked.poll is None:
        values["content"] = draft.content
    elif not is_same(locked.poll, draft.poll):
        return False
    row = _set(tx, locked.id, **values)
    if locked.poll is not None and locked.poll["expires_at"] != row.poll["expires_at"]:
        close_later(tx, row)
    return True


def is_same(before: Poll, after: Poll) -> bool:
    """Whether both ask the same, whatever was answered: then votes stay valid."""
    return documents.titles(before) == documents.titles(after) and before["multiple"] == after["multiple"]


def edited(status: Row[Any], draft: NoteDraft) -> tuple[Poll | None, bool]:
    """The poll of a status after an edit, and whether it asks something else, which voids all votes."""
    before, after = status.poll, draft.poll
    if before is None or after is None or not is_same(before, after):
        return after, before != after
    if draft.uri is not None:
        return after, False
    return {**after, "options": before["options"], "voters": before["voters"]}, False


def forget_votes(tx: Connection, status_id: int) -> None:
    """Nobody has voted."""
    tx.execute(delete(poll_votes).where(poll_votes.c.status_id == status_id))


def is_stale(status: Row[Any], now: Instant) -> bool:
    """Whether another server may have counted more votes since it was asked."""
    poll = status.poll
    if poll is None or status.local or poll["closed"]:
        return False
    fetched_at = poll["fetched_at"] or 0
    return bool(fetched_at < now - STALE and (poll["expires_at"] is None or fetched_at < poll["expires_at"]))


def refresh_later(tx: Connection, status: Row[Any], *, viewer_id: int) -> None:
    """The poll's own server is asked soon, once however many look; in the viewer's name where not all may see it."""
    jobs.enqueue(tx, REFRESH, {"status_id": status.id, "viewer_id": viewer_id}, unique_key=str(status.id))


def close_later(tx: Connection, status: Row[Any]) -> None:
    """Those whom it concerns are told when the poll has ended."""
    expires_at = status.poll["expires_at"] if status.poll is not None else None
    if expires_at is not None:
        payload = {"status_id": status.id, "expires_at": expires_at}
        jobs.enqueue(tx, CLOSE, payload, unique_key=f"{status.id}:{expires_at}", due_at=expires_at)


def close(tx: Connection, urls: Urls, status_id: int, expires_at: Instant, *, now: Instant) -> None:
    """The poll that ended then is closed: author and voters here are told, of ours other servers too.

    Nothing happens where it is closed already, or an edit has moved its end.
    """
    row = _locked(tx, status_id)
    if row is None or row.poll is None or row.poll["expires_at"] != expires_at or expires_at > now:
        return
    author = tx.execute(select(actors).where(actors.c.id == row.author_id)).one()
    if author.deleted_at is not None or author.suspended_at is not None:
        return
    voters = select(poll_votes.c.actor_id).distinct().where(poll_votes.c.status_id == status_id)
    here = tx.scalars(select(actors.c.id).where(actors.c.id.in_(voters), actors.c.host == "")).all()
    told = [*here, author.id] if row.local else here
    notifications.notify(tx, told, kind="poll", by=author, status=row, now=now)
    if row.local and not row.poll["closed"]:
        row = _set(tx, row.id, poll={**row.poll, "closed": True})
        publishing.refreshed(tx, urls, row, author=author, now=now)


def tell(tx: Connection, urls: Urls, status_id: int, *, now: Instant) -> None:
    """Followers, voters and whoever else has the open poll are told how it stands."""
    row = _locked(tx, status_id)
    if row is None or not row.local or row.poll is None or row.poll["closed"]:
        return
    author = tx.execute(select(actors).where(actors.c.id == row.author_id)).one()
    if author.deleted_at is None and author.suspended_at is None:
        publishing.refreshed(tx, urls, row, author=author, now=now)


def a_local_voter(tx: Connection, status_id: int) -> int | None:
    """Somebody here who voted: may see the poll, so that it can be fetched in their name."""
    return tx.scalar(
        select(poll_votes.c.actor_id)
        .join(actors, actors.c.id == poll_votes.c.actor_id)
        .where(poll_votes.c.status_id == status_id, actors.c.host == "", actors.c.deleted_at.is_(None))
        .limit(1)
    )


def _tell_later(tx: Connection, status: Row[Any], *, now: Instant) -> None:
    # All votes of one span share a telling at its end. A job that runs already has another key.
    span = now // TELL_EVERY
    jobs.enqueue(tx, TELL, {"status_id": status.id}, unique_key=f"{status.id}:{span}", due_at=(span + 1) * TELL_EVERY)


def _locked(tx: Connection, status_id: int) -> Row[Any] | None:
    return tx.execute(
        select(statuses).where(statuses.c.id == status_id, statuses.c.deleted_at.is_(None)).with_for_update()
    ).first()


def _with_poll(tx: Connection, status_id: int) -> Row[Any]:
    row = _locked(tx, status_id)
    if row is None or row.poll is None:
        raise NotFound(_NO_POLL)
    return row


def _chosen(tx: Connection, status_id: int, actor_id: int) -> Sequence[int]:
    found = select(poll_votes.c.choice).where(poll_votes.c.status_id == status_id, poll_votes.c.actor_id == actor_id)
    return tx.scalars(found).all()


def _put(tx: Connection, status_id: int, actor_id: int, choice: int, *, now: Instant) -> int:
    vote_id = ids.new_id()
    values = {"id": vote_id, "status_id": status_id, "actor_id": actor_id, "choice": choice, "created_at": now}
    tx.execute(insert(tx, poll_votes).values(values))
    return vote_id


def _count(tx: Connection, status: Row[Any], choices: Sequence[int], *, is_new_voter: bool) -> Row[Any]:
    poll: Poll = status.poll
    options: list[Any] = [
        {**option, "votes": option["votes"] + (number in choices)} for number, option in enumerate(poll["options"])
    ]
    voters = poll["voters"]
    if voters is not None and is_new_voter:
        voters += 1
    return _set(tx, status.id, poll={**poll, "options": options, "voters": voters})


def _set(tx: Connection, status_id: int, **values: Any) -> Row[Any]:
    return tx.execute(
        update(statuses)
        .where(statuses.c.id == status_id)
        .values(**values, version=statuses.c.version + 1)
        .returning(*statuses.c)
    ).one()


def _send(
    tx: Connection,
    urls: Urls,
    voter: Row[Any],
    status: Row[Any],
    author: Row[Any],
    vote_id: int,
    title: str,
    *,
    now: Instant,
) -> None:
    activity = activities.vote(
        urls,
        voter.username,
        vote_id,
        title=title,
        question_uri=uri_of(urls, status, author),
        author_uri=author.uri,
        published=now,
    )
    publish(
        tx,
        actor_id=voter.id,
        activity=activity,
        object_key=activity["object"]["id"],
        audience=Audience(actors=(author.id,)),
        now=now,
        private=True,
    )
