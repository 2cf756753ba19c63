"""From an audience to inboxes: the fan-out writes one delivery per distinct inbox.

Small audiences are done in the transaction that claims them. Of large ones that transaction writes those who are meant
by name. The crowd is read beside the writer and written 500 at a time, the cursor moved in the same transaction,
several fan-outs taking turns: a post to a million followers holds up neither the next post nor anybody's mention.
What was written before a crash is not written again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Connection, Row

from fediverse import clock, events, moderation
from fediverse.clock import Instant
from fediverse.db import Database
from fediverse.outbox import deliveries, hosts, publish
from fediverse.outbox.deliveries import NewDelivery
from fediverse.outbox.publish import Plan
from fediverse.outbox.recipients import Open, Recipient, addressed, is_small, recipients, remaining
from fediverse.remote import RemoteError, target
from fediverse.urls import Urls

CHUNK = 500
READ_AHEAD = 10_000
CLAIM = 8
_READ_TOGETHER = 16


@dataclass(slots=True)
class Begun:
    """How many fan-outs were claimed, how many deliveries written, and the fan-outs that are not finished by that."""

    claimed: int = 0
    written: int = 0
    unfinished: list[Open] = field(default_factory=list)


def begin(tx: Connection, urls: Urls, *, now: Instant) -> Begun:
    """Due fan-outs are claimed; small ones are done, and of large ones those who are meant by name are written.

    The caller sees to it that somebody looks for the deliveries.
    """
    rows = publish.claim_fanout(tx, now=now, limit=CLAIM)
    begun = Begun(claimed=len(rows))
    for row in rows:
        fan = _open(row)
        # Eight of 500 each would hold up the writer for longer than one chunk may.
        if begun.written < CHUNK and is_small(tx, fan, most=CHUNK):
            (chunk,) = recipients(tx, [fan], limit=CHUNK)
            last = True
        else:
            chunk = remaining(fan, addressed(tx, fan))[:CHUNK] if begun.written < CHUNK else []
            last = False
            begun.unfinished.append(fan)
        if chunk or last:
            begun.written += _write(tx, urls, fan, chunk=chunk, last=last, now=now) or 0
            fan.cursor = _after(fan, chunk)
    return begun


def write_chunk(tx: Connection, urls: Urls, fan: Open, *, chunk: Sequence[Recipient], last: bool, now: Instant) -> bool:
    """Deliveries to these recipients are due, and the cursor is past them; False when another has the fan-out now."""
    written = _write(tx, urls, fan, chunk=chunk, last=last, now=now)
    if written:
        events.after_commit(tx, events.Woken("deliveries"))
    return written is not None


def _write(
    tx: Connection, urls: Urls, fan: Open, *, chunk: Sequence[Recipient], last: bool, now: Instant
) -> int | None:
    """How many deliveries were written; None when somebody claimed the fan-out later, and writes them."""
    if last:
        ours = publish.finish_fanout(tx, fan.id, attempts=fan.attempts)
    else:
        ours = publish.move_cursor(tx, fan.id, attempts=fan.attempts, cursor=_after(fan, chunk), now=now)
    if not ours:
        return None
    new = _permitted(tx, urls, fan, chunk, now=now)
    deliveries.add(tx, new, now=now)
    if last and publish.has_fanout_about(tx, fan.object_key):
        events.after_commit(tx, events.Woken("fanouts"))  # it waited for this one
    return len(new)


def _after(fan: Open, chunk: Sequence[Recipient]) -> int:
    return chunk[-1].key if chunk else fan.cursor


def _open(row: Row[Any]) -> Open:
    return Open(row.id, row.object_key, cast(Plan, row.audience), row.cursor, row.attempts)


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
    """Works through the fan-outs that were begun and not finished: one chunk of each, in turn."""

    def __init__(self, database: Database, urls: Urls) -> None:
        self._database = database
        self._urls = urls
        self._open: deque[Open] = deque()
        #: Set when there is something to do.
        self.waker = asyncio.Event()

    def take(self, unfinished: Sequence[Open]) -> None:
        """These are worked through from now on."""
        if unfinished:
            # One whose lease had ended was claimed again: the older copy is behind.
            again = {fan.id for fan in unfinished}
            self._open = deque([*(fan for fan in self._open if fan.id not in again), *unfinished])
            self.waker.set()

    async def step(self) -> bool:
        """One fan-out got its next chunk; False when there was nothing to do."""
        if not self._open:
            return False
        fan = self._open.popleft()
        # Should this fail, the lease ends, and the fan-out is claimed again where its cursor stands.
        if not fan.ahead:
            await self._read_ahead(fan)
        chunk, rest = fan.ahead[:CHUNK], fan.ahead[CHUNK:]
        last = fan.complete and not rest
        ours = await self._database.write(write_chunk, self._urls, fan, chunk=chunk, last=last, now=clock.now())
        if ours and not last and all(other.id != fan.id for other in self._open):
            fan.ahead, fan.cursor = rest, _after(fan, chunk)
            self._open.append(fan)
        return True

    async def _read_ahead(self, fan: Open) -> None:
        """The fan-out has recipients at hand, and so have others that begin with the same ones.

        Who posts much to many has several fan-outs waiting: finding their recipients is most of their cost.
        """
        alike = [other for other in self._open if not other.ahead and fan.has_crowd and other.crowd == fan.crowd]
        together = [fan, *alike[: _READ_TOGETHER - 1]]
        found = await self._database.read(recipients, together, limit=READ_AHEAD)
        for one, ahead in zip(together, found, strict=True):
            one.ahead = ahead
            one.complete = len(ahead) < READ_AHEAD
