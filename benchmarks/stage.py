"""What most benchmarks need: a fresh server with one account, other servers around it, and a way to measure a load."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks import machine, rows, server
from benchmarks.client import Client, Driven, drive
from benchmarks.identity import Document, Keys, Neighbourhood, Peer, follow, plain, signed_post
from benchmarks.machine import Meter, Reading, Tree
from benchmarks.report import CONTENDED, Figure
from benchmarks.server import BenchmarkError, Server
from benchmarks.sizes import Sizes

ACCOUNT = "alice"
_WAIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Setting:
    """How all benchmarks of a run are done. ``patience``: seconds to wait for a quiet machine before each load."""

    database: str
    sizes: Sizes
    patience: float


class Stage:
    """A running server with the account alice, and the peers."""

    def __init__(self, setting: Setting, running: Server, peers: Peers, token: str) -> None:
        self.sizes = setting.sizes
        self.server, self.peers = running, peers
        self.keys, self.hosts = peers.keys, peers.hosts
        self.client = Client(running.url)
        self.uri = f"{running.url}/users/{ACCOUNT}"
        self.handle = f"@{ACCOUNT}@127.0.0.1:{running.port}"
        self.tree = Tree(running.pids())
        self._patience = setting.patience
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def reconnect(self) -> None:
        """The requests that follow go over new connections."""
        self.client.close()
        self.client = Client(self.server.url)

    def get(self, path: str) -> bytes:
        """A request of the account's to the client API."""
        return plain("GET", self.server.url + path, headers=self._headers)

    def send(self, path: str, value: Document) -> bytes:
        """A request of the account's that changes something through the client API."""
        return plain("POST", self.server.url + path, headers=self._headers, body=orjson.dumps(value))

    def post(self, text: str) -> bytes:
        """A request that posts a Note."""
        body = orjson.dumps({"status": text, "visibility": "public"})
        return plain("POST", f"{self.server.url}/api/v1/statuses", headers=self._headers, body=body)

    def delivery(self, author: Peer, document: Document) -> bytes:
        """A signed request that brings the document to the shared inbox."""
        return signed_post(f"{self.server.url}/inbox", author, self.keys.of(author.name), document)

    async def json(self, request: bytes) -> Any:
        """What the server answers. Raises BenchmarkError when it refuses."""
        answer = await self.client.ask(request)
        if answer.status // 100 != 2:
            raise BenchmarkError(f"The server answered {answer.status}: {answer.body[:500].decode(errors='replace')}")
        return orjson.loads(answer.body)

    async def meet(self, peers: Sequence[Peer]) -> None:
        """The server knows these peers and their keys: each of them follows the account, and was accepted."""
        await self.peers.reset()
        requests = [self.delivery(peer, follow(peer, self.uri)) for peer in peers]
        checked(await drive(self.client, requests, at_once=4), len(peers))
        deadline = time.monotonic() + _WAIT_SECONDS
        while (await self.peers.types())["Accept"] < len(peers):
            if time.monotonic() > deadline:
                raise BenchmarkError(f"Not all of {len(peers)} follows were accepted within {_WAIT_SECONDS:.0f} s.")
            await asyncio.sleep(0.1)

    async def befriend(self, peers: Sequence[Peer]) -> None:
        """The server knows these peers, who follow the account and are followed by it."""
        await self.meet(peers)
        rows.follow(self.server.database, ACCOUNT, peers)

    async def measured(
        self, requests: Iterable[bytes], *, at_once: int = 1, seconds: float = float("inf"), aftermath: bool = True
    ) -> tuple[Driven, Reading]:
        """What came of the requests, and what they cost, with the work that follows the replies (``aftermath``)."""
        await self.tree.quiet()
        await machine.calm(self.tree, self.peers.tree, patience=self._patience, share=CONTENDED)
        meter = Meter(self.tree, self.peers.tree)
        driven = await drive(self.client, requests, at_once=at_once, seconds=seconds)
        if not aftermath:
            return driven, meter.stop()
        _, cpu = await self.tree.quiet()
        return driven, meter.stop(server_cpu=cpu)


def checked(driven: Driven, expected: int) -> None:
    """All requests were accepted. Raises BenchmarkError with the first refusal otherwise."""
    if driven.accepted != expected:
        raise BenchmarkError(f"{driven.accepted} of {expected} were accepted; the first refusal: {driven.refusal}")


def figure(what: str, driven: Driven, reading: Reading, *, count: int, bound: str | None, **detail: Any) -> Figure:
    """The cost of ``count`` things, in CPU seconds per 1,000, and how long the replies took."""
    shown = {
        "latency": driven.latency(),
        "replies_per_second": round(len(driven.latencies) / driven.seconds, 1),
        "others_share": round(reading.others, 3),
        "generator_cpu_s": round(reading.generator, 3),
        "peers_cpu_s": round(reading.peers, 3),
        "count": count,
    }
    value = reading.server * 1000 / count
    return Figure(what, value, bound=bound, contended=reading.others >= CONTENDED, detail=shown | detail)


class Peers:
    """The process of the other servers."""

    def __init__(self, process: subprocess.Popen[bytes], keys: Keys, hosts: Neighbourhood) -> None:
        self.keys, self.hosts = keys, hosts
        self.tree = Tree([process.pid])
        self._process = process
        self._url = f"http://{hosts.address(0)}:{hosts.port}"
        self._client = Client(self._url)

    async def reset(self) -> None:
        """Nothing was delivered yet."""
        await self._client.ask(plain("POST", f"{self._url}/-/reset", body=b""))

    async def types(self) -> Counter[str]:
        """How many activities of each type were delivered since the last reset."""
        return Counter(orjson.loads((await self._client.ask(plain("GET", f"{self._url}/-/types"))).body))

    async def records(self) -> dict[str, Any]:
        """Everything noted since the last reset: see ``peers.Records``."""
        found: dict[str, Any] = orjson.loads((await self._client.ask(plain("GET", f"{self._url}/-/records"))).body)
        return found

    def stop(self) -> None:
        """The process has ended."""
        self._client.close()
        self._process.terminate()
        self._process.wait(10)


async def _start_peers(sizes: Sizes) -> Peers:
    keys = Keys(sizes.keys)
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peers"],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(orjson.dumps({"hosts": sizes.hosts, "keys": keys.public()}))
    process.stdin.close()
    line = await asyncio.to_thread(process.stdout.readline)
    if not line:
        raise BenchmarkError("The peers did not start.")
    return Peers(process, keys, Neighbourhood(sizes.hosts, int(line)))


@asynccontextmanager
async def stage(setting: Setting) -> AsyncIterator[Stage]:
    """A fresh stage, taken down afterwards."""
    async with server.fresh(setting.database) as running:
        token = running.account(ACCOUNT)
        peers = await _start_peers(setting.sizes)
        try:
            await running.start()
            made = Stage(setting, running, peers, token)
            yield made
            made.client.close()
        finally:
            peers.stop()
