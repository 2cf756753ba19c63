"""Between processes: what was committed here is told there, and what was counted, through Redis or Valkey.

One channel carries everything, and nothing is kept: whoever was away has missed it. That is enough, since queues are
looked at every two seconds anyway, clients that stream read their timelines when they connect, and limits are counted
by each process for itself as well. So Redis may be away for a while, and nobody notices but the log.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog

from fediverse import counts, events
from fediverse.counts import Counts, Gathered
from fediverse.events import Event, Hub, Woken

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = structlog.get_logger(__name__)

_GATHER_SECONDS: Final = 0.01
_AT_ONCE: Final = 500
_MAX_WAITING: Final = 10_000
_PATIENCE_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = (0.2, 1.0, 5.0, 15.0)
_QUEUES: Final = ("received", "fanouts", "deliveries", "jobs")


class Relay:
    """Tells the other processes of an instance what happens here, and this one's hub what happens there.

    ``on_changes`` is called when something was changed there: what was read before may be out of date.
    """

    def __init__(
        self,
        url: str,
        name: str,
        hub: Hub,
        shared: Counts | None = None,
        *,
        on_changes: Callable[[], None] | None = None,
    ) -> None:
        self._url = url
        self._channel = f"fediverse:{name}"
        self._hub = hub
        self._counts = shared
        self._on_changes = on_changes
        self._origin = secrets.token_hex(8)
        self._waiting: deque[Event] = deque(maxlen=_MAX_WAITING)
        self._woken: set[str] = set()
        self._counted = Gathered()
        self._wake = asyncio.Event()
        #: Set while what happens elsewhere is heard here.
        self.listening = asyncio.Event()
        self._is_away = False
        hub.forward = self._forward
        if shared is not None:
            shared.share = self._count

    async def run(self) -> None:
        """Carries until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_up(self._publish))
                group.create_task(self._keep_up(self._listen))
        finally:
            self._hub.forward = None
            if self._counts is not None:
                self._counts.share = None

    def _forward(self, messages: Sequence[Any]) -> None:
        for message in messages:
            if isinstance(message, Woken):
                self._woken.add(message.queue)
            else:
                self._waiting.append(message)
        self._wake.set()

    def _count(self, key: str, expiry: float, amount: int) -> None:
        self._counted(key, expiry, amount)
        self._wake.set()

    async def _keep_up(self, work: Any) -> None:
        """The work goes on, with a new connection whenever the one before was lost."""
        failures = 0
        while True:
            client, began = connect(self._url), time.monotonic()
            try:
                await work(client)
            except Exception as error:
                if not is_away(error):
                    log.exception("relay.failed")
                elif not self._is_away:
                    self._is_away = True
                    log.error("relay.redis_away", reason=str(error))
                self._waiting.clear()  # what is told late would be news to nobody
                failures = 0 if time.monotonic() - began > _PATIENCE_SECONDS else failures + 1
                await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            finally:
                await _close(client)

    async def _publish(self, client: Redis) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._wake.clear()
            told = self._take()
            if told is not None:
                await client.publish(self._channel, orjson.dumps(told))
                self._works()

    def _take(self) -> dict[str, Any] | None:
        """What is to be told now, and is not told again, whether it arrives or not."""
        happened: list[Event] = [Woken(queue) for queue in self._woken]
        self._woken.clear()
        while self._waiting and len(happened) < _AT_ONCE:
            happened.append(self._waiting.popleft())
        if self._waiting:
            self._wake.set()
        counted = self._counted.take()
        if not happened and not counted:
            return None
        return {"from": self._origin, "events": [events.to_json(event) for event in happened], "counts": counted}

    async def _listen(self, client: Redis) -> None:
        channel = client.pubsub(ignore_subscribe_messages=True)
        try:
            await channel.subscribe(self._channel)
            self._works()
            self.listening.set()
            # What happened meanwhile was not told.
            self._hub.tell([Woken(queue) for queue in _QUEUES])
            while True:
                message = await channel.get_message(timeout=_PATIENCE_SECONDS)
                if message is None:
                    await channel.ping()  # a connection that died quietly is found out
                elif message["type"] == "message":
                    self._heard(message["data"])
        finally:
            self.listening.clear()
            await _close(channel)

    def _works(self) -> None:
        if self._is_away:
            self._is_away = False
            log.warning("relay.redis_back")

    def _heard(self, data: bytes) -> None:
        try:
            told = orjson.loads(data)
        except orjson.JSONDecodeError:
            return
        if not isinstance(told, dict) or told.get("from") == self._origin:
            return
        happened, counted = told.get("events"), told.get("counts")
        if isinstance(happened, list):
            known = [event for value in happened if (event := events.from_json(value)) is not None]
            if self._on_changes is not None and not all(isinstance(event, Woken) for event in known):
                self._on_changes()
            self._hub.tell(known)
        if isinstance(counted, dict) and self._counts is not None:
            counts.add_all(self._counts, counted)


def connect(url: str) -> Redis:
    """A client of the Redis or Valkey at the URL, which is asked when it is first used. Raises ValueError."""
    from redis.asyncio import Redis  # noqa: PLC0415 heavy, and not everybody needs it
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    return Redis.from_url(
        _as_redis(url),
        socket_connect_timeout=_PATIENCE_SECONDS,
        socket_timeout=2 * _PATIENCE_SECONDS,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),  # whoever asks tries again
    )


def is_away(error: Exception) -> bool:
    """Whether it is the server that fails, not this program."""
    from redis.exceptions import RedisError  # noqa: PLC0415 heavy, and not everybody needs it

    return isinstance(error, RedisError | OSError | TimeoutError)


def _as_redis(url: str) -> str:
    """Valkey speaks the protocol of Redis."""
    scheme, mark, rest = url.partition("://")
    return {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme) + mark + rest


async def _close(connection: Any) -> None:
    try:
        await connection.aclose()
    except Exception as error:
        if not is_away(error):
            log.exception("relay.close_failed")
