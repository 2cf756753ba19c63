"""What an actor has, as rows of the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from fediverse import statuses
from fediverse.actors import directory
from fediverse.tables.actors import actors, blocks, follows, mutes
from fediverse.tables.lists import list_members, lists
from fediverse.tables.relations import hidden_hosts
from fediverse.tables.statuses import bookmarks
from fediverse.transfer.formats import Kind
from fediverse.urls import Urls


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a file, and the id of what it is about: an actor's, a status's; 0 for a domain."""

    about_id: int
    row: dict[str, Any]


def entries(tx: Connection, urls: Urls, actor_id: int, kind: Kind) -> list[Entry]:
    """All that the actor has of a kind, the latest first."""
    return _READ[kind](tx, urls, actor_id)


def _following(tx: Connection, urls: Urls, actor_id: int) -> list[Entry]:
    statement = _others(follows, follows.c.follower_id == actor_id, follows.c.followee_id).where(follows.c.accepted)
    columns = (follows.c.show_boosts, follows.c.notify, follows.c.languages)
    return [
        Entry(
            row.id,
            {
                "acct": urls.handle(row.username, row.host),
                "boosts": row.show_boosts,
                "notify": row.notify,
                "languages": row.languages.strip(",").split(",") if row.languages else [],
            },
        )
        for row in tx.execute(statement.add_columns(*columns))
    ]


def _blocks(tx: Connection, urls: Urls, actor_id: int) -> list[Entry]:
    statement = _others(blocks, blocks.c.actor_id == actor_id, blocks.c.target_id)
    return [Entry(row.id, {"acct": urls.handle(row.username, row.host)}) for row in tx.execute(statement)]


def _mutes(tx: Connection, urls: Urls, actor_id: int) -> list[Entry]:
    statement = _others(mutes, mutes.c.actor_id == actor_id, mutes.c.target_id).where(mutes.c.expires_at.is_(None))
    return [
        Entry(row.id, {"acct": urls.handle(row.username, row.host), "notifications": row.notifications})
        for row in tx.execute(statement.add_columns(mutes.c.notifications))
    ]


def _lists(tx: Connection, urls: Urls, actor_id: int) -> list[Entry]:
    statement = (
        _others(list_members, lists.c.actor_id == actor_id, list_members.c.actor_id)
        .join(lists, lists.c.id == list_members.c.list_id)
        .add_columns(lists.c.title)
    )
    return [
        Entry(row.id, {"list": row.title, "acct": urls.handle(row.username, row.host)}) for row in tx.execute(statement)
    ]


def _bookmarks(tx: Connection, urls: Urls, actor_id: int) -> list[Entry]:
    ids = tx.scalars(
        select(bookmarks.c.status_id).where(bookmarks.c.actor_id == actor_id).order_by(bookmarks.c.id.desc())
    ).all()
    posts = statuses.by_ids(tx, ids)
    authors = directory.by_ids(tx, {post.author_id for post in posts.values()})
    return [
        Entry(id_, {"uri": statuses.uri_of(urls, posts[id_], authors[posts[id_].author_id])})
        for id_ in ids
        if id_ in posts and posts[id_].author_id in authors
    ]


def _domain_blocks(tx: Connection, _urls: Urls, actor_id: int) -> list[Entry]:
    statement = select(hidden_hosts.c.host).where(hidden_hosts.c.actor_id == actor_id)
    return [Entry(0, {"domain": host}) for host in tx.scalars(statement.order_by(hidden_hosts.c.id.desc()))]


def _others(table: Table, mine: ColumnElement[bool], other: ColumnElement[int]) -> Select[Any]:
    return (
        select(actors.c.id, actors.c.username, actors.c.host)
        .select_from(table)
        .join(actors, actors.c.id == other)
        .where(mine, actors.c.deleted_at.is_(None))
        .order_by(table.c.id.desc())
    )


_READ: Final[Mapping[Kind, Callable[[Connection, Urls, int], list[Entry]]]] = {
    "following": _following,
    "blocks": _blocks,
    "mutes": _mutes,
    "lists": _lists,
    "bookmarks": _bookmarks,
    "domain_blocks": _domain_blocks,
}
