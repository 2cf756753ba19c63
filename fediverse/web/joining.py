"""Making an account, confirming an e-mail address, and a link to a new password by mail."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import access, keys, letters
from fediverse.access import passwords
from fediverse.actors import directory, people, signing_up
from fediverse.actors.signing_up import Refused, Wish
from fediverse.admin import barriers
from fediverse.caller import client_address
from fediverse.errors import Conflict, Forbidden, NotFound
from fediverse.params import Params
from fediverse.settings import Settings
from fediverse.web import render
from fediverse.web.entrance import begin_session
from fediverse.web.limits import check_mail, check_sign_up, may_mail_to
from fediverse.web.visit import Visit, form, read, see_other, with_form, write

routes = web.RouteTableDef()

_MAX_LOGIN: Final = 320
_SPENT: Final = (
    "This link is wrong, was used already, or is too old. If your address is not confirmed yet, sign in: "
    "you get a new link then."
)


@routes.get("/signup")
async def show_sign_up(request: web.Request) -> web.Response:
    """The form for a new account, where people may make one by themselves."""
    settings = _open(request)
    visit, _ = await read(request, lambda _tx, _visit: None, full=False)
    if visit.actor is not None:
        return see_other("/home")
    return _sign_up_page(visit, settings, Wish("", "", ""))


@routes.post("/signup")
async def sign_up(request: web.Request) -> web.Response:
    """There is a new account; its person is signed in, or told what has to happen first."""
    sent = await form(request)
    settings = _open(request)
    check_sign_up(request)
    wish = _wish(sent)
    visit, taken = await read(request, lambda tx, _visit: signing_up.taken(tx, wish), full=False)
    try:
        problems = signing_up.check(wish, settings) | taken
        if problems:
            raise Refused(problems)
        address = client_address(request)
        _, verdict = await write(
            request, lambda tx, visit: barriers.sign_up(tx, email=wish.email, address=address, now=visit.now)
        )
        must_wait = barriers.must_wait(verdict)
        password_hash = await asyncio.to_thread(passwords.hash_password, wish.password)
        made = await asyncio.to_thread(directory.make_keys)
        _, (person, actor) = await write(
            request,
            lambda tx, visit: signing_up.sign_up(
                tx,
                wish,
                settings,
                password_hash=password_hash,
                made=made,
                address=address,
                must_wait=must_wait,
                now=visit.now,
            ),
        )
    except Refused as error:
        sentences = " ".join(text for found in error.problems.values() for _, text in found)
        return _sign_up_page(visit, settings, wish, problem=sentences, status=error.status)
    if person.confirmed_at is None:
        return _told(visit, "One more step", f"We sent a mail to {person.email}. Follow the link in it.")
    if person.approved_at is None:
        return _told(visit, "Thank you", "Those who run this server look at what you wrote. Try to sign in later.")
    return await begin_session(request, person.id, actor.id, target="/home")


def _open(request: web.Request) -> Settings:
    settings = request.app[keys.SETTINGS]
    if settings.registrations not in {"open", "approval"}:
        raise Forbidden("Nobody can make an account here by themselves. Ask those who run this server.")
    return settings


def _wish(sent: Params) -> Wish:
    return Wish(
        username=sent.text("username").strip().removeprefix("@"),
        email=sent.text("email").strip(),
        password=sent.text("password"),
        reason=sent.text("reason").strip(),
        agreement=sent.flag("agreement"),
    )


def _sign_up_page(
    visit: Visit, settings: Settings, typed: Wish, *, problem: str = "", status: int = 200
) -> web.Response:
    return render.page(
        with_form(visit),
        "signup.html",
        status=status,
        typed=typed,
        problem=problem,
        approval=settings.registrations == "approval",
    )


def _told(visit: Visit, heading: str, sentence: str) -> web.Response:
    return render.page(visit, "told.html", heading=heading, sentence=sentence)


@routes.get("/confirm")
async def show_confirmation(request: web.Request) -> web.Response:
    """The address, and the button that confirms it: programs that look into mails press no buttons."""
    token = request.query.get("token", "")
    visit, email = await read(request, lambda tx, visit: _address(tx, visit, token), full=False)
    return render.page(with_form(visit), "confirm.html", token=token, email=email, problem="")


@routes.post("/confirm")
async def confirm(request: web.Request) -> web.Response:
    """The address is known to be the person's."""
    sent = await form(request)
    token = sent.text("token")

    def work(tx: Connection, visit: Visit) -> bool:
        link = access.consume_link(tx, "confirm", token, now=visit.now)
        if link is None or link.person_id is None:
            raise Forbidden(_SPENT)
        person = signing_up.confirm(tx, link.person_id, now=visit.now)
        return person is not None and person.approved_at is not None

    try:
        visit, approved = await write(request, work)
    except Conflict as error:
        raise Forbidden(error.message) from error
    if visit.actor is not None:
        return see_other("/settings/account?saved=1")
    return see_other("/login?message=confirmed" if approved else "/login?message=confirmed_waiting")


def _address(tx: Connection, visit: Visit, token: str) -> str:
    link = access.peek_link(tx, "confirm", token, now=visit.now)
    person = people.by_id(tx, link.person_id) if link is not None and link.person_id is not None else None
    if person is None:
        raise Forbidden(_SPENT)
    return str(person.new_email or person.email)


@routes.get("/forgot")
async def show_forgot(request: web.Request) -> web.Response:
    """The form that asks for a link to a new password."""
    _mailing(request)
    visit, _ = await read(request, lambda _tx, _visit: None, full=False)
    return render.page(with_form(visit), "forgot.html")


@routes.post("/forgot")
async def forgot(request: web.Request) -> web.Response:
    """Whoever this is gets a mail. The answer is the same, and as fast, whether or not there is anybody."""
    sent = await form(request)
    _mailing(request)
    check_mail(request)
    typed = sent.text("login").strip()[:_MAX_LOGIN]
    visit, _ = await read(request, lambda _tx, _visit: None, full=False)
    if typed and may_mail_to(request, typed):
        await write(request, lambda tx, _visit: letters.reset(tx, typed))
    sentence = "If there is such an account here, a mail with a link is on its way to its address."
    return _told(visit, "Look into your mail", sentence)


def _mailing(request: web.Request) -> None:
    if not request.app[keys.SETTINGS].sends_mail:
        raise NotFound("This server sends no mail. Ask those who run it for a one-time link.")
