"""Quotes: a post that shows another one, with its author's consent (FEP-044f). Owner of ``quote_authorizations``.

What a status quotes stands in its row, with a state: nothing of the quoted post shows before its author agreed. The
author agrees by a policy that the post carries, or by an answer to a QuoteRequest; an authorization is a document on
the author's server, which can be revoked. Quotes of one's own posts need none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, exists, select, update

from fediverse import events, ids, jobs, notifications
from fediverse.clock import SECOND, Instant
from fediverse.db import insert
from fediverse.drafts import NoteDraft, QuotePolicy, QuoteState, Visibility
from fediverse.errors import Invalid, NotFound
from fediverse.outbox import activities
from fediverse.outbox.publish import Audience, publish
from fediverse.paging import Page
from fediverse.statuses import publishing
from fediverse.statuses.lookup import by_id, by_uri, get_visible, uri_of
from fediverse.statuses.quote_policy import standing
from fediverse.tables.actors import actors
from fediverse.tables.statuses import HEAD, quote_authorizations, statuses
from fediverse.urls import Urls
from fediverse.visibility import shown_where, visible

VERIFY: Final = "quotes.verify"
"""The job that fetches what a remote post quotes, and its author's authorization."""

FETCH: Final = "quotes.fetch"
"""The job that fetches a post which was let quote one of ours, where nobody here gets it anyway."""

_PATIENCE: Final[Instant] = 5 * SECOND

_NOT_THERE: Final = "The post that you quote does not exist, or you may not see it."


@dataclass(frozen=True, slots=True)
class Quote:
    """What a status that is about to be stored quotes."""

    state: QuoteState
    uri: str
    quoted: Row[Any] | None = None
    author: Row[Any] | None = None
    authorization: str | None = None
    authorization_id: int | None = None

    def columns(self) -> dict[str, Any]:
        """The columns of the status."""
        return {
            "quote_of_id": self.quoted.id if self.quoted is not None else None,
            "quote_uri": self.uri,
            "quote_state": self.state,
            "quote_authorization": self.authorization,
        }


def prepare(tx: Connection, urls: Urls, author: Row[Any], draft: NoteDraft) -> Quote | None:
    """What the draft quotes, and whether that is agreed to.

    Raises NotFound for a post that a local author may not see, Invalid for one whose author does not let it be quoted.
    """
    if draft.quote_of_id is not None:
        return _of_ours(tx, urls, author, draft)
    if draft.quote_uri is None:
        return None
    quoted = by_uri(tx, urls, draft.quote_uri)
    if quoted is None or quoted.deleted_at is not None or quoted.boost_of_id is not None:
        return Quote("pending", draft.quote_uri, authorization=draft.quote_authorization)
    state: QuoteState = "pending"
    if quoted.author_id == author.id or (quoted.local and is_authorized(tx, quoted.id, draft.uri or "")):
        state = "accepted"
    return Quote(state, draft.quote_uri, quoted, authorization=draft.quote_authorization)


def _of_ours(tx: Connection, urls: Urls, author: Row[Any], draft: NoteDraft) -> Quote:
    assert draft.quote_of_id is not None
    try:
        quoted = get_visible(tx, draft.quote_of_id, author.id)
        quoted = get_visible(tx, quoted.boost_of_id, author.id) if quoted.boost_of_id else quoted
    except NotFound as error:
        raise NotFound(_NOT_THERE) from error
    allowed = standing(tx, quoted, author.id)
    if allowed == "denied":
        raise Invalid("The author of that post does not let you quote it. Put its address into the text.")
    if quoted.visibility == Visibility.FOLLOWERS and draft.visibility.is_public:
        raise Invalid("A post for followers can be quoted for followers only.")
    quoted_author = _actor(tx, quoted.author_id)
    if quoted_author is None:
        raise NotFound(_NOT_THERE)
    uri = uri_of(urls, quoted, quoted_author)
    if quoted.author_id == author.id:
        return Quote("accepted", uri, quoted, quoted_author)
    if quoted.local:
        stamp = ids.new_id()
        address = urls.quote_authorization(quoted_author.username, stamp)
        return Quote("accepted", uri, quoted, quoted_author, address, stamp)
    return Quote("pending", uri, quoted, quoted_author)


