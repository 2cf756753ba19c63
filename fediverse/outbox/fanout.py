"""From an audience to inboxes: the fan-out writes one delivery per distinct inbox.

Small audiences are done in the transaction that claims them. Large ones are written 500 at a time, the cursor moved in
the same transaction, several of them taking turns, so that a post to a million followers holds up nobody's mention.
Recipients are keyed by the first follow that leads to their inbox: whatever was written before a crash is not written
again, and a shared inbox comes up once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
)

from fediverse import clock, events, moderation
from fediverse.clock import Instant
from fediverse.db import Database
from fediverse.outbox import deliveries, hosts, publish
from fediverse.outbox.deliveries import NewDelivery
from fediverse.outbox.publish import Plan
from fediverse.remote import RemoteError, target
from fediverse.tables.actors import actors, blocks, follows
from fediverse.urls import Urls

CHUNK = 500
READ_AHEAD = 10_000
_CLAIM = 8
# These must reach somebody whom the author blocks: they say so, or take back what was sent before.
_REACHES_BLOCKED = frozenset({"Block", "Undo", "Reject", "Delete"})
_FOLLOWERS_START = 1  # ids are far larger; cursors up to 0 count the addressed ones, downwards


@dataclass(frozen=True, slots=True)
class Recipient:
    """An inbox, the cursor's value once it is written, and the handle's host where one is known."""

    key: int
    inbox: str
    host: str
    priority: int


@dataclass(slots=True)
class Open:
    """A fan-out that is not finished: how far it has come, and recipients that were read ahead."""

    id: int
    object_key: str
    plan: Plan
    cursor: int
    ahead: list[Recipient] = field(default_factory=list)
    # Nothing comes after ``ahead``.
    complete: bool = False


def begin(tx: Connection, urls: Urls, *, now: Instant) -> tuple[int, list[Open]]:
    """Due fan-outs are claimed and their first chunks written: (how many were claimed, those not finished by that)."""
    rows = publish.claim_fanout(tx, now=now, limit=_CLAIM)
    unfinished = []
    written = 0
    for row in rows:
        fan = _open(row)
        if written < CHUNK:
            first = recipients(tx, fan, limit=CHUNK + 1)
            last = len(first) <= CHUNK
            write_chunk(tx, urls, fan, chunk=first[:CHUNK], last=last, now=now)
            written += min(len(first), CHUNK)
            if last:
                continue
            fan.cursor = first[CHUNK - 1].key
        unfinished.append(fan)
    return len(rows), unfinished


def write_chunk(tx: Connection, urls: Urls, fan: Open, *, chunk: Sequence[Recipient], last: bool, now: Instant) -> None:
    """Deliveries to these recipients are due, and the cursor has moved past them."""
    deliveries.add(tx, _permitted(tx, urls, fan, chunk, now=now), now=now)
    if chunk:
        events.after_commit(tx, events.Woken("deliveries"))
    if last:
        publish.finish_fanout(tx, fan.id)
        if publish.has_fanout_about(tx, fan.object_key):
            events.after_commit(tx, events.Woken("fanouts"))  # it waited for this one
    else:
        publish.move_cursor(tx, fan.id, cursor=chunk[-1].key if chunk else fan.cursor, now=now)


def recipients(tx: Connection, fan: Open, *, limit: int) -> list[Recipient]:
    """The next recipients after the cursor, those addressed first; fewer than ``limit`` when there are no more."""
    addressed = _addressed(tx, fan)
    found = addressed[-fan.cursor :][:limit] if fan.cursor <= 0 else []
    room = limit - len(found)
    if room and (fan.plan["followers"] or fan.plan["everyone_known"]):
        seen = {recipient.inbox for recipient in addressed}
        # As many more as may turn out to be addressed already.
        rows = tx.execute(
            _crowd(fan.plan["everyone_known"], fan.plan["shared"], fan.plan["type"] in _REACHES_BLOCKED),
            {
                "author": fan.plan["actor_id"],
                "after": max(fan.cursor, _FOLLOWERS_START),
                "limit": room + len(seen),
            },
        ).all()
        crowd = [Recipient(row.first, row.inbox, row.host, 1) for row in rows if row.inbox not in seen]
        found += crowd[:room]
    return found


def _open(row: Row[Any]) -> Open:
    return Open(id=row.id, object_key=row.object_key, plan=cast(Plan, row.audience), cursor=row.cursor)


def _addressed(tx: Connection, fan: Open) -> list[Recipient]:
    """Those who are meant by name: always in the same order, so that a negative cursor counts them."""
    known: list[tuple[str, str]] = []
    if fan.plan["actors"]:
        rows = tx.execute(
            _named(fan.plan["shared"], fan.plan["type"] in _REACHES_BLOCKED),
            {"ids": fan.plan["actors"], "author": fan.plan["actor_id"]},
        )
        known = [(row.inbox, row.host) for row in rows]
    known += [(inbox, "") for inbox in fan.plan["inboxes"]]
    distinct = dict(reversed(known))
    ordered = dict.fromkeys(inbox for inbox, _ in known)
    return [Recipient(-n, inbox, distinct[inbox], 0) for n, inbox in enumerate(ordered, start=1)]


@cache
def _named(shared: bool, reaches_blocked: bool) -> Select[Any]:
    """Inboxes of the actors ``ids``."""
    columns: tuple[Any, ...] = (_inbox(shared).label("inbox"), actors.c.host)
    named = actors.c.id.in_(bindparam("ids", expanding=True))
    return select(*columns).where(named, *_reachable(reaches_blocked)).order_by(actors.c.id)


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


def _permitted(tx: Connection, urls: Urls, fan: Open, chunk: Sequence[Recipient], *, now: Instant) -> list[NewDelivery]:
    """Deliveries for those of the chunk whose server is not ours, not blocked, and not dead for public posts."""
    found = [(recipient, _host(recipient.inbox)) for recipient in chunk if not urls.is_local(recipient.inbox)]
    names = {host for _, host in found if host} | {recipient.host for recipient, _ in found if recipient.host}
    refused = moderation.blocked_among(tx, names)
    if fan.plan["public"]:
        refused |= hosts.dead(tx, names, now=now)
    return [
        NewDelivery(fan.id, fan.plan["actor_id"], host, recipient.inbox, fan.object_key, recipient.priority)
        for recipient, host in found
        if host and host not in refused and recipient.host not in refused
    ]


def _host(inbox: str) -> str:
    """Host and port that an inbox is at; empty when it is no address that is ever called."""
    try:
        return target(inbox).authority
    except RemoteError:
        return ""


class Fanout:
    """Works through fan-outs: new ones first, then one chunk of a large one, in turn."""

    def __init__(self, database: Database, urls: Urls) -> None:
        self._database = database
        self._urls = urls
        self._open: deque[Open] = deque()

    async def step(self) -> bool:
        """As :meth:`advance`; whether there may be more to do at once."""
        return await self.advance() >= _CLAIM or bool(self._open)

    async def advance(self) -> int:
        """Due fan-outs were begun, and one that is open got its next chunk; 0 when there was nothing to do."""
        claimed, unfinished = await self._database.write(begin, self._urls, now=clock.now())
        if unfinished:
            # One whose lease had ended was claimed again: the older copy is behind.
            again = {fan.id for fan in unfinished}
            self._open = deque([fan for fan in self._open if fan.id not in again] + unfinished)
        if not self._open:
            return claimed
        fan = self._open.popleft()
        if not await self._advance(fan):
            self._open.append(fan)
        return claimed + 1

    async def _advance(self, fan: Open) -> bool:
        if not fan.ahead:
            fan.ahead = await self._database.read(recipients, fan, limit=READ_AHEAD)
            fan.complete = len(fan.ahead) < READ_AHEAD
        chunk, rest = fan.ahead[:CHUNK], fan.ahead[CHUNK:]
        last = fan.complete and not rest
        try:
            await self._database.write(write_chunk, self._urls, fan, chunk=chunk, last=last, now=clock.now())
        except Exception:
            # Its lease ends, and it is taken up again where its cursor stands.
            fan.ahead = []
            raise
        fan.ahead = rest
        fan.cursor = chunk[-1].key if chunk else fan.cursor
        return last
