"""Finding actors: by id, by the URL that names them, by handle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, case, select

from fediverse.db import Prepared, id_list
from fediverse.documents import normalise_uri
from fediverse.errors import BadRequest
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors
from fediverse.text import fold_host
from fediverse.urls import Urls

# Made once: building a statement costs several times what executing it does.
_BY_ID = select(actors).where(actors.c.id == bindparam("id", type_=BigInteger))
_BY_IDS = Prepared(lambda sql: select(actors).where(sql.within(actors.c.id, "ids")))
_BY_URIS = select(actors).where(actors.c.uri.in_(bindparam("uris", expanding=True)))
_BY_HANDLE = (
    select(actors)
    .where(
        actors.c.username_folded == bindparam("username"),
        actors.c.host == bindparam("host"),
        actors.c.id != INSTANCE_ACTOR_ID,
    )
    .order_by(case((actors.c.deleted_at.is_(None), 0), else_=1), actors.c.id.desc())
    .limit(1)
)
_LOCAL = select(actors).where(actors.c.username_folded.in_(bindparam("names", expanding=True)), actors.c.host == "")


def canonical(uri: str) -> str:
    """The form in which an id is compared and stored: scheme and host in lower case, no default port.

    The rest stays exactly as written, since ids are compared exactly. What is no http(s) URL stays as it is.
    """
    return normalise_uri(uri)


def by_id(tx: Connection, actor_id: int) -> Row[Any] | None:
    """The actor with this id, deleted ones included."""
    return tx.execute(_BY_ID, {"id": actor_id}).one_or_none()


def by_ids(tx: Connection, actor_ids: Iterable[int]) -> dict[int, Row[Any]]:
    """The actors with these ids, by id, deleted ones included."""
    wanted = set(actor_ids)
    if not wanted:
        return {}
    return {row.id: row for row in tx.execute(_BY_IDS(tx), {"ids": id_list(tx, wanted)})}


def by_uri(tx: Connection, urls: Urls, uri: str) -> Row[Any] | None:
    """The actor that this URL is the id of; a local one by its exact spelling only."""
    return by_uris(tx, urls, [uri]).get(uri)


def by_uris(tx: Connection, urls: Urls, uris: Iterable[str]) -> dict[str, Row[Any]]:
    """The actors whose ids these URLs are, by the URL as it was asked for; deleted ones included.

    Hosts are compared without case, all else exactly: ``/users/Alice`` is not ``/users/alice``, and neither a
    trailing slash nor a fragment names the same actor.
    """
    asked = {uri: canonical(uri) for uri in uris}
    here = {folded for folded in asked.values() if urls.is_local(folded)}
    elsewhere = set(asked.values()) - here
    found: dict[str, Row[Any]] = {}
    if elsewhere:
        for row in tx.execute(_BY_URIS, {"uris": list(elsewhere)}):
            found[row.uri] = row
    names = {parsed.username for folded in here if (parsed := urls.parse(folded)) and parsed.kind == "actor"}
    if names:
        for row in tx.execute(_LOCAL, {"names": list({name.lower() for name in names})}):
            found[urls.actor(row.username)] = row
    own = by_id(tx, INSTANCE_ACTOR_ID) if urls.instance_actor in here else None
    if own is not None:
        found[urls.instance_actor] = own
    return {uri: found[folded] for uri, folded in asked.items() if folded in found}


def by_handle(tx: Connection, username: str, host: str) -> Row[Any] | None:
    """The actor called ``username@host``, in any case; ``''`` is this instance.

    A server that was set up anew may have given a name to a second actor: what is not deleted counts, then the
    newest. None as well when ``host`` is not a host name.
    """
    if host:
        try:
            host = fold_host(host)
        except BadRequest:
            return None
    return tx.execute(_BY_HANDLE, {"username": username.lower(), "host": host}).one_or_none()


def local(tx: Connection, username: str) -> Row[Any] | None:
    """The actor of this instance with that name, in any case, deleted ones included."""
    return by_handle(tx, username, "")


def instance_actor(tx: Connection) -> Row[Any]:
    """The actor that signs the server's own requests."""
    return tx.execute(_BY_ID, {"id": INSTANCE_ACTOR_ID}).one()


def uri_of(urls: Urls, actor: Row[Any]) -> str:
    """The actor's id on the network."""
    if actor.uri is not None:
        return str(actor.uri)
    return urls.instance_actor if actor.id == INSTANCE_ACTOR_ID else urls.actor(actor.username)


def inbox_of(urls: Urls, actor: Row[Any]) -> str:
    """The actor's own inbox."""
    if actor.inbox is not None:
        return str(actor.inbox)
    return urls.shared_inbox if actor.id == INSTANCE_ACTOR_ID else urls.inbox(actor.username)


def shared_inbox_of(urls: Urls, actor: Row[Any]) -> str:
    """The inbox that takes what is for everybody on the actor's server; its own where there is none."""
    if actor.host == "":
        return urls.shared_inbox
    return str(actor.shared_inbox or actor.inbox)
