"""A visit: one request of a person's browser, from its cookie to a page, in one hop to the database.

``read`` and ``write`` run a unit of work with the visitor already known; ``form`` lets a POST in only if this
instance's own page sent it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiohttp import hdrs, web
from sqlalchemy import Connection, Row

from fediverse import access, clock, instance, keys, notifications, params
from fediverse.access import Credentials
from fediverse.actors import directory, people, relations
from fediverse.clock import Instant
from fediverse.db import Database
from fediverse.errors import FediverseError, Forbidden, NotFound
from fediverse.instance import InstanceInfo
from fediverse.params import Params
from fediverse.site import Site
from fediverse.urls import Urls
from fediverse.web.cookies import Cookies, cookies, new_form_value

T = TypeVar("T")

_FIELD: Final = "csrf"
_UNREAD_SHOWN: Final = 99
_NOT_FROM_HERE: Final = (
    "This form did not come from a page of this server, or the page was open for too long. "
    "Go back, load the page again and send the form once more."
)


class SignInFirst(FediverseError):
    """The page is for somebody who is signed in; the visitor is led to the form, and back afterwards."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Sign in to see this page.")


@dataclass(slots=True)
class Visit:
    """Who is visiting, what the page around the content needs, and what the unit of work found."""

    request: web.Request
    site: Site
    now: Instant
    info: InstanceInfo
    credentials: Credentials | None = None
    #: The visitor's actor.
    actor: Row[Any] | None = None
    unread: int = 0
    requests: int = 0
    #: Goes into every form of the page.
    csrf: str = ""
    #: A new value for the form cookie, when the page has forms and the browser had none.
    form_value: str | None = None

    @property
    def viewer_id(self) -> int | None:
        """The visitor's actor, or None for anybody."""
        return self.actor.id if self.actor is not None else None

    @property
    def me(self) -> Row[Any]:
        """The visitor's actor, on pages that need one. Raises SignInFirst."""
        if self.actor is None:
            raise SignInFirst
        return self.actor

    @property
    def person_id(self) -> int:
        """The visitor, on pages that need one. Raises SignInFirst."""
        if self.credentials is None:
            raise SignInFirst
        return self.credentials.person_id

    @property
    def role(self) -> str:
        """The visitor's role; empty for anybody."""
        return self.credentials.role if self.credentials is not None else ""

    @property
    def moderates(self) -> bool:
        """Whether the visitor may delete what others posted."""
        return self.role in {"owner", "admin", "moderator"}

    @property
    def administers(self) -> bool:
        """Whether the visitor may change the instance's settings."""
        return self.role in {"owner", "admin"}

    @property
    def urls(self) -> Urls:
        """The instance's URLs."""
        return self.site.urls


Work = Callable[[Connection, Visit], T]


def cookies_of(request: web.Request) -> Cookies:
    """The cookies of the instance that the request came to."""
    settings = request.app[keys.SETTINGS]
    return cookies(settings.base_url, settings.secret)


async def read(request: web.Request, work: Work[T], *, full: bool = True) -> tuple[Visit, T]:
    """The visit, and what ``work(tx, visit)`` found.

    ``full=False`` leaves out what only the frame of a page shows (unread notifications).
    """
    database = request.app[keys.DATABASE]
    visit, result = await database.read(_unit, request, work, full)
    await _keep_session(request, visit, database)
    return visit, result


async def write(request: web.Request, work: Work[T]) -> tuple[Visit, T]:
    """The visit, and what ``work(tx, visit)`` returned, once what it changed is committed."""
    return await request.app[keys.DATABASE].write(_unit, request, work, False)


def _unit(tx: Connection, request: web.Request, work: Work[T], full: bool) -> tuple[Visit, T]:
    visit = _begin(tx, request, full=full)
    return visit, work(tx, visit)


def _begin(tx: Connection, request: web.Request, *, full: bool) -> Visit:
    jar = cookies_of(request)
    now = clock.now()
    visit = Visit(request, request.app[keys.SITE], now, instance.get(tx))
    cookie = jar.session(request)
    if cookie is not None:
        visit.credentials = access.session(tx, cookie, now=now)
    if cookie is not None and visit.credentials is not None:
        visit.actor = directory.by_id(tx, visit.credentials.actor_id)
        visit.csrf = jar.token(cookie)
        if full and visit.actor is not None:
            visit.unread = notifications.unread_count(tx, visit.actor.id, limit=_UNREAD_SHOWN + 1)
            visit.requests = relations.requests_count(tx, visit.actor.id)
    return visit


async def _keep_session(request: web.Request, visit: Visit, database: Database) -> None:
    """A session in use lasts; written once a day."""
    credentials, cookie = visit.credentials, cookies_of(request).session(request)
    if credentials is None or cookie is None or not access.is_stale(credentials, now=visit.now):
        return

    def unit(tx: Connection) -> None:
        access.extend_session(tx, cookie, now=visit.now)
        people.seen(tx, credentials.person_id, now=visit.now)

    await database.write(unit)


def with_form(visit: Visit) -> Visit:
    """The visit with a token for forms, also where nobody is signed in."""
    if not visit.csrf:
        jar = cookies_of(visit.request)
        value = jar.form(visit.request)
        if not value:
            value = visit.form_value = new_form_value()
        visit.csrf = jar.token(value)
    return visit


async def form(request: web.Request) -> Params:
    """What the form holds, which a page of this instance sent.

    Raises Forbidden for a request from another site, and for one without the token of this session or, where nobody
    is signed in, of this browser.
    """
    check_origin(request)
    values = await params.read(request)
    jar = cookies_of(request)
    token = values.text(_FIELD)
    if not (jar.is_token(jar.session(request) or "", token) or jar.is_token(jar.form(request), token)):
        raise Forbidden(_NOT_FROM_HERE)
    return values


def check_origin(request: web.Request) -> None:
    """The browser does not say that another site sent this. Raises Forbidden when it does."""
    origin = request.headers.get(hdrs.ORIGIN)
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        raise Forbidden(_NOT_FROM_HERE)
    if origin is not None and origin.partition("://")[2] not in {request.host, request.app[keys.URLS].host}:
        raise Forbidden(_NOT_FROM_HERE)


def back(values: Params, default: str) -> str:
    """Where to go after a form: the path that it names, of this server only."""
    return local_path(values.text("back")) or default


def local_path(path: str) -> str:
    """The path, if it leads to a page of this server; else empty.

    Browsers take ``//host`` and ``/\\host`` for another server, and skip controls inside.
    """
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path
    return path if safe and path.isprintable() and path.isascii() and " " not in path and len(path) < 4096 else ""


def page_number(request: web.Request, name: str = "max_id") -> int | None:
    """The id in the query that the page begins below. Raises NotFound for what is none."""
    text = request.query.get(name, "")
    if not text:
        return None
    found = params.read_id(text)
    if found is None:
        raise NotFound("There is no such page.")
    return found


def path_id(request: web.Request, name: str = "id") -> int:
    """The id in the address. Raises NotFound for a number that is none."""
    found = params.read_id(request.match_info[name])
    if found is None:
        raise NotFound("There is nothing with this number.")
    return found


def see_other(path: str) -> web.Response:
    """The way to the page that shows what was done (RFC 9110 §15.4.4)."""
    return web.Response(status=303, headers={hdrs.LOCATION: path, hdrs.CACHE_CONTROL: "private, no-store"})
