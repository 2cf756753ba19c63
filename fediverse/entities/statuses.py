"""Statuses as clients see them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from html import escape
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import Row

from fediverse.clock import rfc3339
from fediverse.documents import titles as titles_of
from fediverse.entities.accounts import VISIBILITIES, account, visibility_name
from fediverse.entities.attachments import attachment
from fediverse.entities.cards import card
from fediverse.entities.emojis import emojis
from fediverse.entities.filters import FilterMatch
from fediverse.site import Site
from fediverse.text.names import fold_tag

__all__ = [
    "VISIBILITIES",
    "StatusView",
    "context",
    "history",
    "poll",
    "status",
    "status_json",
    "status_source",
    "visibility_name",
]


@dataclass(slots=True)
class StatusView:
    """A status with everything that is shown beside it. The flags are the viewer's, false for nobody."""

    status: Row[Any]
    author: Row[Any]
    boost: StatusView | None = None
    favourited: bool = False
    boosted: bool = False
    bookmarked: bool = False
    muted: bool = False
    pinned: bool = False
    # Of its poll: whether it has ended, and what the viewer voted for.
    poll_ended: bool = False
    votes: Sequence[int] = ()
    #: What the page of its first link says of itself.
    card: Row[Any] | None = None
    #: Which of the viewer's filters fit; of a boost, those of the post in it.
    filtered: Sequence[FilterMatch] = ()
    # What it quotes, where the viewer may see that; else why not.
    quote: StatusView | None = None
    is_quoted: bool = False
    quote_hidden: str = ""
    # Whether the viewer may quote it: automatic, manual, denied or unknown.
    may_quote: str = "denied"


def status(view: StatusView, site: Site, viewer_id: int | None) -> dict[str, Any]:
    """A Status; for a boost, the boosted one stands in ``reblog`` and its content is repeated outside.

    The viewer's own flags are left out when nobody is signed in.
    """
    row = view.status
    if view.boost is not None:
        inner = status(view.boost, site, viewer_id)
        uri, url = _addresses(row, view.author, site)
        return {
            **inner,
            "id": str(row.id),
            "created_at": rfc3339(row.created_at),
            "edited_at": None,
            "in_reply_to_id": None,
            "in_reply_to_account_id": None,
            "visibility": visibility_name(row.visibility),
            "uri": uri,
            "url": url,
            "application": None,
            "account": account(view.author, site),
            "reblog": inner,
        }
    author = view.author
    key = (row.id, row.version)
    base: dict[str, Any] | None = site.statuses.get(key)
    if base is None:
        base = _status(row, author, site)
        site.statuses.put(key, base)
    entity = {**base, "account": account(author, site)}
    if row.poll is not None:
        entity["poll"] = poll(view, site, viewer_id)
    if view.card is not None:
        entity["card"] = card(view.card, site)
    if row.quote_uri is not None:
        entity["quote"] = _quote(view, site, viewer_id)
    if view.may_quote != "denied":
        entity["quote_approval"] = {**entity["quote_approval"], "current_user": view.may_quote}
    if author.sensitized_at is not None and author.id != viewer_id:
        entity["sensitive"] = True
    if viewer_id is not None:
        entity["favourited"] = view.favourited
        entity["reblogged"] = view.boosted
        entity["muted"] = view.muted
        entity["bookmarked"] = view.bookmarked
        entity["filtered"] = _filtered(view)
        if row.author_id == viewer_id:
            entity["pinned"] = view.pinned
    return entity


def status_json(view: StatusView, site: Site, viewer_id: int | None) -> dict[str, Any] | orjson.Fragment:
    """A Status for ``orjson.dumps``; most that are asked for were written before, and are not written again."""
    key = _sent_as(view, viewer_id)
    if key is None:
        return status(view, site, viewer_id)
    known: bytes | None = site.sent.get(key)
    if known is None:
        entity = status(view, site, viewer_id)
        if view.filtered:
            del entity["filtered"]
        known = orjson.dumps(entity)
        site.sent.put(key, known)
    if not view.filtered:
        return orjson.Fragment(known)
    return orjson.Fragment(b"".join((known[:-1], b',"filtered":', orjson.dumps(_filtered(view)), b"}")))


