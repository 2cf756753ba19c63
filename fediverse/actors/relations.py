"""Who follows, blocks and mutes whom. Owner of the tables follows, blocks and mutes.

Each change writes its rows, counters and timelines, and publishes the activity when the other side is elsewhere.
Every change that a remote actor asks for selects by that actor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, exists, func, or_, select, true, update

from fediverse import conversations, ids, lists, notifications, timelines
from fediverse.actors import endorsements
from fediverse.actors import relation_activities as send
from fediverse.actors.standing import Relationship as Relationship
from fediverse.actors.standing import relationships as relationships
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.errors import Forbidden, NotFound
from fediverse.paging import Page
from fediverse.tables.actors import actors, blocks, follows, mutes
from fediverse.tables.relations import account_notes, hidden_hosts
from fediverse.tables.relations import endorsements as endorsements_table
from fediverse.urls import Urls

_FAMILIAR = 40


def follow(
    tx: Connection,
    urls: Urls,
    actor: Row[Any],
    target: Row[Any],
    *,
    now: Instant,
    show_boosts: bool | None = None,
    notify: bool | None = None,
    languages: Sequence[str] | None = None,
) -> None:
    """The local actor follows the target, or has asked to when the target decides that itself.

    Following again changes the options only, those that are given. ``languages`` are all that posts may be in; empty:
    in any. Raises Forbidden between those who block each other, for oneself, for a suspended target and for one on
    a host that the actor hides.
    """
    if actor.id == target.id:
        raise Forbidden("You cannot follow yourself.")
    if is_blocked_either(tx, actor.id, target.id) or target.suspended_at is not None or target.deleted_at is not None:
        raise Forbidden("You cannot follow this account.")
    if target.host != "" and tx.scalar(select(_hides(actor.id, target.host))):
        raise Forbidden("You block the domain of this account. Unblock the domain first to follow it.")
    options: dict[str, Any] = {"show_boosts": show_boosts, "notify": notify}
    options = {name: value for name, value in options.items() if value is not None}
    if languages is not None:
        options["languages"] = f",{','.join(languages)}," if languages else None
    at_once = target.host == "" and not target.locked and actor.limited_at is None
    row = tx.execute(
        insert(tx, follows)
        .values(
            id=ids.new_id(),
            follower_id=actor.id,
            followee_id=target.id,
            accepted=at_once,
            follower_is_local=True,
            created_at=now,
            **options,
        )
        .on_conflict_do_nothing()
        .returning(follows.c.id)
    ).first()
    if row is None:
        if options:
            tx.execute(update(follows).where(_between(actor.id, target.id)).values(options))
        return
    if at_once:
        _begun(tx, actor, target)
        notifications.notify(tx, [target.id], kind="follow", by=actor, now=now)
    elif target.host == "":
        notifications.notify(tx, [target.id], kind="follow_request", by=actor, now=now)
    else:
        send.follow(tx, urls, actor, target, follow_id=row.id, now=now)


def unfollow(tx: Connection, urls: Urls, actor: Row[Any], target: Row[Any], *, now: Instant) -> None:
    """The local actor neither follows the target nor asks to."""
    row = _end(tx, actor.id, target.id)
    if row is None:
        return
    notifications.retract(tx, kind="follow", by_id=actor.id, actor_id=target.id)
    notifications.retract(tx, kind="follow_request", by_id=actor.id, actor_id=target.id)
    if target.host != "":
        send.undo_follow(tx, urls, actor, target, follow_id=row.id, now=now)


def accept_follow(tx: Connection, urls: Urls, followee: Row[Any], follower: Row[Any], *, now: Instant) -> None:
    """The local actor lets the follower in, and the follower's server is told. Raises NotFound without a request."""
    row = _accept(tx, follower, followee)
    if row is None:
        raise NotFound("There is no such follow request.")
    notifications.retract(tx, kind="follow_request", by_id=follower.id, actor_id=followee.id)
    notifications.notify(tx, [followee.id], kind="follow", by=follower, now=now)
    if follower.host != "":
        send.accept(tx, urls, followee, follower, follow_uri=row.uri, now=now)


def reject_follow(tx: Connection, urls: Urls, followee: Row[Any], follower: Row[Any], *, now: Instant) -> None:
    """The request is refused, and the follower's server is told. Raises NotFound without a request."""
    asking = tx.scalar(select(follows.c.id).where(_between(follower.id, followee.id), ~follows.c.accepted))
    if asking is None or not _refuse(tx, urls, followee, follower, now=now):
        raise NotFound("There is no such follow request.")


