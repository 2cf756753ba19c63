"""Days when what the instance stands on is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fediverse.db import postgres_engine
from fediverse.migrations import upgrade
from tests.support import postgres
from tests.support.instance import running


async def test_a_database_that_is_away_for_a_while_is_waited_for(tmp_path: Path, database_kind: str) -> None:
    if database_kind == "sqlite" or postgres.programs() is None:
        pytest.skip("needs a PostgreSQL server that may be stopped: SQLite is a file, which is never away")
    cluster = postgres.Cluster()
    await asyncio.to_thread(cluster.start)
    try:
        url = postgres.create(cluster.url, "away")
        engine = postgres_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        upgrade(engine)
        engine.dispose()
        async with running(url, tmp_path) as instance:
            alice = await instance.account("alice")
            await instance.post(alice, "before")
            await asyncio.to_thread(cluster.stop)
            for method, path in (("GET", "/api/v1/timelines/home"), ("POST", "/api/v1/statuses")):
                refused = await instance.call(method, path, by=alice, status=503, data={"status": "lost"})
                assert "try again" in refused["error"]
            async with instance.http.get(f"{instance.url}/readyz") as answer:
                assert answer.status == 503
            async with instance.http.get(f"{instance.url}/healthz") as answer:
                assert answer.status == 200
            async with instance.http.get(f"{instance.url}/public", headers={"Accept": "text/html"}) as answer:
                assert answer.status == 503
                assert "try again" in await answer.text()
            await asyncio.to_thread(cluster.start)
            await instance.post(alice, "after")
            assert [status["content"] for status in await instance.home(alice)] == ["<p>after</p>", "<p>before</p>"]
    finally:
        await asyncio.to_thread(cluster.stop)
        cluster.remove()