def _filtered(view: StatusView) -> list[dict[str, Any]]:
    return [match.result for match in view.filtered]


# What of a view decides how it is written; where anything else of it says something, it is written anew.
_FLAGS = ("favourited", "boosted", "bookmarked", "muted", "pinned", "may_quote")
_FURTHER = [
    one for one in fields(StatusView) if one.name not in {"status", "author", "boost", "card", "filtered", *_FLAGS}
]
_UNUSUAL = attrgetter(*(one.name for one in _FURTHER))
_USUAL = tuple(one.default for one in _FURTHER)
_VIEWED = attrgetter(*_FLAGS)


def _sent_as(view: StatusView, viewer_id: int | None) -> Hashable | None:
    """All that decides how the view is written, as a key; None where that is too much."""
    row, author = view.status, view.author
    if row.poll is not None or row.quote_uri is not None or _UNUSUAL(view) != _USUAL:
        return None
    inner: Hashable = None
    if view.boost is not None:
        if view.boost.filtered:
            return None
        inner = _sent_as(view.boost, viewer_id)
        if inner is None:
            return None
    viewed = viewer_id is not None and (row.author_id == viewer_id, bool(view.filtered), _VIEWED(view))
    card = None if view.card is None else (view.card.id, view.card.version)
    return (row.id, row.version, author.id, author.version, viewed, card, inner)


def _status(row: Row[Any], author: Row[Any], site: Site) -> dict[str, Any]:
    uri, url = _addresses(row, author, site)
    return {
        "id": str(row.id),
        "created_at": rfc3339(row.created_at),
        "edited_at": rfc3339(row.edited_at) if row.edited_at else None,
        "in_reply_to_id": str(row.in_reply_to_id) if row.in_reply_to_id else None,
        "in_reply_to_account_id": str(row.in_reply_to_author_id) if row.in_reply_to_author_id else None,
        "sensitive": row.sensitive,
        "spoiler_text": row.spoiler_text,
        "visibility": visibility_name(row.visibility),
        "language": row.language,
        "uri": uri,
        "url": url,
        "content": _content(row),
        "replies_count": row.replies_count,
        "reblogs_count": row.boosts_count,
        "favourites_count": row.favourites_count,
        "quotes_count": row.quotes_count,
        "application": {"name": row.app_name, "website": row.app_url} if row.app_name else None,
        "media_attachments": _attachments(row.id, row.attachments, site),
        "mentions": [_mention(mention, site) for mention in row.mentions],
        "tags": [{"name": tag["name"], "url": site.urls.tag(fold_tag(tag["name"]))} for tag in row.tags],
        "emojis": emojis(row.emojis, site),
        "card": None,
        "poll": None,
        "quote": None,
        "quote_approval": {**(row.quote_policy or _NOBODY), "current_user": "denied"},
        "reblog": None,
    }


_NOBODY: dict[str, list[str]] = {"automatic": [], "manual": []}


def _quote(view: StatusView, site: Site, viewer_id: int | None) -> dict[str, Any]:
    """The Quote of a status that quotes; of one that is itself shown as a quote, a ShallowQuote."""
    row = view.status
    state = view.quote_hidden or row.quote_state
    if view.is_quoted:
        shown = str(row.quote_of_id) if state == "accepted" and row.quote_of_id else None
        return {"state": state, "quoted_status_id": shown}
    quoted = status(view.quote, site, viewer_id) if view.quote is not None and state == "accepted" else None
    return {"state": state, "quoted_status": quoted}


