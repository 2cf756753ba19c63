"""What all tables share: one metadata object, constraint names that migrations can rely on, common columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Text, false, text, true

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key() -> Column[int]:
    """The primary key: an id from ``fediverse.ids``, never counted up by the database."""
    return Column("id", BigInteger, primary_key=True, autoincrement=False)


def words(name: str, *arguments: Any, **options: Any) -> Column[str]:
    """A text column that is empty rather than NULL."""
    return Column(name, Text, *arguments, nullable=False, server_default="", **options)


def flag(name: str, *, default: bool = False) -> Column[bool]:
    """A boolean column, false unless said otherwise."""
    return Column(name, Boolean, nullable=False, server_default=true() if default else false())


def count(name: str) -> Column[int]:
    """A number that starts at zero."""
    return Column(name, Integer, nullable=False, server_default=text("0"))


def instant(name: str, *, nullable: bool = False) -> Column[int]:
    """Milliseconds since the Unix epoch."""
    return Column(name, BigInteger, nullable=nullable)


def leased() -> tuple[Column[Any], ...]:
    """The columns of a queue: when it is due, how often it was tried, who holds it until when, what went wrong."""
    return (
        instant("due_at"),
        count("attempts"),
        instant("leased_until", nullable=True),
        Column("last_error", Text),
    )


def only(condition: str, sqlite: str | None = None) -> dict[str, Any]:
    """The options of a partial index.

    SQLite has no booleans: queries say ``listed = 1`` there, and its planner wants the index to say just the same.
    """
    return {"postgresql_where": text(condition), "sqlite_where": text(sqlite or condition)}
