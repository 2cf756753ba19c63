"""The schema that migrations make is the one that the tables describe."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from fediverse import migrations
from fediverse.db import Database
from fediverse.tables import metadata


async def test_migrations_make_the_tables(database: Database) -> None:
    def differences(tx: Connection) -> list[object]:
        context = MigrationContext.configure(tx, opts={"compare_type": True, "compare_server_default": False})
        # The search's own tables are not the same on both databases, and SQLite has hidden ones behind them.
        apart = ("alembic_version", "status_words", "actor_words")
        return [entry for entry in compare_metadata(context, metadata) if not any(name in str(entry) for name in apart)]

    assert await database.read(differences) == []


async def test_the_revision_is_written_down(database: Database) -> None:
    assert await database.read(migrations.revision) == migrations.HEAD

    def forget(tx: Connection) -> None:
        tx.execute(text("DELETE FROM alembic_version"))

    def remember(tx: Connection) -> None:
        tx.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": migrations.HEAD})

    await database.write(forget)
    assert await database.read(migrations.revision) is None
    await database.write(remember)  # the database is used again
