"""A worker's turns: one transaction settles what is finished and claims more, threads sign it, the lanes send it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection

from fediverse import clock, instance, queue
from fediverse.actors.signing import load_key
from fediverse.clock import Instant
from fediverse.db import Database
from fediverse.errors import FediverseError
from fediverse.outbox import deliveries, fanout, ledger, sending
from fediverse.outbox.deliveries import Claimed
from fediverse.outbox.fanout import Begun
from fediverse.outbox.hosts import HostState
from fediverse.outbox.lanes import HELD, Allowed, Lanes
from fediverse.outbox.ledger import Ledger
from fediverse.outbox.retry import PUBLIC_LIFETIME
from fediverse.outbox.sending import Job, Poster
from fediverse.remote import RemoteError, target
from fediverse.signatures import CannotSign, SigningKey
from fediverse.tables.outbox import deliveries as table
from fediverse.urls import Urls

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 0.1
SIGN_TOGETHER = 64
RENEW_SECONDS = 10.0
_CACHED_KEYS = 1000
_CACHED_DOCUMENTS = 200


@dataclass(frozen=True, slots=True)
class Document:
    """What an activity's deliveries send, byte for byte, and for how long."""

    body: bytes
    created_at: Instant
    expires_at: Instant


@dataclass(slots=True)
class Turn:
    """What a turn's transaction brought. A sender whose key cannot be had is missing in ``keys``."""

    rows: list[Claimed] = field(default_factory=list)
    states: dict[str, HostState] = field(default_factory=dict)
    documents: dict[int, Document] = field(default_factory=dict)
    keys: dict[int, SigningKey] = field(default_factory=dict)
    cursor: str = ""
    more: bool = False
    cut: bool = False
    begun: Begun = field(default_factory=Begun)


@dataclass(frozen=True, slots=True)
class Request:
    """What a turn is to do. ``known_keys`` and ``known_documents`` need not be loaded again.

    ``fan_out``: begin the fan-outs that are due, and claim what they write.
    """

    settle: Ledger
    renew: list[int]
    room: int
    cursor: str
    busy: list[str]
    allowed: Callable[[], Allowed]
    known_keys: Collection[int]
    known_documents: Collection[int]
    fan_out: bool


def take_turn(tx: Connection, request: Request, *, urls: Urls, secret: bytes, now: Instant) -> Turn:
    """The ledger is settled, leases are renewed, and due rows are claimed with all that sending them takes."""
    ledger.settle(tx, request.settle, now=now)
    queue.renew(tx, table, request.renew, now=now)
    begun = fanout.begin(tx, urls, now=now) if request.fan_out else Begun()
    if not request.room:
        return Turn(cursor=request.cursor, cut=True, begun=begun)
    found = deliveries.claim(
        tx, now=now, cursor=request.cursor, room=request.room, busy=request.busy, allowed=request.allowed()
    )
    if found.rows and not request.known_keys:
        # The first that this process sends: from now on other servers know this one by its names.
        instance.freeze_names(tx, urls)
    activity_ids = {row.activity_id for row in found.rows}.difference(request.known_documents)
    actor_ids = {row.actor_id for row in found.rows}.difference(request.known_keys)
    return Turn(
        rows=found.rows,
        states=found.states,
        documents={
            id_: Document(row.document, row.created_at, row.expires_at)
            for id_, row in deliveries.documents(tx, activity_ids).items()
        },
        keys=_signing_keys(tx, actor_ids, urls=urls, secret=secret),
        cursor=found.cursor,
        more=found.more,
        cut=found.cut or bool(request.busy),
        begun=begun,
    )