def remove_follower(tx: Connection, urls: Urls, followee: Row[Any], follower: Row[Any], *, now: Instant) -> None:
    """The follower follows the local actor no longer, and its server is told."""
    _refuse(tx, urls, followee, follower, now=now)


def block(tx: Connection, urls: Urls, actor: Row[Any], target: Row[Any], *, now: Instant) -> None:
    """The local actor blocks the target: neither follows the other, nor sees the other's posts and deeds."""
    if actor.id == target.id:
        raise Forbidden("You cannot block yourself.")
    added = tx.execute(
        insert(tx, blocks)
        .values(id=ids.new_id(), actor_id=actor.id, target_id=target.id, created_at=now)
        .on_conflict_do_nothing()
        .returning(blocks.c.id)
    ).first()
    if added is None:
        return
    unfollow(tx, urls, actor, target, now=now)
    _refuse(tx, urls, actor, target, now=now)
    _forget(tx, actor.id, target.id)
    _forget(tx, target.id, actor.id)
    timelines.withdraw(tx, actor.id, target.id)
    if target.host != "":
        send.block(tx, urls, actor, target, block_id=added.id, now=now)


def _forget(tx: Connection, actor_id: int, other_id: int) -> None:
    notifications.forget_between(tx, actor_id, other_id)
    conversations.forget_between(tx, actor_id, other_id)


def unblock(tx: Connection, urls: Urls, actor: Row[Any], target: Row[Any], *, now: Instant) -> None:
    """The local actor does not block the target."""
    gone = tx.execute(
        delete(blocks).where(blocks.c.actor_id == actor.id, blocks.c.target_id == target.id).returning(blocks.c.id)
    ).first()
    if gone is not None and target.host != "":
        send.undo_block(tx, urls, actor, target, block_id=gone.id, now=now)


def mute(
    tx: Connection,
    actor: Row[Any],
    target: Row[Any],
    *,
    now: Instant,
    notifications_too: bool = True,
    expires_at: Instant | None = None,
) -> None:
    """The local actor does not see the target's posts, until ``expires_at`` if given. Nobody is told."""
    if actor.id == target.id:
        raise Forbidden("You cannot mute yourself.")
    options = {"notifications": notifications_too, "expires_at": expires_at}
    tx.execute(
        insert(tx, mutes)
        .values(id=ids.new_id(), actor_id=actor.id, target_id=target.id, created_at=now, **options)
        .on_conflict_do_update(index_elements=["actor_id", "target_id"], set_=options)
    )


def unmute(tx: Connection, actor: Row[Any], target: Row[Any]) -> None:
    """The local actor sees the target's posts."""
    tx.execute(delete(mutes).where(mutes.c.actor_id == actor.id, mutes.c.target_id == target.id))


def receive_follow(
    tx: Connection, urls: Urls, follower: Row[Any], followee: Row[Any], *, uri: str, now: Instant
) -> None:
    """A remote actor's Follow is answered: Accept, Reject for whom the followee blocks, or left to the followee.

    A repeated Follow is answered again, with its new id: the first answer may have been lost.
    """
    refused = follower.suspended_at is not None or is_blocked_either(tx, follower.id, followee.id)
    if refused or tx.scalar(select(_hides(followee.id, follower.host))):
        send.reject(tx, urls, followee, follower, follow_uri=uri, now=now)
        return
    row = tx.execute(
        insert(tx, follows)
        .values(
            id=ids.new_id(),
            follower_id=follower.id,
            followee_id=followee.id,
            uri=uri,
            accepted=False,
            follower_is_local=False,
            created_at=now,
        )
        .on_conflict_do_update(index_elements=["follower_id", "followee_id"], set_={"uri": uri})
        .returning(follows.c.accepted)
    ).one()
    if row.accepted:
        send.accept(tx, urls, followee, follower, follow_uri=uri, now=now)
    elif followee.locked or follower.limited_at is not None:
        notifications.notify(tx, [followee.id], kind="follow_request", by=follower, now=now)
    else:
        accept_follow(tx, urls, followee, follower, now=now)


def receive_accept(tx: Connection, followee: Row[Any], follower: Row[Any]) -> bool:
    """The remote followee let the local follower in; False without such a request."""
    return _accept(tx, follower, followee) is not None


def receive_reject(tx: Connection, followee: Row[Any], follower: Row[Any]) -> bool:
    """The remote followee refused or removed the local follower; False when it did not follow."""
    return _end(tx, follower.id, followee.id) is not None


def receive_undo_follow(tx: Connection, follower: Row[Any], followee: Row[Any]) -> bool:
    """The remote follower left; False when it did not follow."""
    if _end(tx, follower.id, followee.id) is None:
        return False
    notifications.retract(tx, kind="follow", by_id=follower.id, actor_id=followee.id)
    notifications.retract(tx, kind="follow_request", by_id=follower.id, actor_id=followee.id)
    return True


