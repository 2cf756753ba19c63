"""Following across servers from a page: from here out to the reader's own server, and from there in to here."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlsplit

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import keys, statuses, text
from fediverse.actors import directory
from fediverse.errors import BadRequest, FediverseError, Invalid, NotFound
from fediverse.remote import RemoteError, target
from fediverse.web import render
from fediverse.web.limits import check_look_up
from fediverse.web.public import ACCT, by_acct
from fediverse.web.visit import Visit, form, read, see_other, with_form

routes = web.RouteTableDef()

_NOT_KNOWN: Final = "Your server does not say how to follow from it. Copy the handle into its search instead."


@routes.get(f"/@{ACCT}/follow")
async def ask_handle(request: web.Request) -> web.Response:
    """The form that asks a reader for their own handle; who is signed in here follows on the profile."""
    visit, actor = await read(request, lambda tx, visit: _local(tx, visit, request), full=False)
    if visit.actor is not None:
        return see_other(render.profile_path(actor))
    return render.page(with_form(visit), "follow.html", actor=actor, typed="", problem="")


@routes.post(f"/@{ACCT}/remote_follow")
async def to_own_server(request: web.Request) -> web.Response:
    """A page that leads to the reader's own server, where following goes on."""
    sent = await form(request)
    typed = sent.text("handle").strip()[:320]
    visit, actor = await read(request, lambda tx, visit: _local(tx, visit, request), full=False)
    try:
        check_look_up(request)
        goal = await _interaction_address(request, typed, visit.urls.handle(actor.username))
    except FediverseError as error:
        return render.page(
            with_form(visit), "follow.html", status=error.status, actor=actor, typed=typed, problem=error.message
        )
    # Not a redirect, which browsers refuse after a form whose page does not name the goal beforehand (form-action).
    return render.page(visit, "continue.html", target=goal, host=text.display_host(urlsplit(goal).netloc))


def _local(tx: Connection, visit: Visit, request: web.Request) -> Row[Any]:
    actor = by_acct(tx, visit, request.match_info["acct"])
    if actor.host or actor.suspended_at is not None:
        raise NotFound("There is no such account here.")
    return actor


async def _interaction_address(request: web.Request, typed: str, handle: str) -> str:
    """Where the server of ``typed`` lets its people follow ``handle``. Raises with a sentence when it cannot be had."""
    username, host = text.split_handle(typed)
    if host is None:
        raise Invalid("Type your whole handle, with your server: @you@example.org.")
    if host == text.fold_host(request.app[keys.URLS].domain):
        raise Invalid("This is a handle of this very server: sign in to follow.")
    try:
        found = await request.app[keys.REMOTE].webfinger(username, host)
    except RemoteError as error:
        raise Invalid(
            "Your server could not be asked, or does not know this handle. Check it and try again."
        ) from error
    template = found.subscribe_template
    if template is None or "{uri}" not in template:
        raise Invalid(_NOT_KNOWN)
    address = template.replace("{uri}", quote(handle, safe=""))
    if text.safe_url(address) is None:
        raise Invalid(_NOT_KNOWN)
    return address


@routes.get("/authorize_interaction")
async def from_another_server(request: web.Request) -> web.Response:
    """The page here of somebody or something that a reader came upon elsewhere."""
    uri = request.query.get("uri", "").strip()
    visit, _ = await read(request, lambda _tx, visit: visit.me, full=False)
    check_look_up(request)
    path = await find_page(request, visit, uri)
    if path is None:
        raise NotFound("Nothing was found at this address. It may be wrong, or its server does not answer.")
    return see_other(path)


async def find_page(request: web.Request, visit: Visit, words: str) -> str | None:
    """The page here of what a handle or an address names, asked of its server if need be; None if there is nothing."""
    discovery = request.app[keys.DISCOVERY]
    words = words.strip()
    if _is_address(words):
        actor = await discovery.find_uri(words)
        if actor is not None:
            return render.profile_path(actor)
        status = await discovery.find_object(words)
        return await _post_page(request, visit, status.id) if status is not None else None
    try:
        username, host = text.split_handle(words)
    except BadRequest:
        return None
    actor = await discovery.find_handle(username, host or "")
    return render.profile_path(actor) if actor is not None else None


async def _post_page(request: web.Request, visit: Visit, status_id: int) -> str | None:
    def work(tx: Connection) -> str | None:
        try:
            row = statuses.get_visible(tx, status_id, visit.viewer_id)
        except NotFound:
            return None
        author = directory.by_id(tx, row.author_id)
        return f"{render.profile_path(author)}/{row.id}" if author is not None else None

    return await request.app[keys.DATABASE].read(work)


def _is_address(words: str) -> bool:
    if not words.lower().startswith(("https://", "http://")):
        return False
    try:
        target(words)
    except RemoteError:
        return False
    return True


def is_handle(words: str) -> bool:
    """Whether the words are ``@name@host``, ``name@host`` or an address: what names one thing only."""
    if _is_address(words):
        return True
    try:
        return text.split_handle(words)[1] is not None
    except BadRequest:
        return False
