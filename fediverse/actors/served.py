"""Local actors by the name in an address, as other servers ask for them."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row

from fediverse.actors import directory
from fediverse.errors import NotFound
from fediverse.tables.actors import INSTANCE_ACTOR_ID

NAME: Final = "{name:[A-Za-z0-9_]+}"
"""A user name in the pattern of a route."""

NO_ACTOR: Final = "There is no such account here."


def local_actor(tx: Connection, name: str, *, fold: bool = False) -> Row[Any]:
    """The local actor of that name, deleted ones included; in this spelling unless ``fold``.

    Ids are compared exactly, so an actor is served from one address only. Raises NotFound, for suspended ones too:
    410 would make other servers forget who may be back tomorrow.
    """
    row = directory.local(tx, name)
    if row is None or row.id == INSTANCE_ACTOR_ID or not (fold or row.username == name):
        raise NotFound(NO_ACTOR)
    if row.suspended_at is not None and row.deleted_at is None:
        raise NotFound(NO_ACTOR)
    return row
