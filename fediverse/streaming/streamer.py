"""What happened goes to those who listen: one reader and one writer for all sockets of a process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson
import structlog

from fediverse import access, clock, lists, metrics
from fediverse.db import Database
from fediverse.errors import NotFound, Unavailable
from fediverse.events import AccessChanged, Event, Hub
from fediverse.site import Site
from fediverse.streaming import framing, news
from fediverse.streaming.board import Board
from fediverse.streaming.channels import LIST, USER, Channel, Refused, channel, hears_notifications
from fediverse.streaming.news import Delivery
from fediverse.streaming.sockets import Parcel, Socket, WebSocket

log = structlog.get_logger(__name__)

BEAT_SECONDS: Final = 15.0
#: Events that wait to be read. More than these are forgotten: clients read their timelines anew when they reconnect.
MAX_PENDING: Final = 10_000
_AT_ONCE: Final = 64
_WRITES: Final = 250  # between two looks at what else there is to do
_RECHECK_BEATS: Final = 2
_MAX_SUBSCRIPTIONS: Final = 64
_MESSAGES_A_BEAT: Final = 120
_TOLD_TO_FEW: Final = frozenset({"notification", "notifications_merged"})


class Streamer:
    """The open streams of a process, and the task that serves them."""

    def __init__(self, database: Database, hub: Hub, site: Site) -> None:
        self.board = Board()
        self._database = database
        self._site = site
        self._pending: deque[Event] = deque()
        self._suspects: set[Socket] = set()
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost_some = False
        for kind in news.HEARD:
            hub.listen(kind, self._heard)
        hub.listen(AccessChanged, self._access_changed)

    async def run(self) -> None:
        """Serves until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve())
            group.create_task(self._beat())

    def close(self) -> None:
        """Every stream is over."""
        for socket in self.board.sockets():
            socket.close()
        for task in self._tasks:
            task.cancel()

    def open(self, socket: Socket) -> None:
        """The socket is served from now on."""
        self.board.add(socket)
        metrics.STREAMS.set(len(self.board))
        if isinstance(socket, WebSocket):
            socket.budget = _MESSAGES_A_BEAT

    def lost(self, socket: Socket) -> None:
        """The socket is gone."""
        self.board.remove(socket)
        self._suspects.discard(socket)
        metrics.STREAMS.set(len(self.board))

    async def subscribe(self, socket: Socket, name: object, params: dict[str, Any]) -> None:
        """The socket gets the stream of that name. Raises Refused, Unavailable."""
        wanted = await self.admit(socket, name, params)
        if socket.is_open:
            self.board.subscribe(socket, wanted)

    async def admit(self, socket: Socket, name: object, params: dict[str, Any]) -> Channel:
        """The stream of that name, which the socket may subscribe to. Raises Refused, Unavailable."""
        wanted = channel(name, params, socket.credentials)
        if wanted.key not in socket.channels and len(socket.channels) >= _MAX_SUBSCRIPTIONS:
            raise Refused(f"At most {_MAX_SUBSCRIPTIONS} streams can be subscribed to by one connection", 429)
        if wanted.name == LIST:
            try:
                await self._database.read(lists.get, socket.actor_id, wanted.key[1])
            except NotFound:
                raise Refused("There is no such list of yours", 404) from None
        return wanted

    def received(self, socket: WebSocket, message: bytes) -> None:
        """What a client asks for is done, in the order in which it asks."""
        socket.budget -= 1
        if socket.budget < 0:
            socket.close(framing.POLICY)
        elif socket.queue is not None:
            socket.queue.append(message)
        else:
            socket.queue = [message]
            task = asyncio.get_running_loop().create_task(self._obey(socket))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _obey(self, socket: WebSocket) -> None:
        while socket.queue:
            message = socket.queue.pop(0)
            try:
                await self._do(socket, message)
            except Refused as error:
                socket.say({"error": error.message, "status": error.status})
            except Unavailable as error:
                socket.say({"error": error.message, "status": error.status})
        socket.queue = None

    async def _do(self, socket: WebSocket, message: bytes) -> None:
        try:
            asked = orjson.loads(message)
        except orjson.JSONDecodeError:
            raise Refused("The message is not JSON", 400) from None
        if not isinstance(asked, dict):
            raise Refused("The message is not a JSON object", 400)
        match asked.get("type"):
            case "subscribe":
                await self.subscribe(socket, asked.get("stream"), asked)
            case "unsubscribe":
                self.board.unsubscribe(socket, channel(asked.get("stream"), asked, socket.credentials).key)
            case _:
                raise Refused("The message has no “type” that is known: subscribe or unsubscribe", 400)

    def _heard(self, event: Event) -> None:
        if not len(self.board) or not news.matters(event, self.board.interest()):
            return
        if len(self._pending) < MAX_PENDING:
            self._pending.append(event)
            self._wake.set()
        elif not self._lost_some:
            self._lost_some = True
            log.warning("streaming.events_lost", waiting=len(self._pending))

    def _access_changed(self, event: AccessChanged) -> None:
        for socket in self.board.sockets():
            who = socket.credentials
            if who is not None and (
                (event.token_id and who.token_id == event.token_id)
                or (event.person_id and who.person_id == event.person_id)
                or (event.actor_id and who.actor_id == event.actor_id)
            ):
                self._suspects.add(socket)
                self._wake.set()

    async def _serve(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                # First who may hear at all: what was written meanwhile is not for whoever was shut out.
                while self._suspects:
                    await self._recheck([self._suspects.pop() for _ in range(len(self._suspects))])
                while self._pending:
                    batch = [self._pending.popleft() for _ in range(min(_AT_ONCE, len(self._pending)))]
                    await self._tell_what_can_be_told(batch)
                    if self._suspects:
                        self._wake.set()
                        break
                self._lost_some = False
            except Exception:
                log.exception("streaming.failed")
                await asyncio.sleep(1)

    async def _tell_what_can_be_told(self, events: Sequence[Event]) -> None:
        """All of them are told at once; where that fails each by itself, so that none keeps the others back."""
        try:
            await self._tell(events)
        except Unavailable:
            log.warning("streaming.events_lost", waiting=len(events))
        except Exception as error:
            if len(events) == 1:
                log.exception("streaming.event_failed", kind=type(events[0]).__name__)
                return
            log.warning("streaming.batch_failed", reason=repr(error))
            for event in events:
                await self._tell_what_can_be_told([event])

    async def _tell(self, events: Sequence[Event]) -> None:
        interest = self.board.interest()
        deliveries = await self._database.read(news.read, events, interest, self._site, now=clock.now())
        written = 0
        for delivery in deliveries:
            for socket, parcel, subscribed in self._addressed(delivery):
                if socket.send(parcel, subscribed):
                    metrics.STREAMED.inc()
                else:
                    metrics.STREAMS_DROPPED.inc()
                written += 1
                if not written % _WRITES:
                    await asyncio.sleep(0)

    def _addressed(self, delivery: Delivery) -> Iterator[tuple[Socket, Parcel, Channel]]:
        parcels: dict[bytes, Parcel] = {}
        for key in delivery.keys:
            to_few = key[0] == USER and delivery.event in _TOLD_TO_FEW
            for socket in list(self.board.listening(key)):
                payload = delivery.payloads.of(socket.actor_id)
                subscribed = socket.channels.get(key)
                if payload is None or subscribed is None or (to_few and not hears_notifications(socket.credentials)):
                    continue
                parcel = parcels.get(payload)
                if parcel is None:
                    parcel = parcels[payload] = Parcel(delivery.event, payload)
                yield socket, parcel, subscribed

    async def _beat(self) -> None:
        beats = 0
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            beats += 1
            try:
                await self.beat()
                if not beats % _RECHECK_BEATS:
                    await self._recheck(self.board.sockets())
            except Exception:
                log.exception("streaming.beat_failed")

    async def beat(self) -> None:
        """Every socket is told that it is alive, and whoever did not answer for two times is let go."""
        for number, socket in enumerate(self.board.sockets(), 1):
            if isinstance(socket, WebSocket):
                socket.budget = _MESSAGES_A_BEAT
            socket.beat()
            if not number % _WRITES:
                await asyncio.sleep(0)

    async def recheck(self) -> None:
        """Whoever's token opens nothing any more is let go."""
        await self._recheck(self.board.sockets())

    async def _recheck(self, sockets: Iterable[Socket]) -> None:
        checked = [(socket, socket.credentials.token_id) for socket in sockets if socket.credentials is not None]
        if not checked:
            return
        with suppress(Unavailable):
            lasting = await self._database.read(access.lasting, {token_id for _, token_id in checked})
            for socket, token_id in checked:
                if token_id not in lasting:
                    self.board.remove(socket)
                    socket.close(framing.POLICY)
