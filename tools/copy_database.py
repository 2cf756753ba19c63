"""Moves an instance from SQLite to PostgreSQL: every row, in one transaction.

    FEDIVERSE_DATABASE_URL=postgresql://… python -m tools.copy_database

The SQLite file in the data folder is read and stays as it is. The PostgreSQL database must be empty but for its
tables, which ``fediverse db upgrade`` makes.
"""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, func, insert, select, text

from fediverse import migrations, search
from fediverse.db import postgres_engine, sqlite_engine
from fediverse.settings import Settings, SettingsError, load
from fediverse.tables import metadata

_ROWS = 1000


class CopyError(Exception):
    """The rows cannot be copied; the message is for the operator."""


def copy(source: Connection, target: Connection) -> dict[str, int]:
    """Every row of ``source`` is in ``target``: how many, by table.

    Both must be at this program's revision, and ``target`` without rows. Raises CopyError otherwise.
    """
    for name, tx in (("source", source), ("target", target)):
        found = migrations.revision(tx)
        if found != migrations.HEAD:
            raise CopyError(
                f"The {name} database is at revision {found or 'none'}, not {migrations.HEAD}: "
                "run 'fediverse db upgrade' on it."
            )
    filled = [table.name for table in metadata.sorted_tables if target.execute(select(table).limit(1)).first()]
    if filled:
        raise CopyError(f"The target database is not empty ({', '.join(filled)}): take a new one.")
    counts = {table.name: _copy_table(source, target, table) for table in metadata.sorted_tables}
    search.refresh_all(target)  # the index is written anew: each database has a form of its own
    return counts


def _copy_table(source: Connection, target: Connection, table: Table) -> int:
    copied = 0
    rows = source.execution_options(yield_per=_ROWS).execute(select(table))
    for part in rows.mappings().partitions(_ROWS):
        target.execute(insert(table), [dict(row) for row in part])
        copied += len(part)
    if copied != target.scalar(select(func.count()).select_from(table)):
        raise CopyError(f"Not every row of {table.name} arrived: nothing was changed.")
    return copied


@contextmanager
def _nobody_serves(settings: Settings) -> Iterator[None]:
    with (settings.data_dir / "serve.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CopyError(f"A 'fediverse serve' is using {settings.data_dir}: stop it first.") from None
        yield


def _run(settings: Settings) -> None:
    file = settings.data_dir / "fediverse.db"
    if settings.is_sqlite:
        raise CopyError("FEDIVERSE_DATABASE_URL must name the PostgreSQL database to copy to.")
    if not file.exists():
        raise CopyError(f"There is no {file}: set FEDIVERSE_DATA_DIR to the folder of the SQLite database.")
    source, target = sqlite_engine(f"sqlite:///{file}", begin="BEGIN"), postgres_engine(settings.database)
    try:
        with _nobody_serves(settings), source.begin() as old, target.begin() as new:
            counts = copy(old, new)
        with target.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    finally:
        source.dispose()
        target.dispose()
    print(f"Copied {sum(counts.values())} rows of {len(counts)} tables.")


def main() -> None:
    """Copies as the settings say; what is wrong is told in a sentence."""
    try:
        _run(load())
    except (CopyError, SettingsError) as error:
        print(f"copy_database: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