class Dispatcher:
    """Holds claimed deliveries until they are settled. ``on_outcomes`` is told how many ended how."""

    def __init__(
        self,
        database: Database,
        poster: Poster,
        waker: asyncio.Event,
        *,
        urls: Urls,
        secret: bytes,
        rng: random.Random | None = None,
        on_outcomes: Callable[[dict[str, int]], None] | None = None,
    ) -> None:
        self._database = database
        self._poster = poster
        self._waker = waker
        self._urls = urls
        self._secret = secret
        self._rng = rng
        self._on_outcomes = on_outcomes
        self._lanes = Lanes(self._send, self._release, self._changed)
        self._ledger = Ledger()
        self._timer: asyncio.TimerHandle | None = None
        self._cursor = ""
        self._cut = False
        self._renewed_at = time.monotonic()
        self._keys: dict[int, SigningKey] = {}
        self._documents: dict[int, Document] = {}
        self._stopping = False
        # Two turns at once would each fill the room there is.
        self._taking_turn = asyncio.Lock()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is held and nothing waits to be settled."""
        return not self._lanes.held and not self._ledger.size

    async def turn(self) -> int:
        """What was finished is settled and what is due was claimed and begun; how many rows were claimed."""
        async with self._taking_turn:
            began_at = self._cursor
            got = await self._take_turn()
            while not got.rows and not self._stopping and (got.more or began_at):
                # On to hosts farther down the alphabet, and once from its beginning.
                began_at = began_at if got.more else ""
                got = await self._take_turn()
            await self._use(got)
            return len(got.rows)

    async def fan_out(self) -> tuple[Begun, int]:
        """Fan-outs that are due were begun; what came of that, and how many deliveries were claimed with it.

        As a turn of its own, one transaction for both, unless a turn is under way: new posts do not wait for that.
        """
        if self._taking_turn.locked():
            begun = await self._database.write(fanout.begin, self._urls, now=clock.now())
            if begun.written:
                self._waker.set()
            return begun, 0
        async with self._taking_turn:
            began_at = self._cursor
            got = await self._take_turn(fan_out=True)
            await self._use(got)
        if got.begun.written and (began_at or got.more or got.cut):
            self._waker.set()  # they may be due at hosts that this turn did not come to
        return got.begun, len(got.rows)

    async def step(self) -> bool:
        """As :meth:`turn`; whether there may be more to claim at once."""
        began_at = self._cursor
        claimed = await self.turn()
        return claimed > 0 and bool(self._cursor or began_at) and self._lanes.room >= HELD // 4

    async def wait_for_change(self) -> None:
        """Returns when a request has come to its end, or at once when none is under way."""
        await self._lanes.wait_for_change()

    def close(self) -> None:
        """Nothing is begun any more; what was not begun is given back with the next turn."""
        self._stopping = True
        self._lanes.give_all_back()

    async def drain(self) -> None:
        """What was under way is finished and settled. Raises Unavailable when the database is away."""
        await self._lanes.drain()
        while self._ledger.size:
            await self._take_turn()

    async def _take_turn(self, *, fan_out: bool = False) -> Turn:
        settling = Ledger()
        if not (fan_out and self._ledger.can_wait):
            # Not successes with every post: the timer gathers those of many.
            settling, self._ledger = self._ledger, settling
        request = Request(
            settle=settling,
            renew=self._due_for_renewal(),
            room=0 if self._stopping else self._lanes.room,
            cursor=self._cursor,
            busy=self._lanes.busy(),
            allowed=self._lanes.allowance(),
            known_keys=frozenset(self._keys),
            known_documents=frozenset(self._documents),
            fan_out=fan_out,
        )
        try:
            got = await self._database.write(take_turn, request, urls=self._urls, secret=self._secret, now=clock.now())
        except Exception:
            settling.merge(self._ledger)
            self._ledger = settling
            raise
        self._cursor = got.cursor if got.more else ""
        self._cut = got.cut
        if self._on_outcomes is not None and settling.size:
            self._on_outcomes(settling.outcomes())
        return got

    async def _use(self, got: Turn) -> None:
        await self._begin(got)
        self._keep(got)

    def _keep(self, got: Turn) -> None:
        """Keys and documents stay at hand. Both are immutable, so only their number matters."""
        self._keys.update(got.keys)
        self._documents.update(got.documents)
        for cached, most in ((self._keys, _CACHED_KEYS), (self._documents, _CACHED_DOCUMENTS)):
            while len(cached) > most:
                del cached[next(iter(cached))]  # the oldest: a dict keeps its order

    async def _begin(self, got: Turn) -> None:
        if self._stopping:
            self._ledger.released += [row.id for row in got.rows]
            return
        now = clock.now()
        ready: list[Job] = []
        for row in got.rows:
            document = got.documents.get(row.activity_id) or self._documents.get(row.activity_id)
            key = got.keys.get(row.actor_id) or self._keys.get(row.actor_id)
            if document is None or document.expires_at <= now:
                self._ledger.dead[row.id] = "expired before it could be delivered"
            elif key is None:
                self._ledger.dead[row.id] = "the sender has no key here any more"
            else:
                job = _job(row, document, key, got.states[row.host].dialect)
                if job is None:
                    self._ledger.dead[row.id] = "the inbox is no address that can be called"
                else:
                    ready.append(job)
        for start in range(0, len(ready), SIGN_TOGETHER):
            batch = ready[start : start + SIGN_TOGETHER]
            await sending.sign(batch)
            if self._stopping:
                self._release(ready[start:])
                break
            for job in batch:
                self._lanes.add(job, got.states[job.row.host])
        if self._ledger.size:
            self._changed()

    async def _send(self, job: Job) -> bool:
        sent = await sending.send(self._poster, job, rng=self._rng)
        # Now, not before: the ledger may have been handed in for settling meanwhile.
        self._ledger.enter(sent)
        return not sent.failed

    def _release(self, jobs: Iterable[Job]) -> None:
        self._ledger.released += [job.row.id for job in jobs]

    def _changed(self) -> None:
        """A turn comes soon: at once when many rows wait to be settled, or lanes are idle that could be used.

        Else in 100 ms, with what else is finished or published by then.
        """
        if self._ledger.size >= ledger.SETTLE_ROWS or (self._cut and not self._lanes.held):
            self._waker.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._ledger.size or self._cut or self._cursor:  # else a turn has seen to it meanwhile
            self._waker.set()

    def _due_for_renewal(self) -> list[int]:
        """Rows held for long: a lease lasts 30 s, and a slow host may take longer for what is held of it."""
        now = time.monotonic()
        if now - self._renewed_at < RENEW_SECONDS:
            return []
        self._renewed_at = now
        return [id_ for id_, job in self._lanes.held.items() if now - job.claimed_at > RENEW_SECONDS / 2]


def _job(row: Claimed, document: Document, key: SigningKey, dialect: str) -> Job | None:
    try:
        url = target(row.inbox).url
    except RemoteError:
        return None
    return Job(
        row=row,
        url=url,
        body=document.body,
        key=key,
        created_at=document.created_at,
        private=document.expires_at - document.created_at > PUBLIC_LIFETIME,
        dialect=dialect,
        claimed_at=time.monotonic(),
    )


def _signing_keys(tx: Connection, actor_ids: Iterable[int], *, urls: Urls, secret: bytes) -> dict[int, SigningKey]:
    """The RSA keys of local actors. Each is loaded once in a process, so a query for each does no harm."""
    keys: dict[int, SigningKey] = {}
    for actor_id in actor_ids:
        try:
            keys[actor_id] = load_key(tx, urls, actor_id, secret=secret)
        except (FediverseError, CannotSign) as error:
            log.error("delivery.no_key", actor_id=actor_id, error=str(error))
    return keys
