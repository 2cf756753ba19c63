"""Clients of the streams, as tests use them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from tests.support.instance import Account, Instance

SECONDS = 10


class Stream:
    """An open WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def subscribe(self, stream: str, **params: str) -> None:
        """Subscribes, and waits until the server has done it."""
        await self.send(type="subscribe", stream=stream, **params)
        await self.settled()

    async def send(self, **message: Any) -> None:
        """Sends a message."""
        await self.socket.send_json(message)

    async def settled(self) -> None:
        """What was sent has been dealt with: errors come in order."""
        await self.send(type="probe")
        answer = await self.next()
        assert answer["status"] == 400, answer

    async def next(self) -> Any:
        """The next message."""
        message = await self.socket.receive(SECONDS)
        assert message.type == aiohttp.WSMsgType.TEXT, message
        return orjson.loads(message.data)

    async def events(self, count: int) -> list[tuple[str, str, Any]]:
        """The next events: stream, event, payload."""
        found = []
        for _ in range(count):
            message = await self.next()
            payload = message.get("payload")
            assert payload is None or isinstance(payload, str)
            found.append((message["stream"][0], message["event"], read_payload(payload)))
        return found

    async def closed(self) -> int | None:
        """The code with which the server ends the connection."""
        while (await self.socket.receive(SECONDS)).type == aiohttp.WSMsgType.TEXT:
            pass
        return self.socket.close_code


def read_payload(payload: str | None) -> Any:
    """The value that a payload stands for."""
    return orjson.loads(payload) if payload and payload[0] in "{[" else payload


@asynccontextmanager
async def listening(instance: Instance, by: Account | None = None, **params: str) -> AsyncIterator[Stream]:
    """A WebSocket that is subscribed to what ``params`` say."""
    query = {**params, **({"access_token": by.token} if by else {})}
    async with instance.http.ws_connect(f"{instance.url}/api/v1/streaming", params=query) as socket:
        stream = Stream(socket)
        await stream.settled()
        yield stream


class Events:
    """Server-sent events, read as the HTML standard says."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> tuple[str, Any]:
        """The next event and its payload."""
        name = data = ""
        while True:
            async with asyncio.timeout(SECONDS):
                line = (await self.response.content.readline()).decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
            elif not line and name:
                return name, read_payload(data)
            else:
                assert line in {":thump", ""}, line


@asynccontextmanager
async def events(instance: Instance, path: str, by: Account | None = None) -> AsyncIterator[Events]:
    """An event stream."""
    async with instance.http.get(
        f"{instance.url}/api/v1/streaming/{path}", headers=by.headers if by else {}
    ) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Events(response)