def receive_block(tx: Connection, actor: Row[Any], target: Row[Any], *, uri: str | None, now: Instant) -> None:
    """A remote actor blocks a local one: neither follows the other any more."""
    tx.execute(
        insert(tx, blocks)
        .values(id=ids.new_id(), actor_id=actor.id, target_id=target.id, uri=uri, created_at=now)
        .on_conflict_do_nothing()
    )
    _end(tx, actor.id, target.id)
    _end(tx, target.id, actor.id)
    timelines.withdraw(tx, target.id, actor.id)
    _forget(tx, target.id, actor.id)


def receive_undo_block(tx: Connection, actor: Row[Any], target: Row[Any]) -> bool:
    """The remote actor blocks the local one no longer; False when it did not."""
    gone = delete(blocks).where(blocks.c.actor_id == actor.id, blocks.c.target_id == target.id)
    return tx.execute(gone).rowcount > 0


def end_all(tx: Connection, actor_id: int) -> None:
    """The actor has no relations left, as when it is deleted; the other sides' counters follow."""
    # By subqueries: there may be more followers than a statement takes parameters.
    followees = select(follows.c.followee_id).where(follows.c.follower_id == actor_id, follows.c.accepted)
    followers = select(follows.c.follower_id).where(follows.c.followee_id == actor_id, follows.c.accepted)
    for others, column in ((followees, actors.c.followers_count), (followers, actors.c.following_count)):
        tx.execute(
            update(actors)
            .where(actors.c.id.in_(others), column > 0)
            .values({column: column - 1, actors.c.version: actors.c.version + 1})
        )
    tx.execute(delete(follows).where(or_(follows.c.follower_id == actor_id, follows.c.followee_id == actor_id)))
    tx.execute(delete(blocks).where(or_(blocks.c.actor_id == actor_id, blocks.c.target_id == actor_id)))
    tx.execute(delete(mutes).where(or_(mutes.c.actor_id == actor_id, mutes.c.target_id == actor_id)))
    for table in (endorsements_table, account_notes):
        tx.execute(delete(table).where(or_(table.c.actor_id == actor_id, table.c.target_id == actor_id)))
    tx.execute(delete(hidden_hosts).where(hidden_hosts.c.actor_id == actor_id))
    lists.end_all(tx, actor_id)


def forget_follower(tx: Connection, actor_id: int) -> None:
    """The actor, which is not there any more, follows nobody; the counters follow."""
    followees = select(follows.c.followee_id).where(follows.c.follower_id == actor_id, follows.c.accepted)
    tx.execute(
        update(actors)
        .where(actors.c.id.in_(followees), actors.c.followers_count > 0)
        .values(followers_count=actors.c.followers_count - 1, version=actors.c.version + 1)
    )
    tx.execute(update(actors).where(actors.c.id == actor_id).values(following_count=0, version=actors.c.version + 1))
    tx.execute(delete(follows).where(follows.c.follower_id == actor_id))


def is_blocked_either(tx: Connection, one_id: int, other_id: int) -> bool:
    """Whether one of the two blocks the other."""
    found = exists().where(
        or_(
            and_(blocks.c.actor_id == one_id, blocks.c.target_id == other_id),
            and_(blocks.c.actor_id == other_id, blocks.c.target_id == one_id),
        )
    )
    return bool(tx.scalar(select(found)))


def follow_by_id(tx: Connection, follower_id: int, follow_id: int) -> Row[Any] | None:
    """The local follower's follow with this id."""
    mine = and_(follows.c.id == follow_id, follows.c.follower_id == follower_id)
    return tx.execute(select(follows).where(mine)).first()


