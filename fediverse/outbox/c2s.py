"""ActivityPub's client-to-server side: ``POST /users/NAME/outbox`` with a bearer token (ActivityPub §6).

A bare Note or an activity, by the same rules as the client API: the HTML is reduced to text, and everything goes
through the same functions. Ids, times and addressees' copies that a client sends are not believed; ours are made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import hdrs, web
from sqlalchemy import Connection, Row

from fediverse import access, clock, documents, keys
from fediverse.access import Credentials
from fediverse.actors import directory
from fediverse.actors.served import NAME, local_actor
from fediverse.errors import BadRequest, Forbidden, Gone, Invalid, TooLarge, Unauthorized, UnsupportedType
from fediverse.outbox import c2s_notes, c2s_reactions
from fediverse.outbox.c2s_caller import Caller
from fediverse.remote import media_type, parse_object

routes = web.RouteTableDef()

MAX_BYTES: Final = 256 * 1024
_TYPES: Final = frozenset({"application/activity+json", "application/ld+json", "application/json"})
_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}

Action = Callable[[Caller, Mapping[str, Any]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is done with an activity of one type, and the scope that a token needs for it."""

    action: Action
    scope: str


_ACTIONS: Final[Mapping[str, Entry]] = {
    "Note": Entry(c2s_notes.create_note, "write:statuses"),
    "Create": Entry(c2s_notes.create, "write:statuses"),
    "Update": Entry(c2s_notes.update, "write:statuses"),
    "Delete": Entry(c2s_notes.delete, "write:statuses"),
    "Announce": Entry(c2s_reactions.announce, "write:statuses"),
    "Like": Entry(c2s_reactions.like, "write:favourites"),
    "Follow": Entry(c2s_reactions.follow, "write:follows"),
    "Block": Entry(c2s_reactions.block, "write:blocks"),
}
_UNDONE: Final[Mapping[str, Entry]] = {
    "Like": Entry(c2s_reactions.undo_like, "write:favourites"),
    "Announce": Entry(c2s_reactions.undo_announce, "write:statuses"),
    "Follow": Entry(c2s_reactions.undo_follow, "write:follows"),
    "Block": Entry(c2s_reactions.undo_block, "write:blocks"),
}


@routes.post(f"/users/{NAME}/outbox")
async def post(request: web.Request) -> web.Response:
    """What the client says is done: 201, with the id of what came of it in Location."""
    token = _token(request)
    app = request.app

    def authenticate(tx: Connection) -> tuple[Credentials | None, Row[Any]]:
        return access.bearer(tx, token), local_actor(tx, request.match_info["name"])

    credentials, actor = await app[keys.DATABASE].read(authenticate)
    if credentials is None or not credentials.is_person:
        raise Unauthorized("The access token is not valid. Sign in again.", headers=_CHALLENGE)
    if actor.deleted_at is not None:
        raise Gone("This account was deleted.")
    if credentials.actor_id != actor.id:
        raise Forbidden("This token is for another account: post to that account's own outbox.")
    document = await _read(request)
    uri = directory.uri_of(app[keys.URLS], actor)
    for name in ("actor", "attributedTo"):
        if name in document and documents.ids(document[name]) != (uri,):
            raise Forbidden(f"The {name} of what you post must be you, {uri}.")
    entry, document = _entry(document, uri)
    if not access.allows(credentials.scopes, entry.scope):
        raise Forbidden("This action is outside the authorized scopes")
    caller = Caller(
        database=app[keys.DATABASE],
        discovery=app[keys.DISCOVERY],
        urls=app[keys.URLS],
        actor_id=actor.id,
        username=actor.username,
        language=actor.default_language,
        idempotency_key=request.headers.get("Idempotency-Key", "")[:255] or None,
        now=clock.now(),
    )
    location = await entry.action(caller, document)
    return web.Response(status=201, headers={hdrs.LOCATION: location, hdrs.CACHE_CONTROL: "no-store"})


def _token(request: web.Request) -> str:
    kind, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthorized("Posting needs an access token: Authorization: Bearer …", headers=_CHALLENGE)
    return token.strip()


async def _read(request: web.Request) -> dict[str, Any]:
    kind, _ = media_type(request.headers.get(hdrs.CONTENT_TYPE, ""))
    if kind not in _TYPES:
        raise UnsupportedType("Post ActivityStreams JSON, with Content-Type: application/activity+json.")
    body = await request.content.read(MAX_BYTES + 1)
    while len(body) <= MAX_BYTES and not request.content.at_eof():
        body += await request.content.read(MAX_BYTES + 1 - len(body))
    if len(body) > MAX_BYTES:
        raise TooLarge(f"What is posted may have {MAX_BYTES // 1024} KiB at most.")
    try:
        return parse_object(body)
    except ValueError as error:
        raise BadRequest("The body is not a JSON object.") from error


def _entry(document: dict[str, Any], actor_uri: str) -> tuple[Entry, dict[str, Any]]:
    kind = documents.type_of(document, frozenset({*_ACTIONS, "Undo"}))
    if kind in _ACTIONS:
        return _ACTIONS[kind], document
    if kind != "Undo":
        raise Invalid(
            "Notes, and activities of the types Create, Update, Delete, Like, Announce, Undo, Follow and Block, can be "
            "posted here."
        )
    undone = document.get("object")
    if isinstance(undone, str):
        undone = {"id": undone, "type": c2s_reactions.type_of_own(undone)}
    if not isinstance(undone, dict):
        raise BadRequest("An Undo needs the activity that it undoes as its object.")
    if "actor" in undone and documents.ids(undone["actor"]) != (actor_uri,):
        raise Forbidden("Only your own activities can be undone.")
    entry = _UNDONE.get(documents.type_of(undone, frozenset(_UNDONE)))
    if entry is None:
        raise Invalid("A Like, Announce, Follow or Block can be undone, and nothing else.")
    return entry, undone
