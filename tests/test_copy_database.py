"""An instance moves to another database with everything that it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, select

from fediverse.db import postgres_engine, sqlite_engine
from fediverse.migrations import upgrade
from fediverse.tables import metadata
from tests.support.instance import running
from tools.copy_database import CopyError, copy


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        return sqlite_engine(url, begin="BEGIN IMMEDIATE")
    return postgres_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def _rows(tx: Connection) -> dict[str, list[dict[str, object]]]:
    return {
        table.name: sorted((dict(row) for row in tx.execute(select(table)).mappings()), key=repr)
        for table in metadata.sorted_tables
    }


async def _filled(path: Path, folder: Path) -> None:
    """A SQLite database of an instance that was used."""
    async with running(f"sqlite:///{path}", folder) as instance:
        alice, bob = await instance.account("alice", role="owner"), await instance.account("bob")
        await instance.follow(bob, "@alice")
        post = await instance.post(alice, "Hello @bob, an #umlaut: ü, an emoji: 👩‍🚀", spoiler_text="greeting")
        await instance.call("POST", f"/api/v1/statuses/{post['id']}/favourite", by=bob)
        await instance.post(bob, "@alice Hello", in_reply_to_id=post["id"])
        await instance.tick()


async def test_every_row_arrives(new_database: Callable[[], str], tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    engine = sqlite_engine(f"sqlite:///{path}", begin="BEGIN IMMEDIATE")
    upgrade(engine)
    await _filled(path, tmp_path)
    target = _engine(new_database())
    with engine.begin() as old, target.begin() as new:
        counts = copy(old, new)
        before = _rows(old)
    with target.begin() as new:
        assert _rows(new) == before
    assert counts["statuses"] == 2
    assert counts["actors"] == 3  # alice, bob, the instance's own
    assert counts["notifications"] >= 3
    with engine.begin() as old, target.begin() as new, pytest.raises(CopyError, match="not empty"):
        copy(old, new)
    engine.dispose()
    target.dispose()


def test_a_database_of_another_revision_is_refused(new_database: Callable[[], str], tmp_path: Path) -> None:
    old = sqlite_engine(f"sqlite:///{tmp_path / 'old.db'}", begin="BEGIN IMMEDIATE")
    target = _engine(new_database())
    with old.begin() as empty, target.begin() as new, pytest.raises(CopyError, match="revision none"):
        copy(empty, new)
    old.dispose()
    target.dispose()
