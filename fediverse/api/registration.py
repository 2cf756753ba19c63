"""New accounts, made through an application."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import access, clock, entities, keys, params
from fediverse.access import Credentials, passwords
from fediverse.actors import directory, people
from fediverse.actors.directory import LocalKeys
from fediverse.api import limits, respond
from fediverse.clock import Instant
from fediverse.errors import Conflict, FediverseError, Forbidden, Invalid
from fediverse.params import Params
from fediverse.settings import Settings

routes = web.RouteTableDef()

_SCOPE: Final = "write:accounts"
_REASON: Final = 500
_USERNAME: Final = 30

#: What is wrong, by parameter: (Mastodon's code, sentence).
_Problems = dict[str, list[tuple[str, str]]]


class _Refused(FediverseError):
    """Parameters that cannot be taken, each with its reasons."""

    status = 422

    def __init__(self, problems: _Problems) -> None:
        super().__init__("Validation failed: " + " ".join(text for found in problems.values() for _, text in found))
        self.problems = problems

    def shape(self) -> dict[str, Any]:
        """Mastodon's shape of a failed validation."""
        details = {
            name: [{"error": code, "description": text} for code, text in found]
            for name, found in self.problems.items()
        }
        return {"error": self.message, "details": details}


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
    try:
        problems = _check(sent, settings)
        problems.update(await database.read(_taken, sent.text("username"), sent.text("email")))
        if problems:
            raise _Refused(problems)
        password_hash = await asyncio.to_thread(passwords.hash_password, sent.text("password"))
        made = await asyncio.to_thread(directory.make_keys)
        now = clock.now()
        access_token, scopes = await database.write(
            _sign_up, credentials, sent, settings, password_hash=password_hash, made=made, now=now
        )
    except _Refused as refused:
        return respond.json(refused.shape(), status=422)
    return respond.json(entities.token(access_token, scopes=scopes, created_at=now))


def _check(sent: Params, settings: Settings) -> _Problems:
    """What is wrong with the parameters by themselves."""
    problems: _Problems = {}
    username, password = sent.text("username"), sent.text("password")
    if not username:
        problems["username"] = [("ERR_BLANK", "The user name is missing.")]
    elif len(username) > _USERNAME:
        problems["username"] = [("ERR_TOO_LONG", f"The user name has more than {_USERNAME} characters.")]
    else:
        _add(problems, "username", _username_problem(username))
    if not sent.text("email"):
        problems["email"] = [("ERR_BLANK", "The e-mail address is missing.")]
    else:
        try:
            people.check_email(sent.text("email"))
        except Invalid as error:
            problems["email"] = [("ERR_INVALID", error.message)]
    if not password:
        problems["password"] = [("ERR_BLANK", "The password is missing.")]
    else:
        _add(problems, "password", _password_problem(password))
    if not sent.flag("agreement"):
        problems["agreement"] = [("ERR_ACCEPTED", "The rules must be agreed to.")]
    reason = sent.text("reason").strip()
    if settings.registrations == "approval" and not reason:
        problems["reason"] = [("ERR_BLANK", "Say why you would like an account here.")]
    elif len(reason) > _REASON:
        problems["reason"] = [("ERR_TOO_LONG", f"The reason has more than {_REASON} characters.")]
    return problems


def _add(problems: _Problems, name: str, problem: tuple[str, str] | None) -> None:
    if problem is not None:
        problems[name] = [problem]


def _username_problem(username: str) -> tuple[str, str] | None:
    try:
        directory.check_username(username)
    except Invalid as error:
        return ("ERR_RESERVED" if username.lower() in directory.RESERVED else "ERR_INVALID"), error.message
    return None


def _password_problem(password: str) -> tuple[str, str] | None:
    try:
        passwords.check(password)
    except Invalid as error:
        if len(password) > passwords.MAX_LENGTH:
            return "ERR_TOO_LONG", error.message
        if len(unicodedata.normalize("NFC", password)) < passwords.MIN_LENGTH:
            return "ERR_TOO_SHORT", error.message
        return "ERR_INVALID", error.message
    return None


def _taken(tx: Connection, username: str, email: str) -> _Problems:
    problems: _Problems = {}
    if username and directory.local(tx, username) is not None:
        problems["username"] = [("ERR_TAKEN", f"The name “{username}” is taken.")]
    if email and people.by_email(tx, email) is not None:
        problems["email"] = [("ERR_TAKEN", "This e-mail address is in use already.")]
    return problems


def _sign_up(
    tx: Connection,
    credentials: Credentials,
    sent: Params,
    settings: Settings,
    *,
    password_hash: str,
    made: LocalKeys,
    now: Instant,
) -> tuple[str, str]:
    """The token of the new account, and its scopes. Raises _Refused when somebody else was faster."""
    username = sent.text("username")
    try:
        actor = directory.create_local(tx, username=username, keys=made, secret=settings.secret, now=now)
    except Invalid as error:
        raise _Refused({"username": [("ERR_TAKEN", error.message)]}) from error
    try:
        person = people.create_person(
            tx,
            email=sent.text("email"),
            password_hash=password_hash,
            locale=sent.text("locale", "en")[:10],
            reason=sent.text("reason").strip(),
            approved=settings.registrations == "open",
            now=now,
        )
    except Conflict as error:
        raise _Refused({"email": [("ERR_TAKEN", error.message)]}) from error
    people.join(tx, person.id, actor.id, now=now)
    scopes = tuple(sorted(credentials.scopes))
    access_token = access.token_create(
        tx, person_id=person.id, actor_id=actor.id, scopes=scopes, now=now, app_id=credentials.app_id
    )
    return access_token, access.join_scopes(scopes)
