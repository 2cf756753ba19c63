"""Whom a text means: the actors behind its mentions, found before any transaction that stores it.

What is known here is taken from the database; the rest is asked of other servers, all at once and for three seconds
at most. Who is not found by then stays plain text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, select, tuple_

from fediverse import text
from fediverse.actors.discovery import Discovery
from fediverse.db import Database
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors
from fediverse.urls import Urls

LOOKUP_SECONDS: Final = 3.0

#: A user name in lower case, and a host; an empty host means here.
Handle = tuple[str, str]


def handles(body: str, urls: Urls) -> list[Handle]:
    """The handles that a text mentions, each once, in order."""
    here = {text.fold_host(urls.domain), text.fold_host(urls.host)}
    found = [
        (entity.username.lower(), "" if entity.host is None or entity.host in here else entity.host)
        for entity in text.entities(body)
        if isinstance(entity, text.Mention)
    ]
    return list(dict.fromkeys(found))


def known(tx: Connection, wanted: Iterable[Handle]) -> dict[Handle, Row[Any]]:
    """Those of the handles whose actors are known here, in one query."""
    asked = list(wanted)
    if not asked:
        return {}
    rows = tx.execute(
        select(actors)
        .where(
            tuple_(actors.c.username_folded, actors.c.host).in_(asked),
            actors.c.deleted_at.is_(None),
            actors.c.id != INSTANCE_ACTOR_ID,
        )
        .order_by(actors.c.id)  # where a name was given twice, the newer actor counts
    )
    return {(row.username_folded, row.host): row for row in rows}


class Strangers(Exception):
    """Somebody is mentioned who is not known here, and whose server can be asked. ``known`` are the others."""

    def __init__(self, known: dict[Handle, Row[Any]]) -> None:
        super().__init__("somebody is mentioned who is not known here")
        self.known = known


def acquaintances(tx: Connection, wanted: Iterable[Handle]) -> list[Row[Any]]:
    """The actors of the handles, in order. Raises Strangers where a server would have to be asked for one."""
    asked = list(wanted)
    found = known(tx, asked)
    if any(handle not in found and handle[1] for handle in asked):
        raise Strangers(found)
    return list({found[handle].id: found[handle] for handle in asked if handle in found}.values())


async def find_missing(
    discovery: Discovery, wanted: Iterable[Handle], found: Mapping[Handle, Row[Any]]
) -> list[Row[Any]]:
    """The actors of the wanted handles, in order: those in ``found``, and those whose servers name them in time."""
    asked = list(wanted)
    missing = [handle for handle in asked if handle not in found and handle[1]]
    flights = {handle: asyncio.create_task(discovery.find_handle(*handle)) for handle in missing}
    if flights:
        _, late = await asyncio.wait(flights.values(), timeout=LOOKUP_SECONDS)
        for flight in late:
            flight.cancel()
    everybody: dict[int, Row[Any]] = {}
    for handle in asked:
        row = found.get(handle) or _result(flights.get(handle))
        if row is not None:
            everybody.setdefault(row.id, row)
    return list(everybody.values())


def _result(flight: asyncio.Task[Row[Any] | None] | None) -> Row[Any] | None:
    if flight is None or not flight.done() or flight.cancelled() or flight.exception() is not None:
        return None
    return flight.result()


async def find_mentions(database: Database, discovery: Discovery, urls: Urls, body: str) -> list[Row[Any]]:
    """The actors that a text mentions, each once, in order."""
    wanted = handles(body, urls)
    if not wanted:
        return []
    return await find_missing(discovery, wanted, await database.read(known, wanted))
