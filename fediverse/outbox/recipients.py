"""Who gets an activity: the inboxes behind an audience, those meant by name first.

The crowd (followers, or everybody known) is keyed by the first follow that leads to an inbox: in that order it can be
left and taken up again, and a shared inbox comes up once. To find those keys every follow is looked at, a hundred
thousand in some 80 ms: a large crowd is read beside the writer, and once for all fan-outs that begin together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
)

from fediverse.db import Prepared, id_list
from fediverse.outbox.publish import Plan
from fediverse.tables.actors import actors, blocks, follows

# These must reach somebody whom the author blocks: they say so, or take back what was sent before.
_REACHES_BLOCKED = frozenset({"Block", "Undo", "Reject", "Delete"})
_FOLLOWERS_START = 1  # ids are far larger; cursors up to 0 count the addressed ones, downwards
_NTH_FOLLOW = (
    select(follows.c.id)
    .where(follows.c.followee_id == bindparam("author"), follows.c.accepted)
    .order_by(follows.c.id)
    .limit(1)
    .offset(bindparam("n", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """An inbox, the cursor's value once it is written, and the handle's host where one is known."""

    key: int
    inbox: str
    host: str
    priority: int


@dataclass(slots=True)
class Open:
    """A fan-out that somebody holds: how far it has come, and recipients that were read ahead.

    ``attempts`` is which claim of it this is: whoever claims it later takes it from the one before.
    """

    id: int
    object_key: str
    plan: Plan
    cursor: int
    attempts: int
    ahead: list[Recipient] = field(default_factory=list)
    # Nothing comes after ``ahead``.
    complete: bool = False

    @property
    def has_crowd(self) -> bool:
        """Whether it is for more than those who are meant by name."""
        return self.plan["followers"] or self.plan["everyone_known"]

    @property
    def crowd(self) -> tuple[int, bool, bool, bool, int]:
        """What its crowd depends on, as far as that is still to be written."""
        plan = self.plan
        reaches_blocked = plan["type"] in _REACHES_BLOCKED
        after = max(self.cursor, _FOLLOWERS_START)
        return (plan["actor_id"], plan["everyone_known"], plan["shared"], reaches_blocked, after)


def is_small(tx: Connection, fan: Open, *, most: int) -> bool:
    """Whether its recipients are certainly no more than ``most``; costs the same for every audience."""
    named = len(fan.plan["actors"]) + len(fan.plan["inboxes"])
    if fan.plan["everyone_known"] or named > most:
        return False
    if not fan.plan["followers"]:
        return True
    return tx.scalar(_NTH_FOLLOW, {"author": fan.plan["actor_id"], "n": most - named}) is None


def recipients(tx: Connection, fans: Sequence[Open], *, limit: int) -> list[list[Recipient]]:
    """For each fan-out the next recipients after its cursor; fewer than ``limit`` when there are no more.

    All of the fan-outs must be for the same crowd.
    """
    named = [addressed(tx, fan) for fan in fans]
    # As many more as may turn out to be addressed already.
    crowd = _read_crowd(tx, fans[0], limit=limit + max(map(len, named))) if fans[0].has_crowd else []
    found = []
    for fan, first in zip(fans, named, strict=True):
        seen = {recipient.inbox for recipient in first}
        rest = [recipient for recipient in crowd if recipient.inbox not in seen] if seen else crowd
        found.append([*remaining(fan, first), *rest][:limit])
    return found


def remaining(fan: Open, named: list[Recipient]) -> list[Recipient]:
    """Those of the addressed ones that come after the cursor."""
    return named[-fan.cursor :] if fan.cursor <= 0 else []


def addressed(tx: Connection, fan: Open) -> list[Recipient]:
    """Those who are meant by name: always in the same order, so that a negative cursor counts them."""
    known: list[tuple[str, str]] = []
    if fan.plan["actors"]:
        statement = _named(fan.plan["shared"], fan.plan["type"] in _REACHES_BLOCKED)(tx)
        rows = tx.execute(statement, {"ids": id_list(tx, fan.plan["actors"]), "author": fan.plan["actor_id"]})
        known = [(row.inbox, row.host) for row in rows]
    known += [(inbox, "") for inbox in fan.plan["inboxes"]]
    distinct = dict(reversed(known))
    ordered = dict.fromkeys(inbox for inbox, _ in known)
    return [Recipient(-n, inbox, distinct[inbox], 0) for n, inbox in enumerate(ordered, start=1)]


def _read_crowd(tx: Connection, fan: Open, *, limit: int) -> list[Recipient]:
    author, everyone, shared, reaches_blocked, after = fan.crowd
    statement = _crowd(everyone, shared, reaches_blocked)
    rows = tx.execute(statement, {"author": author, "after": after, "limit": limit})
    return [Recipient(first, inbox, host, 1) for first, inbox, host in rows]


@cache
def _named(shared: bool, reaches_blocked: bool) -> Prepared[Select[Any]]:
    """Inboxes of the actors ``ids``."""
    columns: tuple[Any, ...] = (_inbox(shared).label("inbox"), actors.c.host)
    where = _reachable(reaches_blocked)
    return Prepared(lambda sql: select(*columns).where(sql.within(actors.c.id, "ids"), *where).order_by(actors.c.id))


@cache
def _crowd(everyone: bool, shared: bool, reaches_blocked: bool) -> Select[Any]:
    """Inboxes of followers (or of everybody known), each with the first id that leads there; in the order of those."""
    inbox, where = _inbox(shared), _reachable(reaches_blocked)
    first = func.min(actors.c.id if everyone else follows.c.id)
    columns: tuple[Any, ...] = (first.label("first"), inbox.label("inbox"), func.min(actors.c.host).label("host"))
    source = select(*columns)
    if not everyone:
        source = source.join_from(follows, actors, actors.c.id == follows.c.follower_id)
        where += (follows.c.followee_id == bindparam("author"), follows.c.accepted)
    beyond = first > bindparam("after")
    return source.where(*where).group_by(inbox).having(beyond).order_by(first).limit(bindparam("limit", type_=Integer))


def _inbox(shared: bool) -> ColumnElement[str]:
    return func.coalesce(actors.c.shared_inbox, actors.c.inbox) if shared else actors.c.inbox


def _reachable(reaches_blocked: bool) -> tuple[ColumnElement[bool], ...]:
    """Remote, neither suspended nor deleted, and neither blocked by the author nor blocking the author."""
    here = (
        actors.c.host != "",
        actors.c.inbox.is_not(None),
        actors.c.suspended_at.is_(None),
        actors.c.deleted_at.is_(None),
    )
    if reaches_blocked:
        return here
    author: BindParameter[Any] = bindparam("author")
    blocked = exists().where(
        or_(
            and_(blocks.c.actor_id == author, blocks.c.target_id == actors.c.id),
            and_(blocks.c.actor_id == actors.c.id, blocks.c.target_id == author),
        )
    )
    return (*here, ~blocked)
