"""Signing in and out."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import hdrs, web
from sqlalchemy import Connection, Row

from fediverse import access, keys, letters
from fediverse.access import passwords
from fediverse.actors import people
from fediverse.caller import client_address
from fediverse.clock import Instant
from fediverse.errors import Forbidden
from fediverse.web import render
from fediverse.web.limits import attempt, check_mail
from fediverse.web.visit import cookies_of, form, local_path, read, see_other, with_form, write

routes = web.RouteTableDef()

_MAX_LOGIN: Final = 320
_WRONG: Final = "The name or the password is wrong. Check both and try again."
_MESSAGES: Final = {
    "password": "Your password is set. Sign in with it.",
    "out": "You are signed out.",
    "confirmed": "Your e-mail address is confirmed. Sign in.",
    "confirmed_waiting": "Your e-mail address is confirmed. You can sign in once your account is approved.",
}


@routes.get("/login")
async def show_login(request: web.Request) -> web.Response:
    """The form; who is signed in already is led on."""
    visit, _ = await read(request, lambda _tx, _visit: None, full=False)
    target = local_path(request.query.get("next", ""))
    if visit.actor is not None:
        return see_other(target or "/home")
    message = _MESSAGES.get(request.query.get("message", ""), "")
    return render.page(
        with_form(visit), "login.html", login="", next=target, problem="", message=message, **_ways(request)
    )


@routes.post("/login")
async def login(request: web.Request) -> web.Response:
    """The browser has a new session, whatever it had before; a wrong password costs time and counts."""
    sent = await form(request)
    typed, target = sent.text("login")[:_MAX_LOGIN], local_path(sent.text("next"))
    database = request.app[keys.DATABASE]
    async with attempt(request, typed) as tried:
        person, actor_id = await database.read(_find, typed)
        stored = person.password_hash if person is not None else ""
        # Takes as long whether or not there is such a person.
        right = await asyncio.to_thread(passwords.verify, stored, sent.text("password"))
        tried.wrong = not right or person is None or actor_id is None
    if not tried.wrong and person is not None and person.confirmed_at is None:
        check_mail(request)
        await database.write(letters.confirm, person.id)
    problem = _WRONG if tried.wrong or person is None else _refusal(person)
    if problem:
        visit, _ = await read(request, lambda _tx, _visit: None, full=False)
        return render.page(
            with_form(visit),
            "login.html",
            status=401,
            login=typed,
            next=target,
            problem=problem,
            message="",
            **_ways(request),
        )
    assert person is not None
    assert actor_id is not None
    rehashed = None
    if passwords.needs_rehash(stored):
        rehashed = await asyncio.to_thread(passwords.hash_password, sent.text("password"))
    return await begin_session(request, person.id, actor_id, target=target or "/home", password_hash=rehashed)


def _ways(request: web.Request) -> dict[str, Any]:
    """What else the page offers."""
    settings = request.app[keys.SETTINGS]
    return {"by_mail": settings.sends_mail, "may_sign_up": settings.registrations in {"open", "approval"}}


def _find(tx: Connection, typed: str) -> tuple[Row[Any] | None, int | None]:
    """The person, and the actor that they speak as first: the one that was typed, if it is theirs."""
    person = people.by_login(tx, typed)
    if person is None:
        return None, None
    mine = people.actors_of(tx, person.id)
    name = typed.strip().removeprefix("@").lower()
    return person, next((a.id for a in mine if a.username_folded == name), mine[0].id if mine else None)


def _refusal(person: Row[Any]) -> str:
    """Why somebody with the right password may not come in; empty if they may."""
    if person.suspended_at is not None:
        return "This account is suspended."
    if person.confirmed_at is None:
        return "Your e-mail address is not confirmed yet: follow the link in the mail that we sent you just now."
    return "" if person.approved_at is not None else "Your account has not been approved yet."


async def begin_session(
    request: web.Request,
    person_id: int,
    actor_id: int,
    *,
    target: str,
    password_hash: str | None = None,
) -> web.Response:
    """The browser is signed in and led to ``target``. The session it had, if any, is over."""
    old = cookies_of(request).session(request)
    agent, address = request.headers.get(hdrs.USER_AGENT, ""), client_address(request)

    def unit(tx: Connection, now: Instant) -> str:
        if old is not None:
            access.end_session(tx, old)
        if password_hash is not None:
            people.set_password_hash(tx, person_id, password_hash)
        people.seen(tx, person_id, now=now)
        people.came_from(tx, person_id, address, now=now)
        return access.create_session(tx, person_id=person_id, actor_id=actor_id, user_agent=agent, now=now)

    _, cookie = await write(request, lambda tx, visit: unit(tx, visit.now))
    response = see_other(target)
    cookies_of(request).set_session(response, cookie)
    return response


@routes.post("/logout")
async def logout(request: web.Request) -> web.Response:
    """The session is over, here and on the server."""
    await form(request)
    cookie = cookies_of(request).session(request)
    if cookie is None:
        raise Forbidden("You are not signed in.")
    await write(request, lambda tx, _visit: access.end_session(tx, cookie))
    response = see_other("/login?message=out")
    cookies_of(request).end_session(response)
    return response