def settle(tx: Connection, urls: Urls, row: Row[Any], quote: Quote, *, author: Row[Any], now: Instant) -> None:
    """What follows from a new status that quotes: it is counted, told of, authorized, asked for or looked into."""
    if quote.authorization_id is not None and quote.quoted is not None:
        _authorize(tx, quote.quoted, urls.status(author.username, row.id), author.id, quote.authorization_id, now=now)
    if quote.state == "accepted" and quote.quoted is not None:
        _take_in(tx, row, quote.quoted, author=author, now=now)
    elif not row.local:
        jobs.enqueue(tx, VERIFY, {"status_id": row.id}, unique_key=str(row.id))


def ask(tx: Connection, urls: Urls, row: Row[Any], quote: Quote, *, author: Row[Any], now: Instant) -> None:
    """The author of what a local status quotes is asked. After the Create: the request names the post."""
    if quote.state != "pending" or quote.author is None or quote.author.host == "":
        return
    activity = activities.quote_request(
        urls,
        author.username,
        row.id,
        quoted_uri=quote.uri,
        author_uri=quote.author.uri,
        quoting=publishing.note(tx, urls, row, author=author),
        published=now,
    )
    _send(tx, author.id, activity, quote.author.id, urls.status(author.username, row.id), now=now)


def _send(
    tx: Connection, actor_id: int, activity: dict[str, Any], target_id: int, object_key: str, *, now: Instant
) -> None:
    audience = Audience(actors=(target_id,))
    publish(tx, actor_id=actor_id, activity=activity, object_key=object_key, audience=audience, now=now, private=True)


def _take_in(tx: Connection, row: Row[Any], quoted: Row[Any], *, author: Row[Any], now: Instant) -> None:
    """An accepted quote counts, and the quoted author hears of it."""
    if row.visibility <= Visibility.UNLISTED:
        count(tx, quoted.id, by=1)
    if quoted.local and quoted.author_id != row.author_id and visible(tx, row, quoted.author_id):
        notifications.notify(tx, [quoted.author_id], kind="quote", by=author, status=row, now=now)


def count(tx: Connection, status_id: int, *, by: int) -> None:
    """The number of public quotes of the status is another."""
    tx.execute(
        update(statuses)
        .where(statuses.c.id == status_id, statuses.c.quotes_count + by >= 0)
        .values(quotes_count=statuses.c.quotes_count + by, version=statuses.c.version + 1)
    )


def forget(tx: Connection, row: Row[Any]) -> None:
    """A status that is deleted quotes nothing any more."""
    if row.quote_state == "accepted" and row.quote_of_id is not None and row.visibility <= Visibility.UNLISTED:
        count(tx, row.quote_of_id, by=-1)


# Authorizations: of posts here


def _authorize(
    tx: Connection, quoted: Row[Any], quoting_uri: str, actor_id: int, authorization_id: int, *, now: Instant
) -> int:
    """The id of the authorization for that post; the one that there is already, where it was not revoked."""
    tx.execute(
        insert(tx, quote_authorizations)
        .values(id=authorization_id, status_id=quoted.id, quoting_uri=quoting_uri, actor_id=actor_id, created_at=now)
        .on_conflict_do_nothing(index_elements=["status_id", "quoting_uri"])
    )
    return int(tx.scalar(select(quote_authorizations.c.id).where(*_same(quoted.id, quoting_uri))) or 0)


def _same(status_id: int, quoting_uri: str) -> tuple[ColumnElement[bool], ...]:
    return quote_authorizations.c.status_id == status_id, quote_authorizations.c.quoting_uri == quoting_uri


def is_authorized(tx: Connection, status_id: int, quoting_uri: str) -> bool:
    """Whether the author of a post here agreed that this one quotes it."""
    alive = quote_authorizations.c.revoked_at.is_(None)
    return bool(tx.scalar(select(exists().where(*_same(status_id, quoting_uri), alive))))


