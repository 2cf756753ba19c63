"""What the commands share: settings, and units of work on the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from fediverse import migrations
from fediverse.db import Database, open_database, postgres_engine, sqlite_engine
from fediverse.settings import Settings, SettingsError, load

P = ParamSpec("P")
T = TypeVar("T")


def settings_for(*, host: str | None = None, port: int | None = None) -> Settings:
    """The settings; without a base URL of their own, that of the address that is served."""
    settings = load()
    if "base_url" in settings.model_fields_set or host is None:
        return settings
    shown = f"[{host}]" if ":" in host else host
    return load(base_url=f"http://{shown}:{port}")


def migrate(settings: Settings) -> bool:
    """The database is at the newest revision; False when it was already."""
    if settings.is_sqlite:
        engine = sqlite_engine(settings.database, begin="BEGIN IMMEDIATE")
    else:
        engine = postgres_engine(settings.database)
    try:
        return migrations.upgrade(engine)
    finally:
        engine.dispose()


def run(settings: Settings, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What one unit of work returns, on a database that is brought up to date first if it is SQLite."""
    if settings.is_sqlite:
        migrate(settings)

    async def once() -> T:
        database = open_database(settings.database)
        try:
            if not settings.is_sqlite:
                await require_current(database)
            return await database.write(fn, *args, **kwargs)
        finally:
            await database.close()

    return asyncio.run(once())


async def require_current(database: Database) -> None:
    """Raises SettingsError, with what to do, when the database is not at this program's revision."""
    found = await database.read(migrations.revision)
    if found != migrations.HEAD:
        raise SettingsError(
            f"The database is at revision {found or 'none'}, this program needs {migrations.HEAD}: "
            "run 'fediverse db upgrade'."
        )