def followers_page(tx: Connection, actor_id: int, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of the actor's followers, the latest first."""
    return _page(tx, follows, follows.c.follower_id, page, follows.c.followee_id == actor_id, follows.c.accepted)


def following_page(tx: Connection, actor_id: int, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of those whom the actor follows, the latest first."""
    return _page(tx, follows, follows.c.followee_id, page, follows.c.follower_id == actor_id, follows.c.accepted)


def familiar_followers(tx: Connection, actor_id: int, target_ids: Sequence[int]) -> Sequence[tuple[int, int]]:
    """(target, follower) for those whom the actor follows and who follow a target, the latest first.

    At most 40 for each; whoever hides whom it follows is not among them.
    """
    mine = follows.alias("mine")
    place = func.row_number().over(partition_by=follows.c.followee_id, order_by=follows.c.id.desc()).label("place")
    found = (
        select(follows.c.followee_id, follows.c.follower_id, place)
        .join(mine, and_(mine.c.followee_id == follows.c.follower_id, mine.c.follower_id == actor_id, mine.c.accepted))
        .join(actors, actors.c.id == follows.c.follower_id)
        .where(
            follows.c.followee_id.in_(target_ids),
            follows.c.accepted,
            ~actors.c.hide_relations,
            actors.c.suspended_at.is_(None),
            actors.c.deleted_at.is_(None),
        )
        .subquery()
    )
    statement = select(found.c.followee_id, found.c.follower_id).where(found.c.place <= _FAMILIAR)
    return [(row.followee_id, row.follower_id) for row in tx.execute(statement.order_by(found.c.place))]


def requests_page(tx: Connection, actor_id: int, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of those who ask to follow the actor, the latest first."""
    return _page(tx, follows, follows.c.follower_id, page, follows.c.followee_id == actor_id, ~follows.c.accepted)


def requests_count(tx: Connection, actor_id: int) -> int:
    """How many ask to follow the actor."""
    asking = and_(follows.c.followee_id == actor_id, ~follows.c.accepted)
    return tx.scalar(select(func.count()).select_from(follows).where(asking)) or 0


def blocks_page(tx: Connection, actor_id: int, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of those whom the actor blocks, the latest first."""
    return _page(tx, blocks, blocks.c.target_id, page, blocks.c.actor_id == actor_id)


def mutes_page(tx: Connection, actor_id: int, page: Page, *, now: Instant) -> list[tuple[int, int]]:
    """(paging id, actor id) of those whom the actor mutes, the latest first."""
    lasting = or_(mutes.c.expires_at.is_(None), mutes.c.expires_at > now)
    return _page(tx, mutes, mutes.c.target_id, page, mutes.c.actor_id == actor_id, lasting)


def _page(
    tx: Connection, table: Table, other: ColumnElement[int], page: Page, *conditions: ColumnElement[bool]
) -> list[tuple[int, int]]:
    statement = (
        select(table.c.id, other.label("other_id"))
        .join(actors, actors.c.id == other)
        .where(*conditions, actors.c.deleted_at.is_(None))
    )
    if table is not blocks:  # one may always see, and lift, one's own blocks
        statement = statement.where(actors.c.suspended_at.is_(None))
    rows = tx.execute(page.select(statement, table.c.id)).all()
    return page.newest_first([(row.id, row.other_id) for row in rows])


def _hides(actor_id: int, host: str) -> ColumnElement[bool]:
    return exists().where(hidden_hosts.c.actor_id == actor_id, hidden_hosts.c.host == host)


def _between(follower_id: int, followee_id: int) -> ColumnElement[bool]:
    return and_(follows.c.follower_id == follower_id, follows.c.followee_id == followee_id)


def _accept(tx: Connection, follower: Row[Any], followee: Row[Any]) -> Row[Any] | None:
    row = tx.execute(
        update(follows)
        .where(_between(follower.id, followee.id), ~follows.c.accepted)
        .values(accepted=true())
        .returning(follows.c.id, follows.c.uri)
    ).first()
    if row is not None:
        _begun(tx, follower, followee)
    return row


def _refuse(tx: Connection, urls: Urls, followee: Row[Any], follower: Row[Any], *, now: Instant) -> bool:
    row = _end(tx, follower.id, followee.id)
    if row is None:
        return False
    notifications.retract(tx, kind="follow_request", by_id=follower.id, actor_id=followee.id)
    if follower.host != "" and followee.host == "":
        send.reject(tx, urls, followee, follower, follow_uri=row.uri, now=now)
    return True


def _begun(tx: Connection, follower: Row[Any], followee: Row[Any]) -> None:
    _count(tx, follower.id, followee.id, by=1)
    if follower.host == "":
        timelines.backfill(tx, follower.id, followee.id)


def _end(tx: Connection, follower_id: int, followee_id: int) -> Row[Any] | None:
    row = tx.execute(delete(follows).where(_between(follower_id, followee_id)).returning(*follows.c)).first()
    if row is not None and row.accepted:
        _count(tx, follower_id, followee_id, by=-1)
        if row.follower_is_local:
            endorsements.unendorse(tx, follower_id, followee_id)
            lists.forget(tx, follower_id, followee_id)
            timelines.withdraw(tx, follower_id, followee_id)
    return row


def _count(tx: Connection, follower_id: int, followee_id: int, *, by: int) -> None:
    for actor_id, column in ((follower_id, actors.c.following_count), (followee_id, actors.c.followers_count)):
        tx.execute(
            update(actors)
            .where(actors.c.id == actor_id)
            .values({column: column + by, actors.c.version: actors.c.version + 1})
        )
