"""Fedify servers: a subprocess that starts as many as tests ask for, and what a test says to one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "peers" / "fedify" / "main.mjs"

CAVAGE = "draft-cavage-http-signatures-12"
RFC9421 = "rfc9421"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


def require() -> str:
    """The path of Node. Skips the module where the peer cannot run, or fails it where everything has to be tested."""
    node = shutil.which("node")
    missing = ""
    if node is None:
        missing = "Node is not on this machine: the Fedify peer was not tested"
    elif not (ROOT / "node_modules" / "@fedify" / "fedify").is_dir():
        missing = "Fedify is not installed (npm install): the Fedify peer was not tested"
    if missing and os.environ.get("TEST_ALL") == "1":
        pytest.fail(missing, pytrace=False)
    if missing or node is None:
        pytest.skip(missing, allow_module_level=True)
    return node


@contextmanager
def process() -> Iterator[str]:
    """The URL that starts Fedify servers, for as long as the context lasts."""
    command = [require(), "--no-warnings", str(SCRIPT)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        try:
            line = node.stdout.readline().split()
            assert line[:1] == ["READY"], f"The Fedify peer did not start: node ended with {node.poll()}"
            yield line[1]
        finally:
            node.stdin.close()  # its sign to end
            node.terminate()


@dataclass
class Fedify:
    """A Fedify server."""

    url: str
    dialect: str
    http: aiohttp.ClientSession

    def uri(self, name: str = "carol") -> str:
        """An actor's id."""
        return f"{self.url}/users/{name}"

    def handle(self, name: str = "carol") -> str:
        """``@name@host:port``."""
        return f"@{name}@{self.url.removeprefix('http://')}"

    async def do(self, command: str, *, by: str = "carol", **params: Any) -> Any:
        """What the command of ``commands.mjs`` answered; fails the test with Fedify's own words if it failed."""
        status, answer = await self._command(command, by, params)
        assert status == 200, f"Fedify: {command} {params}: {answer['error']}"
        return answer

    async def refused(self, command: str, *, by: str = "carol", **params: Any) -> str:
        """Fedify's words on why the command failed; fails the test if it did not."""
        status, answer = await self._command(command, by, params)
        assert status == 500, f"Fedify: {command} {params} succeeded: {answer}"
        return str(answer["error"])

    async def _command(self, command: str, by: str, params: dict[str, Any]) -> tuple[int, Any]:
        async with self.http.post(f"{self.url}/control/{command}", json={"as": by, **params}) as response:
            return response.status, await response.json()

    async def report(self) -> Any:
        """Everything that happened on this server."""
        async with self.http.get(f"{self.url}/control") as response:
            return await response.json()

    async def received(self, kind: str, object_kind: str | None = None) -> list[Any]:
        """The verified activities of this type, as Fedify understood them, in order."""
        return [
            one
            for one in (await self.report())["received"]
            if one["type"] == kind and (object_kind is None or (one["object"] or {}).get("type") == object_kind)
        ]


async def start(control: str, http: aiohttp.ClientSession, dialect: str) -> Fedify:
    """A new Fedify server that signs in this dialect first and takes nothing that is signed in the other."""
    async with http.post(f"{control}/servers", json={"firstKnock": dialect, "accepts": dialect}) as response:
        answer = await response.json()
        assert response.status == 200, answer
        return Fedify(answer["url"], dialect, http)


async def stop(control: str, peer: Fedify) -> None:
    """The server has ended."""
    async with peer.http.delete(f"{control}/servers", params={"url": peer.url}) as response:
        assert response.status == 204
