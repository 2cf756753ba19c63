"""Transactions: grouped, isolated from one another, and honest about what was committed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, exc, select, text

from fediverse import db, loading, statuses
from fediverse.db import Database, open_database
from fediverse.drafts import NoteDraft
from fediverse.errors import Invalid, Unavailable
from fediverse.tables.statuses import HEAD
from fediverse.tables.statuses import statuses as posts
from tests.support import world


def put(tx: Connection, name: str) -> str:
    tx.execute(text("INSERT INTO instance (name, value) VALUES (:name, '1')"), {"name": name})
    return name


def names(tx: Connection) -> list[str]:
    return list(tx.scalars(text("SELECT name FROM instance ORDER BY name")))


async def test_what_is_written_is_read_afterwards(database: Database) -> None:
    assert await database.write(put, "a") == "a"
    assert await database.read(names) == ["a"]


async def test_one_failing_write_does_not_touch_the_others(database: Database) -> None:
    def fail(tx: Connection) -> None:
        put(tx, "never")
        raise Invalid("no")

    results = await asyncio.gather(
        *(database.write(put, f"n{n:02}") for n in range(20)),
        database.write(fail),
        *(database.write(put, f"n{n:02}") for n in range(20, 40)),
        return_exceptions=True,
    )
    assert [type(result) for result in results if not isinstance(result, str)] == [Invalid]
    assert await database.read(names) == [f"n{n:02}" for n in range(40)]


async def test_a_statement_that_fails_fails_only_its_own_write(database: Database) -> None:
    results = await asyncio.gather(
        *(database.write(put, "same") for _ in range(3)), database.write(put, "other"), return_exceptions=True
    )
    assert sum(isinstance(result, str) for result in results) == 2
    assert await database.read(names) == ["other", "same"]


async def test_messages_are_told_after_the_commit_and_not_after_a_rollback(new_database: Callable[[], str]) -> None:
    told: list[object] = []
    url = new_database().replace("postgresql://", "postgresql+psycopg://")
    database = open_database(url, told.extend)

    def succeed(tx: Connection) -> None:
        put(tx, "kept")
        db.after_commit(tx, "kept")
        assert told == [], "not before the commit"

    def fail(tx: Connection) -> None:
        db.after_commit(tx, "dropped")
        raise Invalid("no")

    await asyncio.gather(
        database.write(succeed), database.write(fail), database.write(put, "silent"), return_exceptions=True
    )
    await database.close()
    assert told == ["kept"]


async def test_a_database_that_cannot_be_reached_is_unavailable_and_comes_back(new_database: Callable[[], str]) -> None:
    url = new_database()
    if url.startswith("sqlite"):
        pytest.skip("SQLite is a file: it cannot be away")
    admin = open_database(url.replace("postgresql://", "postgresql+psycopg://"))
    database = open_database(url.replace("postgresql://", "postgresql+psycopg://"))
    await database.write(put, "before")

    def end_others(tx: Connection) -> None:
        tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    await admin.write(end_others)
    assert await database.read(names) == ["before"], "a lost connection is made anew"
    await admin.write(end_others)
    assert await database.write(put, "after") == "after"
    await database.close()
    await admin.close()
    nowhere = open_database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable, match="again"):
        await nowhere.read(names)
    with pytest.raises(Unavailable, match="again"):
        await nowhere.write(put, "x")
    await nowhere.close()


async def test_a_statement_that_takes_too_long_is_not_tried_again(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has no limit on how long a statement takes")
    runs = 0

    def endless(tx: Connection) -> None:
        nonlocal runs
        runs += 1
        tx.execute(text("SET LOCAL statement_timeout = 50"))
        tx.execute(text("SELECT pg_sleep(10)"))

    with pytest.raises(exc.OperationalError, match="statement timeout"):
        await database.write(endless)
    assert runs == 1
    assert await database.write(put, "after") == "after"


async def test_reads_see_one_moment(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("On PostgreSQL each statement sees what is committed; no read here depends on more")
    started, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def twice(tx: Connection) -> tuple[int, int]:
        first = len(names(tx))
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
        return first, len(names(tx))

    reading = asyncio.create_task(database.read(twice))
    await started.wait()
    await database.write(put, "meanwhile")
    go_on.set()
    assert await reading == (0, 0)


async def test_a_new_sqlite_file_and_its_log_are_for_their_owner_only(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        database = open_database(f"sqlite:///{tmp_path}/new/fediverse.db")
        await database.write(lambda tx: tx.execute(text("CREATE TABLE a (b)")).close())
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()}
        await database.close()
    finally:
        os.umask(mask)
    assert modes["fediverse.db"] == modes["fediverse.db-wal"] == 0o600


async def test_what_was_rolled_back_is_shown_to_nobody(database: Database) -> None:
    def edit(words: str, *, fail: bool) -> Callable[[Connection], None]:
        def unit(tx: Connection) -> None:
            status = statuses.by_id(tx, made.id)
            assert status is not None
            draft = NoteDraft(text=words)
            row = statuses.edit(tx, world.URLS, status, draft, author=alice, mentions=[], now=status.created_at + 5)
            assert loading.status(tx, row, None).status.text == words
            assert loading.whole(tx, [row])[0].text == words
            if fail:
                raise Invalid("no")

        return unit

    alice = await database.write(world.local, "alice")
    made = await database.write(world.post, alice, "first")
    with pytest.raises(Invalid):
        await database.write(edit("never said", fail=True))
    await database.write(edit("said", fail=False))

    def read(tx: Connection) -> str:
        [status] = loading.whole(tx, tx.execute(select(*HEAD).where(posts.c.id == made.id)).all())
        return str(status.text)

    assert await database.read(read) == "said"
