"""New accounts that people ask for themselves: what is wrong with what they sent, and the account."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row

from fediverse import letters, notifications
from fediverse.access import passwords
from fediverse.actors import directory, people, relations
from fediverse.actors.directory import LocalKeys
from fediverse.clock import DAY, Instant
from fediverse.errors import Conflict, FediverseError, Invalid
from fediverse.settings import Settings

_REASON: Final = 500
_USERNAME: Final = 30
_PATIENCE: Final = 8 * DAY  # a day longer than the link in the last mail is good for
_AT_ONCE: Final = 50

#: What is wrong, by parameter: (Mastodon's code, sentence).
Problems = dict[str, list[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody sent who would like an account."""

    username: str
    email: str
    password: str
    reason: str = ""
    locale: str = "en"
    agreement: bool = False


class Refused(FediverseError):
    """Parameters that cannot be taken, each with its reasons."""

    status = 422

    def __init__(self, problems: Problems) -> None:
        super().__init__("Validation failed: " + " ".join(text for found in problems.values() for _, text in found))
        self.problems = problems

    def shape(self) -> dict[str, Any]:
        """Mastodon's shape of a failed validation."""
        details = {
            name: [{"error": code, "description": text} for code, text in found]
            for name, found in self.problems.items()
        }
        return {"error": self.message, "details": details}


def check(wish: Wish, settings: Settings) -> Problems:
    """What is wrong with the wish by itself."""
    problems: Problems = {}
    if not wish.username:
        problems["username"] = [("ERR_BLANK", "The user name is missing.")]
    elif len(wish.username) > _USERNAME:
        problems["username"] = [("ERR_TOO_LONG", f"The user name has more than {_USERNAME} characters.")]
    else:
        _add(problems, "username", _username_problem(wish.username))
    if not wish.email:
        problems["email"] = [("ERR_BLANK", "The e-mail address is missing.")]
    else:
        try:
            people.check_email(wish.email)
        except Invalid as error:
            problems["email"] = [("ERR_INVALID", error.message)]
    if not wish.password:
        problems["password"] = [("ERR_BLANK", "The password is missing.")]
    else:
        _add(problems, "password", _password_problem(wish.password))
    if not wish.agreement:
        problems["agreement"] = [("ERR_ACCEPTED", "The rules must be agreed to.")]
    if settings.registrations == "approval" and not wish.reason:
        problems["reason"] = [("ERR_BLANK", "Say why you would like an account here.")]
    elif len(wish.reason) > _REASON:
        problems["reason"] = [("ERR_TOO_LONG", f"The reason has more than {_REASON} characters.")]
    return problems


def _add(problems: Problems, name: str, problem: tuple[str, str] | None) -> None:
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


def taken(tx: Connection, wish: Wish) -> Problems:
    """What of the wish is somebody else's already."""
    problems: Problems = {}
    if wish.username and directory.local(tx, wish.username) is not None:
        problems["username"] = [("ERR_TAKEN", f"The name “{wish.username}” is taken.")]
    if wish.email and people.by_email(tx, wish.email) is not None:
        problems["email"] = [("ERR_TAKEN", "This e-mail address is in use already.")]
    return problems


def sign_up(
    tx: Connection,
    wish: Wish,
    settings: Settings,
    *,
    password_hash: str,
    made: LocalKeys,
    address: str = "",
    must_wait: bool = False,
    now: Instant,
) -> tuple[Row[Any], Row[Any]]:
    """(person, actor) of the new account; its mail address is asked to be confirmed where mail can be sent.

    ``address`` is the network address that asks; ``must_wait``: approval is needed in any case.

    Raises Refused when somebody else was faster.
    """
    try:
        actor = directory.create_local(tx, username=wish.username, keys=made, secret=settings.secret, now=now)
    except Invalid as error:
        raise Refused({"username": [("ERR_TAKEN", error.message)]}) from error
    try:
        person = people.create_person(
            tx,
            email=wish.email,
            password_hash=password_hash,
            locale=wish.locale,
            reason=wish.reason,
            approved=settings.registrations == "open" and not must_wait,
            confirmed=not settings.sends_mail,
            now=now,
        )
    except Conflict as error:
        raise Refused({"email": [("ERR_TAKEN", error.message)]}) from error
    people.join(tx, person.id, actor.id, now=now)
    people.came_from(tx, person.id, address, now=now)
    if settings.sends_mail:
        letters.confirm(tx, person.id)
    else:
        _announce(tx, actor.id, now=now)
    return person, actor


def confirm(tx: Connection, person_id: int, *, now: Instant) -> Row[Any] | None:
    """The person's address, or new address, is theirs; None when there is nobody. Raises Conflict when it is another's.

    Moderators hear of somebody new at the first confirmation: until then it may have been anybody.
    """
    before = people.by_id(tx, person_id)
    if before is None:
        return None
    people.confirm(tx, before, now=now)
    if before.confirmed_at is None:
        for actor in people.actors_of(tx, person_id)[:1]:
            _announce(tx, actor.id, now=now)
    elif before.new_email:
        letters.email_changed(tx, before.email, before.new_email)
    return people.by_id(tx, person_id)


def forget_unconfirmed(tx: Connection, *, now: Instant) -> None:
    """Of accounts whose address nobody confirmed in time nothing is left: their names are free again."""
    for person_id in people.unconfirmed_before(tx, now - _PATIENCE, limit=_AT_ONCE):
        for actor in people.actors_of(tx, person_id):
            relations.end_all(tx, actor.id)
            directory.forget_local(tx, actor.id)
        people.delete_person(tx, person_id)


def _announce(tx: Connection, actor_id: int, *, now: Instant) -> None:
    notifications.tell(tx, people.staff_actors(tx), kind="admin.sign_up", by_id=actor_id, now=now)
