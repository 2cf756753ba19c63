"""One open stream: a connection that was taken over from the HTTP server, and what its client subscribed to.

aiohttp keeps a task, a parser and the request for every connection (measured: 45 KB); a stream needs nothing of these
once its head is sent. So the transport is handed to a protocol of our own, which is a few slots and no task: writing
is a call, and reading happens when something comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from aiohttp import web

from fediverse.access import Credentials
from fediverse.streaming import framing
from fediverse.streaming.channels import Channel
from fediverse.streaming.framing import Frame, FrameError, Reader

#: What may wait for a reader beyond what the system's own buffers hold. Whoever reads slower than this is let go.
MAX_WAITING: Final = 256 * 1024
_LINGER_SECONDS: Final = 10.0


class Owner(Protocol):
    """Whoever answers for a stream's subscriptions."""

    def received(self, socket: WebSocket, message: bytes) -> None:
        """The client sent a text message."""

    def lost(self, socket: Socket) -> None:
        """The connection is gone."""


class Parcel:
    """An event as it goes to many sockets: each of its forms is made once, when the first one needs it."""

    __slots__ = ("_event", "_forms", "_payload")

    def __init__(self, event: str, payload: bytes) -> None:
        self._event = event
        self._payload = payload
        self._forms: dict[object, bytes] = {}

    def for_websocket(self, label: tuple[str, ...], dumps: Callable[[Any], bytes]) -> bytes:
        """The event as a message of the stream with that label."""
        form = self._forms.get(label)
        if form is None:
            message: dict[str, Any] = {"stream": label, "event": self._event}
            if self._payload:
                message["payload"] = self._payload.decode()
            form = self._forms[label] = framing.frame(framing.TEXT, dumps(message))
        return form

    def for_events(self) -> bytes:
        """The event as a server-sent event."""
        form = self._forms.get(None)
        if form is None:
            # Without any data no browser would tell of the event; "undefined" is what clients know from Mastodon.
            data = self._payload or b"undefined"
            form = self._forms[None] = framing.event(self._event, data)
        return form


class Socket(asyncio.Protocol):
    """A stream's connection. What is sent to it is written at once, or the connection ends."""

    __slots__ = ("_owner", "_transport", "address", "channels", "credentials", "waiting")

    def __init__(self, owner: Owner, credentials: Credentials | None, address: str) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self.credentials = credentials
        self.address = address
        #: What was subscribed to, by key.
        self.channels: dict[tuple[str, Any], Channel] = {}
        #: How many heartbeats were sent since the client was heard of last.
        self.waiting = 0

    @property
    def actor_id(self) -> int:
        """Whose stream it is; 0 for nobody's."""
        return self.credentials.actor_id if self.credentials is not None else 0

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands."""
        return self._transport is not None

    def take(self, request: web.Request) -> None:
        """The connection of a request whose answer has begun is this stream's. Raises ConnectionResetError."""
        protocol, transport = request.protocol, request.transport
        if transport is None:
            raise ConnectionResetError("The connection was lost.")
        self._transport = transport
        transport.set_protocol(self)
        # The HTTP server forgets the connection, as if it were gone, and leaves it open.
        protocol.transport = None
        protocol.connection_lost(None)

    def send(self, parcel: Parcel, channel: Channel) -> bool:
        """The event is on its way; False when the reader is too slow, and the connection ended."""
        raise NotImplementedError

    def beat(self) -> None:
        """The client, and whoever is in between, is told that the stream is alive."""
        raise NotImplementedError

    def close(self, code: int = framing.GOING_AWAY) -> None:
        """The stream is over, once what was written has gone out."""
        raise NotImplementedError

    def write(self, data: bytes) -> bool:
        """The bytes are on their way; False when they are not, and the connection has ended."""
        transport = self._transport
        if transport is None:
            return False
        if transport.get_write_buffer_size() + len(data) > MAX_WAITING:
            transport.abort()
            return False
        transport.write(data)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._transport is not None:
            self._transport = None
            self._owner.lost(self)

    def _end(self, last: bytes) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(last)
            transport.close()
            # Whoever does not read would never come to the end of what was written.
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, transport.abort)


class EventStream(Socket):
    """A stream of server-sent events: one subscription, and nothing that the client could say."""

    __slots__ = ()

    def send(self, parcel: Parcel, channel: Channel) -> bool:
        """The event is on its way."""
        return self.write(parcel.for_events())

    def beat(self) -> None:
        """A comment is on its way."""
        self.write(framing.THUMP)

    def close(self, code: int = framing.GOING_AWAY) -> None:
        """The body is complete."""
        self._end(framing.END)

    def data_received(self, data: bytes) -> None:
        """Whoever gets an answer without end has nothing more to ask on this connection."""
        self._end(framing.END)


class WebSocket(Socket):
    """A stream by WebSocket: any number of subscriptions, changed as the client says."""

    __slots__ = ("_dumps", "_reader", "budget", "queue")

    def __init__(
        self, owner: Owner, credentials: Credentials | None, address: str, *, dumps: Callable[[Any], bytes]
    ) -> None:
        super().__init__(owner, credentials, address)
        self._dumps = dumps
        self._reader: Reader | None = None
        #: How many messages the client may still send before the next heartbeat.
        self.budget = 0
        #: Messages that wait for one that is being worked on; None when none is.
        self.queue: list[bytes] | None = None

    def send(self, parcel: Parcel, channel: Channel) -> bool:
        """The event is on its way."""
        return self.write(parcel.for_websocket(channel.label, self._dumps))

    def say(self, message: dict[str, Any]) -> None:
        """A message that belongs to no stream is on its way, such as an error."""
        self.write(framing.frame(framing.TEXT, self._dumps(message)))

    def beat(self) -> None:
        """A ping is on its way; whoever answered none of the last two is taken for gone."""
        if self.waiting >= 2 and self._transport is not None:
            self._transport.abort()
            return
        self.waiting += 1
        self.write(_PING)

    def close(self, code: int = framing.GOING_AWAY) -> None:
        """The client is told why, and the connection ends."""
        self._end(framing.close_frame(code))

    def data_received(self, data: bytes) -> None:
        """Messages are handed on, pings answered."""
        self.waiting = 0
        reader = self._reader or Reader()
        try:
            frames = reader.feed(data)
        except FrameError as error:
            self.close(error.code)
            return
        # Between two messages there is nothing to remember.
        self._reader = None if reader.is_idle else reader
        for frame in frames:
            if self._transport is None or self._transport.is_closing():
                return
            self._received(frame)

    def _received(self, frame: Frame) -> None:
        if frame.opcode == framing.TEXT:
            self._owner.received(self, frame.data)
        elif frame.opcode == framing.PING:
            self.write(framing.frame(framing.PONG, frame.data))
        elif frame.opcode == framing.CLOSE:
            self._end(framing.frame(framing.CLOSE, frame.data[:2]))


_PING: Final = framing.frame(framing.PING, b"")


class Taken(web.StreamResponse):
    """What a handler returns for a connection that is the HTTP server's no more: nothing is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    @property
    def prepared(self) -> bool:
        """Its head was sent by somebody else."""
        return True

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Nothing is sent."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is sent."""
