"""Rows for tests of the domain, made in one transaction without any HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from fediverse import clock, statuses
from fediverse.actors import directory, relations
from fediverse.drafts import ActorDraft, KeyDraft, NoteDraft, Visibility
from fediverse.urls import Urls

URLS = Urls("https://here.example", "here.example")
SECRET = b"a secret that only the tests know, long enough"
NOW = clock.now()

_KEYS: list[directory.LocalKeys] = []


def local(tx: Connection, username: str, **changes: Any) -> Row[Any]:
    """A local actor."""
    if not _KEYS:
        _KEYS.append(directory.make_keys())
    row = directory.create_local(tx, username=username, keys=_KEYS[0], secret=SECRET, now=NOW)
    return directory.update_local(tx, row.id, **changes) if changes else row


def remote(tx: Connection, username: str, host: str = "there.example") -> Row[Any]:
    """A remote actor as if it had been fetched."""
    uri = f"https://{host}/users/{username}"
    draft = ActorDraft(
        uri=uri,
        kind="Person",
        username=username,
        host=host,
        inbox=f"{uri}/inbox",
        shared_inbox=f"https://{host}/inbox",
        keys=(KeyDraft(f"{uri}#main-key", "rsa", "not used"),),
    )
    return directory.upsert_remote(tx, draft, host=host, now=NOW)


def post(tx: Connection, author: Row[Any], text: str, *, to: list[Row[Any]] | None = None, **fields: Any) -> Row[Any]:
    """A status of a local or remote author."""
    if author.host == "":
        draft = NoteDraft(text=text, **fields)
    else:
        uri = fields.pop("uri", f"{author.uri}/statuses/{text.replace(' ', '-')}")
        draft = NoteDraft(content=f"<p>{text}</p>", uri=uri, url=uri, **fields)
    return statuses.create(tx, URLS, author, draft, mentions=to or [], now=clock.now())


def follow(tx: Connection, follower: Row[Any], followee: Row[Any]) -> None:
    """The one follows the other, accepted."""
    if follower.host == "":
        relations.follow(tx, URLS, follower, followee, now=NOW)
        if followee.host != "":
            relations.receive_accept(tx, followee, follower)
    else:
        relations.receive_follow(tx, URLS, follower, followee, uri=f"{follower.uri}#follow", now=NOW)


PUBLIC, UNLISTED, FOLLOWERS, DIRECT = Visibility.PUBLIC, Visibility.UNLISTED, Visibility.FOLLOWERS, Visibility.DIRECT
