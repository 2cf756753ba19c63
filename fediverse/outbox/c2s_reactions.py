"""What a client's outbox posts do to others' posts and accounts: Like, Announce, Follow, Block, and their Undo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, select

from fediverse import documents, reactions, statuses
from fediverse.actors import directory, relations
from fediverse.documents.addressing import read_addressing
from fediverse.drafts import Visibility
from fediverse.errors import NotFound
from fediverse.ids import MAX_ID
from fediverse.outbox.c2s_caller import NO_ACCOUNT, Caller, find_account, find_status, object_id, with_author
from fediverse.tables.actors import blocks, follows
from fediverse.tables.statuses import favourites
from fediverse.tables.statuses import statuses as statuses_table

_OWN_IDS: Final = (("#likes/", "Like"), ("/follows/", "Follow"), ("#blocks/", "Block"), ("/activity", "Announce"))


def type_of_own(uri: str) -> str:
    """The type of an activity of ours, by its id alone; empty for any other id."""
    return next((kind for mark, kind in _OWN_IDS if mark in uri), "")


async def announce(caller: Caller, activity: Mapping[str, Any]) -> str:
    """The post is boosted; the id of the Announce."""
    status_id = await find_status(caller, object_id(activity))
    addressing = read_addressing(dict(activity), author_uri=caller.uri, followers_uri=caller.followers)
    # One that addresses nobody, or the author only, is meant for everybody, as in the client API.
    visibility = Visibility.PUBLIC if addressing.visibility is Visibility.DIRECT else addressing.visibility

    def work(tx: Connection) -> int:
        row, author = with_author(tx, status_id, caller.actor_id)
        boost = statuses.boost(
            tx, caller.urls, caller.actor(tx), row, author=author, now=caller.now, visibility=visibility
        )
        return int(boost.id)

    return caller.urls.activity(caller.username, await caller.database.write(work))


async def undo_announce(caller: Caller, announced: Mapping[str, Any]) -> str:
    """The boost is gone."""

    def work(tx: Connection) -> int:
        parsed = caller.urls.parse(str(announced.get("id", "")))
        where = statuses_table.c.id == (parsed.id if parsed is not None and parsed.kind == "activity" else 0)
        subject = _named_status(tx, caller, announced)
        if subject is not None:
            where = statuses_table.c.boost_of_id == subject.id
        own = select(statuses_table).where(statuses_table.c.author_id == caller.actor_id, where)
        boost = tx.execute(own.where(statuses_table.c.boost_of_id.is_not(None))).one_or_none()
        if boost is None:
            raise NotFound("There is no such boost of yours.")
        row, author = with_author(tx, boost.boost_of_id, None)
        statuses.unboost(tx, caller.urls, caller.actor(tx), row, author=author, now=caller.now)
        return int(boost.id)

    return caller.urls.activity(caller.username, await caller.database.write(work))


async def like(caller: Caller, activity: Mapping[str, Any]) -> str:
    """The post is liked; the id of the Like."""
    status_id = await find_status(caller, object_id(activity))

    def work(tx: Connection) -> int:
        row, author = with_author(tx, status_id, caller.actor_id)
        reactions.favourite(tx, caller.urls, caller.actor(tx), row, author=author, now=caller.now)
        return int(_own_like(tx, caller, favourites.c.status_id == row.id).id)

    return caller.urls.transient(caller.username, "likes", await caller.database.write(work))


async def undo_like(caller: Caller, liked: Mapping[str, Any]) -> str:
    """The post is liked no longer."""

    def work(tx: Connection) -> int:
        subject = _named_status(tx, caller, liked)
        number = _number(liked, caller.urls.transient(caller.username, "likes", 0))
        found = _own_like(
            tx, caller, favourites.c.status_id == subject.id if subject is not None else favourites.c.id == number
        )
        row, author = with_author(tx, found.status_id, None)
        reactions.unfavourite(tx, caller.urls, caller.actor(tx), row, author=author, now=caller.now)
        return int(found.id)

    return caller.urls.transient(caller.username, "likes", await caller.database.write(work))


async def follow(caller: Caller, activity: Mapping[str, Any]) -> str:
    """The account is followed, or asked for it; the id of the Follow."""
    target = await find_account(caller, object_id(activity))

    def work(tx: Connection) -> int:
        relations.follow(tx, caller.urls, caller.actor(tx), target, now=caller.now)
        return int(_own_follow(tx, caller, follows.c.followee_id == target.id).id)

    return caller.urls.follow(caller.username, await caller.database.write(work))


async def undo_follow(caller: Caller, followed: Mapping[str, Any]) -> str:
    """The account is followed no longer."""

    def work(tx: Connection) -> int:
        target = _named_account(tx, caller, followed)
        number = _number(followed, caller.urls.follow(caller.username, 0))
        found = _own_follow(
            tx, caller, follows.c.followee_id == target.id if target is not None else follows.c.id == number
        )
        relations.unfollow(tx, caller.urls, caller.actor(tx), _account(tx, found.followee_id), now=caller.now)
        return int(found.id)

    return caller.urls.follow(caller.username, await caller.database.write(work))


async def block(caller: Caller, activity: Mapping[str, Any]) -> str:
    """The account is blocked; the id of the Block."""
    target = await find_account(caller, object_id(activity))

    def work(tx: Connection) -> int:
        relations.block(tx, caller.urls, caller.actor(tx), target, now=caller.now)
        return int(_own_block(tx, caller, blocks.c.target_id == target.id).id)

    return caller.urls.transient(caller.username, "blocks", await caller.database.write(work))


async def undo_block(caller: Caller, blocked: Mapping[str, Any]) -> str:
    """The account is blocked no longer."""

    def work(tx: Connection) -> int:
        target = _named_account(tx, caller, blocked)
        number = _number(blocked, caller.urls.transient(caller.username, "blocks", 0))
        found = _own_block(tx, caller, blocks.c.target_id == target.id if target is not None else blocks.c.id == number)
        relations.unblock(tx, caller.urls, caller.actor(tx), _account(tx, found.target_id), now=caller.now)
        return int(found.id)

    return caller.urls.transient(caller.username, "blocks", await caller.database.write(work))


def _own_like(tx: Connection, caller: Caller, where: ColumnElement[bool]) -> Row[Any]:
    row = tx.execute(select(favourites).where(favourites.c.actor_id == caller.actor_id, where)).one_or_none()
    if row is None:
        raise NotFound("There is no such like of yours.")
    return row


def _own_follow(tx: Connection, caller: Caller, where: ColumnElement[bool]) -> Row[Any]:
    row = tx.execute(select(follows).where(follows.c.follower_id == caller.actor_id, where)).one_or_none()
    if row is None:
        raise NotFound("There is no such follow of yours.")
    return row


def _own_block(tx: Connection, caller: Caller, where: ColumnElement[bool]) -> Row[Any]:
    row = tx.execute(select(blocks).where(blocks.c.actor_id == caller.actor_id, where)).one_or_none()
    if row is None:
        raise NotFound("There is no such block of yours.")
    return row


def _named_status(tx: Connection, caller: Caller, activity: Mapping[str, Any]) -> Row[Any] | None:
    uri = documents.id_of(activity.get("object"))
    return statuses.by_uri(tx, caller.urls, uri) if uri is not None else None


def _named_account(tx: Connection, caller: Caller, activity: Mapping[str, Any]) -> Row[Any] | None:
    uri = documents.id_of(activity.get("object"))
    return directory.by_uri(tx, caller.urls, uri) if uri is not None else None


def _account(tx: Connection, actor_id: int) -> Row[Any]:
    row = directory.by_id(tx, actor_id)
    if row is None:
        raise NotFound(NO_ACCOUNT)
    return row


def _number(activity: Mapping[str, Any], pattern: str) -> int:
    """The number at the end of the activity's id, if the id is like ``pattern``, which ends in 0; else 0."""
    uri, prefix = str(activity.get("id", "")), pattern[:-1]
    digits = uri.removeprefix(prefix)
    if not (uri.startswith(prefix) and digits.isascii() and digits.isdigit() and len(digits) < 20):
        return 0
    return int(digits) if int(digits) <= MAX_ID else 0
