"""Settings of the person: the e-mail address."""

from __future__ import annotations

import asyncio

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import keys, letters
from fediverse.access import passwords
from fediverse.actors import people
from fediverse.errors import Conflict, Invalid
from fediverse.web import render
from fediverse.web.limits import attempt, check_mail
from fediverse.web.visit import SignInFirst, Visit, form, read, see_other, write

routes = web.RouteTableDef()


def _person(tx: Connection, visit: Visit) -> Row[object]:
    person = people.by_id(tx, visit.person_id)
    if person is None:
        raise SignInFirst
    return person


@routes.get("/settings/account")
async def show_account(request: web.Request) -> web.Response:
    """The address with which the person signs in, and the form for another one."""
    visit, person = await read(request, _person)
    return _page(visit, person, message="Saved." if "saved" in request.query else "")


@routes.post("/settings/account")
async def change_email(request: web.Request) -> web.Response:
    """The person has another address; where mail can be sent, once it is confirmed."""
    sent = await form(request)
    visit, person = await read(request, _person)
    email, by_mail = sent.text("email"), request.app[keys.SETTINGS].sends_mail
    try:
        async with attempt(request, visit.me.username) as tried:
            stored = str(person.password_hash)
            tried.wrong = not await asyncio.to_thread(passwords.verify, stored, sent.text("current"))
        if tried.wrong:
            raise Invalid("The current password is wrong.")
        if by_mail:
            check_mail(request)

        def work(tx: Connection, visit: Visit) -> None:
            people.set_email(tx, _person(tx, visit), email, at_once=not by_mail, now=visit.now)
            if by_mail:
                letters.confirm(tx, visit.person_id)

        await write(request, work)
    except (Invalid, Conflict) as error:
        return _page(visit, person, typed=email, problem=error.message, status=error.status)
    return see_other("/settings/account?saved=1")


@routes.post("/settings/account/keep")
async def keep_email(request: web.Request) -> web.Response:
    """The address stays as it is; the link in the mail to the other one does nothing any more."""
    await form(request)
    await write(request, lambda tx, visit: people.drop_new_email(tx, visit.person_id))
    return see_other("/settings/account?saved=1")


def _page(
    visit: Visit, person: Row[object], *, typed: str = "", problem: str = "", message: str = "", status: int = 200
) -> web.Response:
    return render.page(
        visit, "settings_account.html", status=status, person=person, typed=typed, problem=problem, message=message
    )
