"""Pages behind one-time links: setting the server up, a lost password, an invitation.

Each link is good for one use; without it nobody gets past these pages. The link is looked at when the form is shown
and used up with the change that it allows, in one transaction.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final, cast

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import access, instance, keys, text
from fediverse.access import LinkPurpose, passwords
from fediverse.actors import directory, people, profile, signing_up
from fediverse.errors import Conflict, FediverseError, Forbidden, Invalid
from fediverse.params import Params
from fediverse.web import render
from fediverse.web.entrance import begin_session
from fediverse.web.visit import Visit, form, read, see_other, with_form, write

routes = web.RouteTableDef()

_SPENT: Final = "This link is wrong, was used already, or is too old. Ask for a new one."


@dataclass(frozen=True, slots=True)
class Typed:
    """What the set-up form holds."""

    instance_name: str = ""
    username: str = ""
    name: str = ""
    kind: str = "Person"
    email: str = ""


@routes.get("/setup")
async def show_setup(request: web.Request) -> web.Response:
    """The form that makes the server somebody's, for whoever has the link."""
    token = request.query.get("token", "")
    visit, _ = await read(request, lambda tx, visit: _check_setup(tx, visit, token), full=False)
    return render.page(with_form(visit), "setup.html", token=token, typed=Typed(), problem="")


@routes.post("/setup")
async def setup(request: web.Request) -> web.Response:
    """The server has a name and an owner, who is signed in."""
    sent = await form(request)
    token, password = sent.text("token"), sent.text("password")
    typed = _typed(sent)
    visit, _ = await read(request, lambda tx, visit: _check_setup(tx, visit, token), full=False)
    try:
        password_hash = await asyncio.to_thread(passwords.hash_password, password)
        made = await asyncio.to_thread(directory.make_keys)
        secret = request.app[keys.SETTINGS].secret
        _, (person_id, actor_id) = await write(
            request,
            lambda tx, visit: _set_up(
                tx, visit, typed, token=token, password_hash=password_hash, made=made, secret=secret
            ),
        )
    except (Invalid, Conflict) as error:
        return render.page(
            with_form(visit), "setup.html", status=error.status, token=token, typed=typed, problem=error.message
        )
    return await begin_session(request, person_id, actor_id, target="/home")


def _typed(sent: Params) -> Typed:
    return Typed(
        instance_name=sent.text("instance_name"),
        username=sent.text("username").strip().removeprefix("@"),
        name=sent.text("name").strip(),
        kind=sent.text("kind", "Person"),
        email=sent.text("email"),
    )


def _check_setup(tx: Connection, visit: Visit, token: str) -> None:
    if people.owner_exists(tx) or access.peek_link(tx, "setup", token, now=visit.now) is None:
        raise Forbidden(
            "This server is set up with a one-time link, which it prints when it starts. "
            "That link is wrong, was used already, or is too old."
        )


def _set_up(
    tx: Connection,
    visit: Visit,
    typed: Typed,
    *,
    token: str,
    password_hash: str,
    made: directory.LocalKeys,
    secret: bytes,
) -> tuple[int, int]:
    """(person, actor) of the new owner. Whatever is refused leaves the link unused: the transaction is undone."""
    if access.consume_link(tx, "setup", token, now=visit.now) is None or people.owner_exists(tx):
        raise Forbidden(_SPENT)
    if typed.kind not in {"Person", "Organization"}:
        raise Invalid("Choose whether a person or an organization speaks.")
    if len(typed.name) > profile.MAX_NAME:
        raise Invalid(f"The display name is longer than {profile.MAX_NAME} characters. Shorten it.")
    actor = directory.create_local(
        tx,
        username=typed.username,
        kind=cast(Any, typed.kind),
        name=text.sanitize_name(typed.name, profile.MAX_NAME),
        keys=made,
        secret=secret,
        now=visit.now,
        reserved=False,
    )
    person = people.create_person(tx, email=typed.email, password_hash=password_hash, role="owner", now=visit.now)
    people.join(tx, person.id, actor.id, now=visit.now)
    instance.update(tx, name=typed.instance_name, contact_actor_id=actor.id)
    return person.id, actor.id


@routes.get("/reset")
async def show_reset(request: web.Request) -> web.Response:
    """The form for a new password, for whoever has the link."""
    return await _show(request, "reset")


@routes.post("/reset")
async def reset(request: web.Request) -> web.Response:
    """The password is set; every session and token of before is over."""
    return await _set_password(request, "reset")


@routes.get("/invite")
async def show_invitation(request: web.Request) -> web.Response:
    """The form with which an invitation is taken up."""
    return await _show(request, "invite")


@routes.post("/invite")
async def take_invitation(request: web.Request) -> web.Response:
    """The invited person has a password, and is signed in."""
    return await _set_password(request, "invite")


async def _show(
    request: web.Request, purpose: LinkPurpose, *, token: str | None = None, error: FediverseError | None = None
) -> web.Response:
    given = token if token is not None else request.query.get("token", "")

    def work(tx: Connection, visit: Visit) -> Row[Any]:
        link = access.peek_link(tx, purpose, given, now=visit.now)
        mine = people.actors_of(tx, link.person_id) if link is not None and link.person_id is not None else []
        if not mine:
            raise Forbidden(_SPENT)
        return mine[0]

    visit, actor = await read(request, work, full=False)
    handle = render.handle(visit, actor)
    invited = purpose == "invite"
    return render.page(
        with_form(visit),
        "new_password.html",
        status=error.status if error is not None else 200,
        heading="Welcome" if invited else "New password",
        lead=f"You are invited as {handle}. Choose a password to begin." if invited else f"For {handle}.",
        button="Begin" if invited else "Set the password",
        action=f"/{purpose}",
        token=given,
        handle_shown=actor.username,
        problem=error.message if error is not None else "",
    )


async def _set_password(request: web.Request, purpose: LinkPurpose) -> web.Response:
    sent = await form(request)
    token = sent.text("token")
    await read(request, lambda tx, visit: _peek(tx, visit, purpose, token), full=False)
    try:
        password_hash = await asyncio.to_thread(passwords.hash_password, sent.text("password"))
    except Invalid as error:
        return await _show(request, purpose, token=token, error=error)

    def work(tx: Connection, visit: Visit) -> tuple[int, int]:
        link = access.consume_link(tx, purpose, token, now=visit.now)
        if link is None or link.person_id is None:
            raise Forbidden(_SPENT)
        people.set_password_hash(tx, link.person_id, password_hash)
        person = people.by_id(tx, link.person_id)
        if person is not None and person.confirmed_at is None:  # the link came to that address
            signing_up.confirm(tx, person.id, now=visit.now)
        access.end_all(tx, link.person_id, now=visit.now)
        mine = people.actors_of(tx, link.person_id)
        return link.person_id, mine[0].id if mine else 0

    _, (person_id, actor_id) = await write(request, work)
    if purpose == "invite" and actor_id:
        return await begin_session(request, person_id, actor_id, target="/home")
    return see_other("/login?message=password")


def _peek(tx: Connection, visit: Visit, purpose: LinkPurpose, token: str) -> None:
    if access.peek_link(tx, purpose, token, now=visit.now) is None:
        raise Forbidden(_SPENT)
