"""How one actor stands to others: what both did about each other, read at once for a whole list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Table,
    Text,
    bindparam,
    cast,
    literal,
    select,
    union_all,
)

from fediverse.clock import Instant
from fediverse.db import Dialect, Prepared, id_list
from fediverse.tables.actors import actors, blocks, follows, mutes
from fediverse.tables.relations import account_notes, endorsements, hidden_hosts


@dataclass(frozen=True, slots=True)
class Relationship:
    """How one actor stands to another."""

    target_id: int
    following: bool = False
    requested: bool = False
    show_boosts: bool = False
    notify: bool = False
    languages: tuple[str, ...] = ()
    followed_by: bool = False
    requested_by: bool = False
    blocking: bool = False
    blocked_by: bool = False
    muting: bool = False
    muting_notifications: bool = False
    muting_expires_at: Instant | None = None
    domain_blocking: bool = False
    endorsed: bool = False
    note: str = ""


def relationships(tx: Connection, actor_id: int, target_ids: Sequence[int], *, now: Instant) -> list[Relationship]:
    """How the actor stands to each target, in the given order."""
    following = {
        r.followee_id: r
        for r in _rows(tx, follows, follows.c.follower_id == actor_id, follows.c.followee_id, target_ids)
    }
    followers = {
        r.follower_id: r
        for r in _rows(tx, follows, follows.c.followee_id == actor_id, follows.c.follower_id, target_ids)
    }
    blocking = {r.target_id for r in _rows(tx, blocks, blocks.c.actor_id == actor_id, blocks.c.target_id, target_ids)}
    blocked = {r.actor_id for r in _rows(tx, blocks, blocks.c.target_id == actor_id, blocks.c.actor_id, target_ids)}
    muting = {
        r.target_id: r
        for r in _rows(tx, mutes, mutes.c.actor_id == actor_id, mutes.c.target_id, target_ids)
        if r.expires_at is None or r.expires_at > now
    }
    kept: dict[str, dict[int, str]] = {"note": {}, "endorsed": {}, "hidden": {}}
    for mark, target_id, words in tx.execute(_KEPT(tx), {"me": actor_id, "ids": id_list(tx, target_ids)}):
        kept[mark][target_id] = words
    return [
        _relationship(
            target,
            out=following.get(target),
            back=followers.get(target),
            blocking=target in blocking,
            blocked_by=target in blocked,
            muted=muting.get(target),
            kept=kept,
        )
        for target in target_ids
    ]


def _kept_query(sql: Dialect) -> CompoundSelect[str, int, str]:
    """What the actor keeps for itself about the targets, in one query: (kind, target, words)."""
    me, nothing = bindparam("me", type_=BigInteger), cast(literal(""), Text)

    def kind(name: str) -> ColumnElement[str]:
        return cast(literal(name), Text)

    return union_all(
        select(kind("note"), account_notes.c.target_id, account_notes.c.comment).where(
            account_notes.c.actor_id == me, sql.within(account_notes.c.target_id, "ids")
        ),
        select(kind("endorsed"), endorsements.c.target_id, nothing).where(
            endorsements.c.actor_id == me, sql.within(endorsements.c.target_id, "ids")
        ),
        select(kind("hidden"), actors.c.id, nothing).where(
            sql.within(actors.c.id, "ids"),
            actors.c.host.in_(select(hidden_hosts.c.host).where(hidden_hosts.c.actor_id == me)),
        ),
    )


_KEPT = Prepared(_kept_query)


def _rows(
    tx: Connection, table: Table, mine: ColumnElement[bool], other: ColumnElement[int], target_ids: Sequence[int]
) -> Sequence[Row[Any]]:
    return tx.execute(select(table).where(mine, other.in_(target_ids))).all()


def _relationship(
    target_id: int,
    *,
    out: Row[Any] | None,
    back: Row[Any] | None,
    blocking: bool,
    blocked_by: bool,
    muted: Row[Any] | None,
    kept: dict[str, dict[int, str]],
) -> Relationship:
    following = out is not None and out.accepted
    return Relationship(
        target_id,
        following=following,
        requested=out is not None and not out.accepted,
        show_boosts=following and out is not None and out.show_boosts,
        notify=following and out is not None and out.notify,
        languages=tuple(out.languages.strip(",").split(",")) if out is not None and out.languages else (),
        followed_by=back is not None and back.accepted,
        requested_by=back is not None and not back.accepted,
        blocking=blocking,
        blocked_by=blocked_by,
        muting=muted is not None,
        muting_notifications=muted is not None and muted.notifications,
        muting_expires_at=muted.expires_at if muted is not None else None,
        domain_blocking=target_id in kept["hidden"],
        endorsed=target_id in kept["endorsed"],
        note=kept["note"].get(target_id, ""),
    )
