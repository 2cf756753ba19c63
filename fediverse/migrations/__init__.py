"""The schema's history, forward only. Alembic is imported only when there is something to migrate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

_SCRIPTS = Path(__file__).parent / "versions"
# The newest revision, by the names of the scripts: 0002_what_changes.py. A test holds it against what Alembic says.
HEAD = max(script.name.partition("_")[0] for script in _SCRIPTS.glob("[0-9]*_*.py"))

_LOCK = 0x66656469  # one migration at a time on PostgreSQL


def revision(tx: Connection) -> str | None:
    """The revision of this database; None before its first migration."""
    if not inspect(tx).has_table("alembic_version"):
        return None
    found: str | None = tx.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def upgrade(engine: Engine) -> bool:
    """The database is at the newest revision; False when it was already.

    All of it is one transaction: an interrupted migration leaves the database as it was, and can be run again.
    """
    with engine.connect() as connection:
        with connection.begin():
            if revision(connection) == HEAD:
                return False
        from alembic import command  # noqa: PLC0415 heavy, and needed once per release
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.attributes["connection"] = connection
        with _without_cascades(connection), connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            command.upgrade(config, "head")
            _check_references(connection)
    return True


@contextmanager
def _without_cascades(connection: Connection) -> Iterator[None]:
    """On SQLite a table that is made anew takes nothing with it.

    There a table is altered by copying it, and dropping the old one deletes its rows: while foreign keys are heeded,
    whatever refers to them is deleted too. They can be switched between transactions only.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _check_references(connection: Connection) -> None:
    """Everything that is referred to is still there. Raises RuntimeError, and the migration is undone."""
    if connection.dialect.name == "sqlite":
        lost = connection.execute(text("PRAGMA foreign_key_check")).first()
        if lost is not None:
            raise RuntimeError(f"A migration would leave a row of {lost[0]} that refers to nothing in {lost[2]}.")