def poll(view: StatusView, site: Site, viewer_id: int | None) -> dict[str, Any]:
    """The Poll of a status that has one. Its id is the status's. The author of a poll counts as having voted."""
    row = view.status
    stored = row.poll
    hidden = stored["hide_totals"] and not view.poll_ended
    entity: dict[str, Any] = {
        "id": str(row.id),
        "expires_at": rfc3339(stored["expires_at"]) if stored["expires_at"] is not None else None,
        "expired": view.poll_ended,
        "multiple": stored["multiple"],
        "votes_count": sum(option["votes"] for option in stored["options"]),
        "voters_count": stored["voters"],
        "options": [
            {"title": option["title"], "votes_count": None if hidden else option["votes"]}
            for option in stored["options"]
        ],
        "emojis": emojis(row.emojis, site),
    }
    if viewer_id is not None:
        entity["voted"] = bool(view.votes) or row.author_id == viewer_id
        entity["own_votes"] = list(view.votes)
    return entity


def _addresses(row: Row[Any], author: Row[Any], site: Site) -> tuple[str, str]:
    """The id of the Note (of the Announce, for a boost) and its page for people."""
    if not row.local:
        return row.uri, row.url or row.uri
    urls = site.urls
    if row.boost_of_id is not None:
        activity = urls.activity(author.username, row.id)
        return activity, activity
    return urls.status(author.username, row.id), urls.status_page(author.username, row.id)


def _content(row: Row[Any]) -> str:
    """The HTML; what has a title, such as an Article, shows it above."""
    if not row.title:
        return str(row.content)
    return f"<p><strong>{escape(row.title, quote=False)}</strong></p>{row.content}"


def _mention(mention: dict[str, Any], site: Site) -> dict[str, str]:
    urls, username, host = site.urls, mention["username"], mention["host"]
    return {
        "id": str(mention["id"]),
        "username": username,
        "acct": urls.acct(username, host),
        "url": (mention.get("url") or mention["uri"]) if host else urls.profile(username),
    }


def _attachments(status_id: int, entries: Sequence[dict[str, Any]], site: Site) -> list[dict[str, Any]]:
    """Those of other servers have no ids of their own; these only have to be numbers that are distinct and stay."""
    return [attachment(entry, site, id_=status_id + index) for index, entry in enumerate(entries)]


def status_source(row: Row[Any]) -> dict[str, str]:
    """What the author typed, for an editor."""
    return {"id": str(row.id), "text": row.text, "spoiler_text": row.spoiler_text}


def context(
    ancestors: Iterable[StatusView], descendants: Iterable[StatusView], site: Site, viewer_id: int | None
) -> dict[str, Any]:
    """The thread around a status."""
    return {
        "ancestors": [status(view, site, viewer_id) for view in ancestors],
        "descendants": [status(view, site, viewer_id) for view in descendants],
    }


def history(versions: Sequence[Row[Any]], row: Row[Any], author: Row[Any], site: Site) -> list[dict[str, Any]]:
    """Every version of the status, the first one first; one that was never edited has one."""
    who = account(author, site)
    # A file has one preview, its latest: the ones that it had before are gone.
    latest = {e["id"]: e["preview_key"] for version in versions or [row] for e in version.attachments if "id" in e}
    return [
        {
            "content": version.content,
            "spoiler_text": version.spoiler_text,
            "sensitive": version.sensitive,
            "created_at": rfc3339(version.created_at),
            "account": who,
            "poll": _asked(version),
            "quote": None,
            "media_attachments": _attachments(
                row.id,
                [{**e, "preview_key": latest.get(e["id"])} if "id" in e else e for e in version.attachments],
                site,
            ),
            "emojis": emojis(version.emojis, site),
        }
        for version in versions or [row]
    ]


def _asked(version: Row[Any]) -> dict[str, Any] | None:
    """What a version asked; a status without edits is its only one."""
    edit = version._mapping
    titles = edit["poll_options"] if "poll_options" in edit else titles_of(edit["poll"])
    return {"options": [{"title": title} for title in titles]} if titles else None
