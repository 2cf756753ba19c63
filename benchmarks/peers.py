"""The other servers, in one light process: they tell who their accounts are, and note what is delivered to them.

Started by the benchmarks: ``python -m benchmarks.peers``, told on standard input how many hosts to be and with which
public keys. It answers questions of the benchmarks under ``/-/``.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import resource
import signal
import sys
import time
from collections import Counter
from typing import Any, cast
from urllib.parse import parse_qs

import orjson
import uvloop

from benchmarks.identity import ACTIVITY_JSON, Document, Neighbourhood, Peer, actor_document, note, number_of

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_HOST = re.compile(rb"\r\nhost: *([^\r]+)", re.IGNORECASE)
_ACCOUNT = re.compile(r"/users/((?:own|shared)[0-9]+)(?:/notes/([\w-]+))?")
_SAMPLES = 40


class Records:
    """What was delivered and asked since the last reset."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[float, str, str, str]] = []  # (monotonic time, inbox, type, the object's id)
        self.types: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.samples: list[tuple[str, str]] = []  # (head, body in base64) of the first Creates


class Servers:
    """All hosts: nothing but names tells them apart."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        self.records = Records()
        self._actors: dict[tuple[str, str], bytes] = {}

    def post(self, host: str, path: str, head: bytes, body: bytes) -> tuple[int, bytes]:
        """A delivery was noted, or the notes were thrown away."""
        records = self.records
        if path == "/-/reset":
            self.records = Records()
            return 200, b"{}"
        document = orjson.loads(body)
        kind, subject = document.get("type", ""), document.get("object")
        object_id = subject.get("id", "") if isinstance(subject, dict) else str(subject)
        records.types[kind] += 1
        records.deliveries.append((time.monotonic(), f"http://{host}{path}", kind, object_id))
        if kind == "Create" and len(records.samples) < _SAMPLES:
            records.samples.append((head.decode("latin-1"), base64.b64encode(body).decode()))
        return 202, b""

    def get(self, host: str, path: str) -> tuple[int, bytes]:
        """The document at an address."""
        path, _, query = path.partition("?")
        records = self.records
        if path == "/-/records":
            shown: dict[str, Any] = {"types": records.types, "asked": records.asked, "deliveries": records.deliveries}
            return 200, orjson.dumps({**shown, "samples": records.samples})
        if path == "/-/types":
            return 200, orjson.dumps(records.types)
        if path == "/.well-known/webfinger":
            records.asked["webfinger"] += 1
            return 200, orjson.dumps(_descriptor(host, parse_qs(query)["resource"][0]))
        found = _ACCOUNT.fullmatch(path)
        if not found:
            records.asked["nothing"] += 1
            return 404, b""
        peer = Peer(f"http://{host}", found[1])
        if found[2]:
            records.asked["note"] += 1
            return 200, orjson.dumps({"@context": "https://www.w3.org/ns/activitystreams", **note(peer, found[2])})
        records.asked["actor"] += 1
        kept = self._actors.get((host, peer.name))
        if kept is None:
            key = self.keys[number_of(peer.name) % len(self.keys)]
            kept = self._actors[host, peer.name] = orjson.dumps(actor_document(peer, key))
        return 200, kept


def _descriptor(host: str, resource_: str) -> Document:
    name = resource_.removeprefix("acct:").partition("@")[0].rsplit("/", 1)[-1]
    href = f"http://{host}/users/{name}"
    return {
        "subject": f"acct:{name}@{host}",
        "aliases": [href],
        "links": [{"rel": "self", "type": ACTIVITY_JSON, "href": href}],
    }


class _Connection(asyncio.Protocol):
    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            found = _LENGTH.search(head)
            total = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < total:
                return
            body = bytes(self._buffer[end + 4 : total])
            del self._buffer[:total]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        method, path, _ = head[: head.index(b"\r\n")].decode("latin-1").split(" ")
        named = _HOST.search(head)
        host = named[1].decode() if named else ""
        if method == "POST":
            status, answer = self._servers.post(host, path, head, body)
        else:
            status, answer = self._servers.get(host, path)
        kind = "application/jrd+json" if path.startswith("/.well-known/") else ACTIVITY_JSON
        first = f"HTTP/1.1 {status} \r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n"
        self._transport.write(first.encode() + answer)


async def _run(hosts: int, keys: list[str]) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loop, servers = asyncio.get_running_loop(), Servers(keys)

    def connection() -> _Connection:
        return _Connection(servers)

    first = await loop.create_server(connection, Neighbourhood(hosts, 0).address(0), 0, backlog=1024)
    port = first.sockets[0].getsockname()[1]
    for number in range(1, hosts):
        await loop.create_server(connection, Neighbourhood(hosts, port).address(number), port, backlog=1024)
    print(port, flush=True)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    # Whoever started this and died without a word: then this is nobody's any more.
    parent = os.getppid()
    while not stopped.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stopped.wait(), 2)
        except TimeoutError:
            continue


if __name__ == "__main__":
    told = orjson.loads(sys.stdin.buffer.read())
    uvloop.run(_run(told["hosts"], told["keys"]))
