"""The consent page of OAuth (RFC 6749 §4.1.1): an application asks, the person decides.

Nothing is ever sent to a redirect address that the application did not register, not even an error: the address may
be what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import access
from fediverse.access import OUT_OF_BAND, AuthorizeRequest, OAuthError
from fediverse.actors import people
from fediverse.errors import Forbidden
from fediverse.params import Params, query, read_id
from fediverse.web import render
from fediverse.web.visit import Visit, form, read, see_other, with_form, write

routes = web.RouteTableDef()

_ASKED: Final = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)


@routes.get("/oauth/authorize/")  # as toot and some others write it
@routes.get("/oauth/authorize")
async def ask(request: web.Request) -> web.Response:
    """The question, for somebody who is signed in; others sign in first. 400 for an application that cannot ask."""
    sent = query(request)

    def find(tx: Connection, visit: Visit) -> tuple[AuthorizeRequest, Sequence[Row[Any]]]:
        asked = _check(tx, sent)
        # Signs in first, once it is sure that there is something to decide.
        return asked, people.actors_of(tx, visit.person_id)

    visit, (asked, mine) = await read(request, find, full=False)
    out_of_band = asked.redirect_uri == OUT_OF_BAND
    parts = urlsplit(asked.redirect_uri)
    return render.page(
        with_form(visit),
        "authorize.html",
        form_target=None if out_of_band else asked.redirect_uri,
        app=asked.app,
        mine=mine,
        sentences=access.describe_scopes(asked.scopes),
        target="" if out_of_band else parts.netloc or f"{parts.scheme}:",
        asked=[(name, sent.text(name)) for name in _ASKED if sent.has(name)],
    )


@routes.post("/oauth/authorize")
async def decide(request: web.Request) -> web.Response:
    """The application gets its code, or learns that it may not have one."""
    sent = await form(request)
    allowed = sent.text("decision") == "allow" and not sent.has("deny")

    def work(tx: Connection, visit: Visit) -> tuple[AuthorizeRequest, str]:
        asked = _check(tx, sent)
        me, person_id = visit.me, visit.person_id
        chosen = read_id(sent.text("account")) or me.id
        if all(actor.id != chosen for actor in people.actors_of(tx, person_id)):
            raise Forbidden("You may not speak as this account.")
        code = access.create_code(tx, asked, person_id=person_id, actor_id=chosen, now=visit.now) if allowed else ""
        return asked, code

    visit, (asked, code) = await write(request, work)
    if asked.redirect_uri == OUT_OF_BAND:
        if not allowed:
            return see_other("/home")
        return render.page(visit, "code.html", app=asked.app, code=code)
    answer = {"code": code} if allowed else {"error": "access_denied", "error_description": "The person said no."}
    if asked.state is not None:
        answer["state"] = asked.state
    joint = "&" if urlsplit(asked.redirect_uri).query else "?"
    return see_other(f"{asked.redirect_uri}{joint}{urlencode(answer)}")


def _check(tx: Connection, sent: Params) -> AuthorizeRequest:
    """The checked request. Raises OAuthError, which is shown here."""
    if not sent.has("client_id") or not sent.has("redirect_uri"):
        raise OAuthError("invalid_request", "The application did not say who it is and where to return to.")
    return access.check_authorize(
        tx,
        client_id=sent.text("client_id"),
        redirect_uri=sent.text("redirect_uri"),
        response_type=sent.text("response_type", "code"),
        scope=sent.text("scope"),
        state=sent.optional("state"),
        code_challenge=sent.optional("code_challenge"),
        code_challenge_method=sent.optional("code_challenge_method"),
    )