def authorization(tx: Connection, author_id: int, authorization_id: int) -> tuple[Row[Any], Row[Any]] | None:
    """(authorization, quoted status) of a local author; None where there is none or none any more."""
    found = tx.execute(
        select(quote_authorizations).where(
            quote_authorizations.c.id == authorization_id, quote_authorizations.c.revoked_at.is_(None)
        )
    ).first()
    quoted = by_id(tx, found.status_id) if found is not None else None
    if found is None or quoted is None or quoted.author_id != author_id or quoted.deleted_at is not None:
        return None
    return found, quoted


def receive_request(
    tx: Connection,
    urls: Urls,
    actor: Row[Any],
    quoted: Row[Any],
    *,
    request: dict[str, Any],
    quoting_uri: str,
    now: Instant,
) -> bool:
    """The remote actor is told whether its post may quote one of ours, and it was let."""
    author = _actor(tx, quoted.author_id)
    if author is None:
        return False
    allowed = standing(tx, quoted, actor.id) == "automatic" and visible(tx, quoted, actor.id)
    revoked = tx.scalar(select(quote_authorizations.c.revoked_at).where(*_same(quoted.id, quoting_uri)))
    if not allowed or revoked is not None:
        answer = activities.answer_quote(urls, author.username, "Reject", request, activity_id=ids.new_id())
        _send(tx, author.id, answer, actor.id, quoting_uri, now=now)
        return False
    stamp = _authorize(tx, quoted, quoting_uri, actor.id, ids.new_id(), now=now)
    address = urls.quote_authorization(author.username, stamp)
    answer = activities.answer_quote(urls, author.username, "Accept", request, activity_id=ids.new_id(), result=address)
    _send(tx, author.id, answer, actor.id, quoting_uri, now=now)
    row = by_uri(tx, urls, quoting_uri)
    if row is None:
        # Nobody here may follow the one who quotes; the author of what is quoted wants to see it all the same.
        jobs.enqueue(tx, FETCH, {"uri": quoting_uri}, unique_key=quoting_uri, due_at=now + _PATIENCE)
    elif row.author_id == actor.id and row.quote_state == "pending":
        accept(tx, urls, row, quoted=quoted, authorization=address, now=now)
    return True


# The state of a quote


def accept(
    tx: Connection, urls: Urls, row: Row[Any], *, quoted: Row[Any], authorization: str | None, now: Instant
) -> bool:
    """The quoted author agreed: the status shows what it quotes. False when nothing was to be agreed to."""
    changed = tx.execute(
        update(statuses)
        .where(statuses.c.id == row.id, statuses.c.quote_state == "pending", statuses.c.deleted_at.is_(None))
        .values(
            quote_state="accepted",
            quote_of_id=quoted.id,
            quote_authorization=authorization,
            version=statuses.c.version + 1,
        )
        .returning(*statuses.c)
    ).first()
    author = _actor(tx, row.author_id)
    if changed is None or author is None:
        return False
    _take_in(tx, changed, quoted, author=author, now=now)
    _tell(tx, urls, changed, author, now=now)
    return True


def show_authorization(tx: Connection, row: Row[Any], authorization_uri: str | None) -> bool:
    """A remote status that waits for consent shows it: it is looked into. False where it does not."""
    if row.quote_state != "pending" or authorization_uri is None or row.local:
        return False
    tx.execute(update(statuses).where(statuses.c.id == row.id).values(quote_authorization=authorization_uri))
    jobs.enqueue(tx, VERIFY, {"status_id": row.id}, unique_key=str(row.id))
    return True


def refuse(tx: Connection, row: Row[Any]) -> bool:
    """The quoted author did not agree. False when nothing was asked."""
    changed = tx.execute(
        update(statuses)
        .where(statuses.c.id == row.id, statuses.c.quote_state == "pending")
        .values(quote_state="rejected", version=statuses.c.version + 1)
    ).rowcount
    if changed:
        events.after_commit(tx, events.Edited(row.id))
    return changed > 0


