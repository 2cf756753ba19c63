"""How far this instance reaches."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from fediverse.tables.actors import actors


def known_hosts(tx: Connection) -> int:
    """How many other servers somebody known here is on. Reads a whole index: keep the result for a while."""
    return tx.scalar(select(func.count(func.distinct(actors.c.host))).where(actors.c.host != "")) or 0
