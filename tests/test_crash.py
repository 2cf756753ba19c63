"""kill -9 at any instant: what was acknowledged is delivered, what was taken in has its effect, nothing twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.peers.scripted import Actor, Server, serving
from tests.support.instance import Account
from tests.support.process import Process, eventually


class Ordeal:
    """An instance that is killed again and again while it is posted to from both sides."""

    def __init__(self, process: Process, alice: Account, followers: list[Actor], http: aiohttp.ClientSession) -> None:
        self.process = process
        self.alice = alice
        self.followers = followers
        self.http = http
        self.acknowledged: set[str] = set()
        self.attempted: set[str] = set()
        self.accepted: set[str] = set()
        self.done = False

    async def follow(self) -> None:
        """Every follower follows alice, and was let in."""
        for follower in self.followers:
            follow = follower.activity("Follow", self.alice.uri)
            assert await follower.server.send(follower, f"{self.alice.uri}/inbox", follow) == 202

        async def all_in() -> bool:
            return all("Accept" in follower.server.types() for follower in self.followers)

        await eventually(all_in)

    async def post(self, count: int) -> None:
        """alice posts; a post whose answer was lost is not repeated."""
        for number in range(count):
            text = f"post {number}"
            self.attempted.add(text)
            try:
                async with self.http.post(
                    f"{self.process.url}/api/v1/statuses", json={"status": text}, headers=self.alice.headers
                ) as answer:
                    if answer.status == 200:
                        self.acknowledged.add((await answer.json())["uri"])
            except aiohttp.ClientError:
                await asyncio.sleep(0.2)

    async def mention(self, count: int) -> None:
        """The followers mention alice; like any server they send again what was not taken in."""
        for number in range(count):
            author = self.followers[number % len(self.followers)]
            note = author.mention(self.alice.uri, f"mention {number}")
            create = author.activity("Create", note)
            while True:
                try:
                    status = await author.server.send(author, f"{self.process.url}/inbox", create)
                except aiohttp.ClientError:
                    await asyncio.sleep(0.2)
                    continue
                if status == 202:
                    self.accepted.add(note["id"])
                    break
                assert status == 503, f"refused with {status}"

    async def kill_at_random(self, rng: random.Random, kills: int) -> None:
        """The server dies at moments that the seed decides, and is started again."""
        for _ in range(kills):
            await asyncio.sleep(rng.uniform(0.02, 1.2))
            self.process.kill()
            await self.process.start()
        self.done = True

    async def pages(self, path: str) -> list[Any]:
        """Everything that the API lists at ``path``, page by page."""
        found: list[Any] = []
        bound = ""
        while True:
            query = f"{path}{'&' if '?' in path else '?'}limit=40{bound}"
            async with self.http.get(self.process.url + query, headers=self.alice.headers) as answer:
                page = await answer.json()
            if not page:
                return found
            found += page
            bound = f"&max_id={page[-1]['id']}"

    async def check(self) -> None:
        """What was promised holds."""
        await eventually(self._all_delivered, seconds=90)
        await eventually(self._all_applied, seconds=60)
        for follower in self.followers:
            sent = [one.body for one in follower.server.received if one.body["type"] == "Create"]
            ids: dict[str, set[str]] = {}
            for create in sent:
                ids.setdefault(create["object"]["id"], set()).add(create["id"])
            assert all(len(creates) == 1 for creates in ids.values()), "one Note, two Creates"
        own = await self.pages(f"/api/v1/accounts/{self.alice.id}/statuses")
        assert max(Counter(status["content"] for status in own).values()) == 1, "a post appears twice"
        assert self.acknowledged <= {status["uri"] for status in own}
        assert {status["content"] for status in own} <= {f"<p>{text}</p>" for text in self.attempted}
        told = await self.pages("/api/v1/notifications?types[]=mention")
        assert Counter(entry["status"]["uri"] for entry in told) == Counter(self.accepted)

    async def _all_delivered(self) -> bool:
        return all(
            self.acknowledged
            <= {one.body["object"]["id"] for one in follower.server.received if one.body["type"] == "Create"}
            for follower in self.followers
        )

    async def _all_applied(self) -> bool:
        told = await self.pages("/api/v1/notifications?types[]=mention")
        return self.accepted <= {entry["status"]["uri"] for entry in told}


async def endure(database_url: str, folder: Path, *, seed: int, posts: int, kills: int) -> None:
    """The ordeal with a given seed."""
    process = Process(database_url, folder)
    alice = await process.account("alice")
    async with AsyncExitStack() as stack:
        servers: list[Server] = [await stack.enter_async_context(serving()) for _ in range(3)]
        http = await stack.enter_async_context(aiohttp.ClientSession())
        stack.callback(process.kill)
        await process.start()
        followers = [server.actor(f"reader{number}") for number, server in enumerate(servers)]
        ordeal = Ordeal(process, alice, followers, http)
        await ordeal.follow()
        rng = random.Random(seed)
        await asyncio.gather(ordeal.post(posts), ordeal.mention(posts), ordeal.kill_at_random(rng, kills))
        await ordeal.check()
        assert ordeal.acknowledged, "nothing was acknowledged at all"
        assert await process.stop() == 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_few_kills(new_database: Callable[[], str], tmp_path: Path, seed: int) -> None:
    await endure(new_database(), tmp_path, seed=seed, posts=30, kills=3)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10, 14))
async def test_many_kills(new_database: Callable[[], str], tmp_path: Path, seed: int) -> None:
    await endure(new_database(), tmp_path, seed=seed, posts=250, kills=20)