def revoke(tx: Connection, urls: Urls, quoted: Row[Any], row: Row[Any], *, now: Instant) -> Row[Any]:
    """The local author of ``quoted`` agrees no longer that ``row`` quotes it; servers are told. The row as it is now.

    Raises NotFound where the one does not quote the other.
    """
    quoted_author, author = _actor(tx, quoted.author_id), _actor(tx, row.author_id)
    if row.quote_of_id != quoted.id or quoted_author is None or author is None:
        raise NotFound("That post does not quote this one.")
    changed = _revoked(tx, urls, row, author, now=now)
    quoting_uri = uri_of(urls, row, author)
    stamp = tx.scalar(
        update(quote_authorizations)
        .where(*_same(quoted.id, quoting_uri), quote_authorizations.c.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(quote_authorizations.c.id)
    )
    if stamp is not None:
        activity = activities.delete(
            urls,
            quoted_author.username,
            urls.quote_authorization(quoted_author.username, stamp),
            activity_id=ids.new_id(),
            published=now,
        )
        publish(
            tx,
            actor_id=quoted_author.id,
            activity=activity,
            object_key=quoting_uri,
            audience=Audience(followers=True, actors=(author.id,)),
            now=now,
        )
    return changed


def receive_revocation(tx: Connection, urls: Urls, author: Row[Any], authorization_uri: str, *, now: Instant) -> bool:
    """What the remote author once agreed to by this document is agreed to no longer; False where it was not theirs."""
    quoted = statuses.alias("quoted")
    rows = tx.execute(
        select(statuses)
        .join(quoted, quoted.c.id == statuses.c.quote_of_id)
        .where(statuses.c.quote_authorization == authorization_uri, quoted.c.author_id == author.id)
    ).all()
    for row in rows:
        quoting_author = _actor(tx, row.author_id)
        if quoting_author is not None:
            _revoked(tx, urls, row, quoting_author, now=now)
    return bool(rows)


def _revoked(tx: Connection, urls: Urls, row: Row[Any], author: Row[Any], *, now: Instant) -> Row[Any]:
    changed = tx.execute(
        update(statuses)
        .where(statuses.c.id == row.id, statuses.c.quote_state != "revoked")
        .values(quote_state="revoked", quote_authorization=None, version=statuses.c.version + 1)
        .returning(*statuses.c)
    ).first()
    if changed is None:
        return row
    if row.quote_state == "accepted" and row.visibility <= Visibility.UNLISTED and row.quote_of_id is not None:
        count(tx, row.quote_of_id, by=-1)
    _tell(tx, urls, changed, author, now=now)
    return changed


def _tell(tx: Connection, urls: Urls, row: Row[Any], author: Row[Any], *, now: Instant) -> None:
    events.after_commit(tx, events.Edited(row.id))
    if row.local:
        publishing.refreshed(tx, urls, row, author=author, now=now)


def tell_of_edit(tx: Connection, row: Row[Any], *, author: Row[Any], now: Instant) -> None:
    """Those here who quote the status hear that it says something else now."""
    quoting = tx.scalars(
        select(statuses.c.author_id)
        .where(statuses.c.quote_of_id == row.id, statuses.c.local, statuses.c.quote_state == "accepted")
        .distinct()
    ).all()
    notifications.notify(tx, quoting, kind="quoted_update", by=author, status=row, now=now)


def _actor(tx: Connection, actor_id: int) -> Row[Any] | None:
    return tx.execute(select(actors).where(actors.c.id == actor_id)).first()


# Reading


def page(tx: Connection, status: Row[Any], page: Page, *, viewer_id: int | None) -> list[Row[Any]]:
    """A page of the accepted quotes of a status that the viewer may see: heads, for ``loading.statuses``."""
    statement = select(*HEAD).where(
        statuses.c.quote_of_id == status.id, statuses.c.quote_state == "accepted", shown_where(viewer_id)
    )
    statement = Page.bounded(statement, statuses.c.id, page.shape)
    return page.newest_first(list(tx.execute(statement, page.parameters)))


def set_policy(
    tx: Connection, urls: Urls, status: Row[Any], policy: QuotePolicy, *, author: Row[Any], now: Instant
) -> Row[Any]:
    """Who may quote the author's status from now on; servers that have it are told. The row as it is now.

    Raises Invalid for a post that is not public.
    """
    if not Visibility(status.visibility).is_public and policy["automatic"]:
        raise Invalid("Only public posts can be quoted by others.")
    row = tx.execute(
        update(statuses)
        .where(statuses.c.id == status.id)
        .values(quote_policy=policy, version=statuses.c.version + 1)
        .returning(*statuses.c)
    ).one()
    _tell(tx, urls, row, author, now=now)
    return row
