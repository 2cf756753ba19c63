"""New accounts, made through an application, and the confirmation of their e-mail addresses."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import access, clock, entities, keys, letters, params
from fediverse.access import Credentials, passwords
from fediverse.actors import directory, people, signing_up
from fediverse.actors.signing_up import Refused, Wish
from fediverse.admin import barriers
from fediverse.api import limits, respond
from fediverse.api.respond import Call
from fediverse.caller import client_address
from fediverse.clock import Instant
from fediverse.errors import Conflict, Forbidden, Invalid
from fediverse.settings import Settings

routes = web.RouteTableDef()

_SCOPE: Final = "write:accounts"


@routes.post("/api/v1/accounts")
async def create(request: web.Request) -> web.Response:
    """A new account, as far as the instance takes any, and a token for the application to speak as it."""
    token = respond.require_token(request)
    sent = await params.read(request)
    settings, database = request.app[keys.SETTINGS], request.app[keys.DATABASE]
    credentials = await database.read(respond.authorise, token, _SCOPE, application=True)
    if credentials.is_person:
        raise Forbidden("This method requires the token of an application that nobody is signed in to.")
    if settings.registrations not in {"open", "approval"}:
        raise Forbidden("This action is not allowed: nobody can sign up here by themselves.")
    limits.count(request, limits.SIGN_UPS, "sign_ups")
    wish = Wish(
        username=sent.text("username"),
        email=sent.text("email"),
        password=sent.text("password"),
        reason=sent.text("reason").strip(),
        locale=sent.text("locale", "en")[:10],
        agreement=sent.flag("agreement"),
    )
    try:
        problems = signing_up.check(wish, settings)
        problems.update(await database.read(signing_up.taken, wish))
        if problems:
            raise Refused(problems)
        now, address = clock.now(), client_address(request)
        verdict = await database.write(barriers.sign_up, email=wish.email, address=address, now=now)
        must_wait = barriers.must_wait(verdict)
        password_hash = await asyncio.to_thread(passwords.hash_password, wish.password)
        made = await asyncio.to_thread(directory.make_keys)
        access_token, scopes = await database.write(
            _sign_up,
            credentials,
            wish,
            settings,
            password_hash=password_hash,
            made=made,
            address=address,
            must_wait=must_wait,
            now=now,
        )
    except Refused as refused:
        return respond.json(refused.shape(), status=422)
    return respond.json(entities.token(access_token, scopes=scopes, created_at=now))


def _sign_up(
    tx: Connection,
    /,
    credentials: Credentials,
    wish: Wish,
    settings: Settings,
    *,
    now: Instant,
    **more: Any,
) -> tuple[str, str]:
    """The token of the new account, and its scopes. Raises Refused when somebody else was faster."""
    person, actor = signing_up.sign_up(tx, wish, settings, now=now, **more)
    # Nobody signs up for administration: its scopes take a person's consent.
    scopes = tuple(sorted(scope for scope in credentials.scopes if not scope.startswith("admin:")))
    access_token = access.token_create(
        tx, person_id=person.id, actor_id=actor.id, scopes=scopes, now=now, app_id=credentials.app_id
    )
    return access_token, access.join_scopes(scopes)


@routes.post("/api/v1/emails/confirmations")
async def resend_confirmation(request: web.Request) -> web.Response:
    """The link that confirms the address is sent again, to another address if one is given."""
    sent = await params.read(request)
    token = respond.require_token(request)
    await request.app[keys.DATABASE].read(respond.authorise, token, _SCOPE, waiting=True)
    limits.count(request, limits.CONFIRMATIONS, "confirmations")
    email = sent.text("email").strip()

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        person = _person(tx, call)
        if person.confirmed_at is not None:
            raise Forbidden("This method is only available while the e-mail is awaiting confirmation")
        if email:
            try:
                people.set_unconfirmed_email(tx, person.id, email)
            except Conflict as error:
                raise Invalid(f"Validation failed: {error.message}") from error
        letters.confirm(tx, person.id)
        return {}

    return await respond.write(request, work, scope=_SCOPE, waiting=True)


@routes.get("/api/v1/emails/check_confirmation")
async def check_confirmation(request: web.Request) -> web.Response:
    """Whether the address is confirmed."""

    def work(tx: Connection, call: Call) -> bool:
        return _person(tx, call).confirmed_at is not None

    return await respond.read(request, work, scope="", waiting=True)


def _person(tx: Connection, call: Call) -> Row[Any]:
    person = people.by_id(tx, call.person_id)
    assert person is not None  # the token went with the person otherwise
    return person
