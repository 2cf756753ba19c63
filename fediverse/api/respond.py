"""From a request to its answer in one unit of work: who calls, whether they may, what they get, as JSON.

The token is looked up in the same transaction that does the work, so a GET is one hop to a database thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import access, clock, keys, throttle
from fediverse.access import Credentials
from fediverse.actors import directory, people
from fediverse.api import paging
from fediverse.caller import client_address
from fediverse.clock import Instant
from fediverse.db import Database
from fediverse.errors import Forbidden, NotFound, Unauthorized
from fediverse.params import read_id
from fediverse.site import Site
from fediverse.urls import Urls

_JSON: Final = "application/json"
_CHARSET: Final = "utf-8"
MAX_TOKEN: Final = 512
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
NOT_FOUND: Final = "Record not found"

Scope = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One request as its unit of work sees it."""

    credentials: Credentials | None
    urls: Urls
    site: Site
    now: Instant

    @property
    def viewer_id(self) -> int | None:
        """The actor that looks; None for nobody, and for an application without a person."""
        return self.credentials.actor_id or None if self.credentials is not None else None

    @property
    def actor_id(self) -> int:
        """The actor that acts. Only for endpoints that need a person."""
        assert self.credentials is not None
        return self.credentials.actor_id

    @property
    def token_id(self) -> int:
        """The token that was sent. Only for endpoints that need one."""
        assert self.credentials is not None
        return self.credentials.token_id

    @property
    def person_id(self) -> int:
        """The person who acts. Only for endpoints that need one."""
        assert self.credentials is not None
        return self.credentials.person_id

    def actor(self, tx: Connection) -> Row[Any]:
        """The row of the actor that acts. Raises Unauthorized when it went away meanwhile."""
        assert self.credentials is not None
        return actor_of(tx, self.credentials)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of entities, or an object with one; ``cursors`` are the ids to page by, newest first, empty at the end."""

    items: Sequence[dict[str, Any] | orjson.Fragment | str] | dict[str, Any]
    cursors: Sequence[int] = field(default=())


Work = Callable[[Connection, Call], Any]


async def read(
    request: web.Request, work: Work, *, scope: Scope, anonymous: bool = False, waiting: bool = False
) -> web.Response:
    """What ``work(tx, call)`` returned, as JSON.

    ``scope`` is what a token must hold (any of several); with ``anonymous`` nobody needs to be signed in, but who
    sends a token must send a good one. ``waiting`` as in :func:`authorise`. Raises Unauthorized, Forbidden, and what
    ``work`` raises.
    """
    return await _run(request, work, scope=scope, anonymous=anonymous, waiting=waiting, writes=False)


async def write(request: web.Request, work: Work, *, scope: Scope, waiting: bool = False) -> web.Response:
    """What ``work(tx, call)`` returned, as JSON, once what it changed is committed. Raises as ``read`` does."""
    return await _run(request, work, scope=scope, anonymous=False, waiting=waiting, writes=True)


async def _run(
    request: web.Request, work: Work, *, scope: Scope, anonymous: bool, waiting: bool, writes: bool
) -> web.Response:
    app = request.app
    database, urls, site = app[keys.DATABASE], app[keys.URLS], app[keys.SITE]
    token = bearer_token(request)
    if token is None and not anonymous:
        raise unauthorized()
    now = clock.now()

    def unit(tx: Connection) -> tuple[bytes, Sequence[int], Credentials | None]:
        credentials = None if token is None else authorise(tx, token, scope, application=anonymous, waiting=waiting)
        result = work(tx, Call(credentials, urls, site, now))
        if isinstance(result, Listing):
            return orjson.dumps(result.items), result.cursors, credentials
        return orjson.dumps(result), (), credentials

    body, cursors, credentials = await (database.write(unit) if writes else database.read(unit))
    if credentials is not None:
        throttle.belongs(request, credentials.actor_id)
        if access.is_stale(credentials, now=now):
            await mark_used(database, credentials, address=client_address(request), now=now)
    headers = {"Link": paging.link_header(request, urls.base_url, cursors[0], cursors[-1])} if cursors else None
    return json_bytes(body, headers=headers)


def authorise(
    tx: Connection, token: str, scope: Scope, *, application: bool = False, waiting: bool = False
) -> Credentials:
    """Who the token speaks for, who may do what needs ``scope`` (any of several; an empty one: nothing).

    ``application``: whether an application without a person will do; ``waiting``: whether somebody will whose e-mail
    address is not confirmed, or who is not approved yet. Raises Unauthorized or Forbidden.
    """
    credentials = access.bearer(tx, token, waiting=waiting)
    if credentials is None:
        waits_for = access.missing(tx, token)
        if waits_for == "confirmation":
            raise Forbidden("Your login is missing a confirmed e-mail address")
        if waits_for == "approval":
            raise Forbidden("Your login is currently pending approval")
        if access.is_frozen(tx, token):
            raise Forbidden("Your login is currently disabled")
        raise unauthorized()
    if not credentials.is_person and not application:
        raise Forbidden("This method requires an authenticated user: sign in, and use the token that you get.")
    wanted = (scope,) if isinstance(scope, str) else scope
    if not any(not one or access.allows(credentials.scopes, one) for one in wanted):
        raise Forbidden("This action is outside the authorized scopes")
    return credentials


def require_token(request: web.BaseRequest) -> str:
    """The token that was sent. Raises Unauthorized when there is none."""
    token = bearer_token(request)
    if token is None:
        raise unauthorized()
    return token


def actor_of(tx: Connection, credentials: Credentials) -> Row[Any]:
    """The row of the actor that acts. Raises Unauthorized when it went away meanwhile."""
    row = directory.by_id(tx, credentials.actor_id)
    if row is None:
        raise unauthorized()
    return row


def bearer_token(request: web.BaseRequest) -> str | None:
    """The token of the Authorization header, the only place where one is accepted; None without the header.

    Raises Unauthorized for a header that holds none.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return None
    kind, _, token = header.partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token or len(token) > MAX_TOKEN:
        raise unauthorized()
    return token


async def mark_used(database: Database, credentials: Credentials, *, address: str, now: Instant) -> None:
    """The token and its person were active today, from that address. Written at most once a day."""

    def unit(tx: Connection) -> None:
        access.touch_token(tx, credentials, now=now)
        if credentials.is_person:
            people.seen(tx, credentials.person_id, now=now)
            people.came_from(tx, credentials.person_id, address, now=now)

    await database.write(unit)


def path_id(request: web.Request, name: str = "id") -> int:
    """The id in the address. Raises NotFound for what is none, since nothing has such an id."""
    found = read_id(request.match_info[name])
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


def json_bytes(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """JSON that was made already, as a response. No cache may keep it: it depends on who asks."""
    response = web.Response(body=body, status=status, headers=headers, content_type=_JSON, charset=_CHARSET)
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def json(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A value as a JSON response."""
    return json_bytes(orjson.dumps(value), status=status, headers=headers)


def unauthorized() -> Unauthorized:
    """What is told to whoever has no token that opens anything."""
    return Unauthorized("The access token is invalid", headers=_CHALLENGE)
