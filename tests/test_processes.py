"""An instance as processes: stopped without losing anybody, and spread over several on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.peers.scripted import Server, serving
from tests.support.process import Process, eventually


async def test_a_stop_finishes_what_was_begun(new_database: Callable[[], str], tmp_path: Path) -> None:
    process = Process(new_database(), tmp_path)
    alice = await process.account("alice")
    async with AsyncExitStack() as stack:
        slow: Server = await stack.enter_async_context(serving())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        stack.callback(process.kill)
        await process.start()
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def webfinger(_request: web.Request) -> web.Response:
            asked.set()
            await go_on.wait()
            return web.Response(status=404)

        slow.scripts["/.well-known/webfinger"] = webfinger
        posting = asyncio.create_task(
            http.post(
                f"{process.url}/api/v1/statuses",
                json={"status": f"@somebody@{slow.host} are you there?"},
                headers=alice.headers,
            )
        )
        await asyncio.wait_for(asked.wait(), 30)
        process.ask_to_stop()
        await asyncio.sleep(0.3)
        with pytest.raises(aiohttp.ClientError):
            await http.get(f"{process.url}/readyz")
        go_on.set()
        answer = await posting
        assert answer.status == 200, "who was being served is served to the end"
        assert await process.ended() == 0
        await process.start()
        async with http.get(f"{process.url}/api/v1/accounts/{alice.id}/statuses", headers=alice.headers) as kept:
            assert [status["id"] for status in await kept.json()] == [(await answer.json())["id"]]


async def test_one_process_serves_and_another_works(
    new_database: Callable[[], str], tmp_path: Path, database_kind: str
) -> None:
    if database_kind == "sqlite":
        pytest.skip("on SQLite one process does everything; that another is refused is tested elsewhere")
    process = Process(new_database(), tmp_path)
    alice = await process.account("alice")
    async with AsyncExitStack() as stack:
        peer: Server = await stack.enter_async_context(serving())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        stack.callback(process.kill)
        await process.start("--no-worker")
        bob = peer.actor("bob")
        assert await peer.send(bob, f"{alice.uri}/inbox", bob.activity("Follow", alice.uri)) == 202
        async with http.post(
            f"{process.url}/api/v1/statuses", json={"status": "hello"}, headers=alice.headers
        ) as answer:
            assert answer.status == 200
        await asyncio.sleep(0.5)
        assert peer.types() == [], "nobody works yet"
        worker = process.start_worker()
        stack.callback(worker.kill)

        async def accepted() -> bool:
            return "Accept" in peer.types()

        await eventually(accepted, seconds=30)
        async with http.post(
            f"{process.url}/api/v1/statuses", json={"status": "hello again"}, headers=alice.headers
        ) as answer:
            assert answer.status == 200

        async def delivered() -> bool:
            return "Create" in peer.types()

        await eventually(delivered, seconds=30)
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, 60) == 0
