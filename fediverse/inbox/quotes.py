"""Asking to quote a post, and the answers (FEP-044f)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from fediverse import statuses
from fediverse.documents import id_of, same_origin
from fediverse.inbox.activity import Activity, Outcome
from fediverse.inbox.registry import handles
from fediverse.statuses import quotes
from fediverse.urls import Urls


@handles("QuoteRequest")
def request(tx: Connection, activity: Activity) -> Outcome:
    """The sender hears whether a post of its own may quote one of this instance."""
    draft, urls = activity.draft, activity.urls
    quoting_uri = draft.instrument_uri
    if draft.object_uri is None or quoting_uri is None or not same_origin(quoting_uri, activity.signer_uri):
        return "refused"
    quoted = statuses.by_uri(tx, urls, draft.object_uri)
    if quoted is None or not quoted.local or quoted.deleted_at is not None:
        return "ignored"
    asked = {
        **({"id": draft.id} if draft.id else {}),
        "type": "QuoteRequest",
        "actor": activity.signer_uri,
        "object": draft.object_uri,
        "instrument": quoting_uri,
    }
    agreed = quotes.receive_request(
        tx, urls, activity.signer, quoted, request=asked, quoting_uri=quoting_uri, now=activity.now
    )
    return "applied" if agreed else "refused"


@handles("Accept", "QuoteRequest")
def accept(tx: Connection, activity: Activity) -> Outcome:
    """The sender lets a post of this instance quote one of the sender's."""
    asked = activity.draft.object or {}
    return answered(tx, activity, _local_post(tx, activity.urls, id_of(asked.get("instrument"))), agreed=True)


@handles("Reject", "QuoteRequest")
def reject(tx: Connection, activity: Activity) -> Outcome:
    """The sender does not let a post of this instance quote one of the sender's."""
    asked = activity.draft.object or {}
    return answered(tx, activity, _local_post(tx, activity.urls, id_of(asked.get("instrument"))), agreed=False)


def answered(tx: Connection, activity: Activity, row: Row[Any] | None, *, agreed: bool) -> Outcome:
    """The answer to the request for this post counts, if it comes from the author of what the post quotes."""
    quoted = statuses.by_id(tx, row.quote_of_id) if row is not None and row.quote_of_id else None
    if row is None or quoted is None or quoted.author_id != activity.signer.id:
        return "ignored"
    if not agreed:
        return "applied" if quotes.refuse(tx, row) else "ignored"
    result = activity.draft.result_uri
    if result is not None and not same_origin(result, activity.signer_uri):
        return "refused"
    done = quotes.accept(tx, activity.urls, row, quoted=quoted, authorization=result, now=activity.now)
    return "applied" if done else "ignored"


def requested(tx: Connection, activity: Activity) -> Row[Any] | None:
    """The post for which a request of this instance asked, where only the request's id was sent."""
    uri = activity.draft.object_uri or ""
    before, _, number = uri.partition("#quote_requests/")
    actor = activity.urls.parse(before)
    if actor is None or actor.kind != "actor" or not number.isascii() or not number.isdigit() or len(number) > 19:
        return None
    return _local_post(tx, activity.urls, activity.urls.status(actor.username, int(number)))


def _local_post(tx: Connection, urls: Urls, uri: str | None) -> Row[Any] | None:
    row = statuses.by_uri(tx, urls, uri) if uri is not None and urls.is_local(uri) else None
    return row if row is not None and row.local and row.deleted_at is None else None
