"""The schema that migrations make is the one that the tables describe."""

from __future__ import annotations

from pathlib import Path

import orjson
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from fediverse import migrations, search
from fediverse.db import Database, sqlite_engine
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


def test_what_was_stored_survives_all_migrations(tmp_path: Path) -> None:
    """On SQLite, where tables are altered by making them anew: nothing that refers to their rows may go."""
    engine = sqlite_engine(f"sqlite:///{tmp_path / 'old.db'}", begin="BEGIN IMMEDIATE")
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            "INSERT INTO actors (id, username, fields, fields_source, also_known_as, created_at)"
            " VALUES (7, 'zoe', '[]', '[]', '[]', 1)",
            "INSERT INTO statuses (id, author_id, text, visibility, conversation_id, local, mentions, tags, emojis,"
            " attachments, created_at) VALUES (9, 7, 'ancient words', 0, 9, 1, '[]', '[]', '[]', '[]', 1)",
            "INSERT INTO favourites (id, actor_id, status_id, created_at) VALUES (5, 7, 9, 1)",
            "INSERT INTO notifications (id, actor_id, kind, from_actor_id, status_id, created_at)"
            " VALUES (4, 7, 'favourite', 7, 9, 1)",
        ):
            connection.execute(text(statement))
    assert migrations.upgrade(engine)
    with engine.begin() as tx:
        for table in ("actors", "statuses", "favourites", "notifications"):
            assert tx.scalar(text(f"SELECT count(*) FROM {table}")) == 1, table
        for waiting in tx.execute(text("SELECT payload FROM jobs WHERE kind = 'reindex'")).all():
            search.reindex_part(tx, orjson.loads(waiting.payload))
        assert "ancient words" in tx.scalar(text("SELECT words FROM status_words"))
        assert tx.scalar(text("PRAGMA foreign_keys")) == 1
    engine.dispose()
