"""Which mails people get. They are queued in the transaction that makes them necessary, and written when they are sent.

So no link's secret is stored: it is made for the mail that carries it, and a mail that has to be sent again carries a
new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row

from fediverse import access, clock, instance, jobs
from fediverse.actors import people
from fediverse.clock import Instant
from fediverse.urls import Urls

#: The kind of the jobs.
KIND: Final = "mail"
_DECISIONS: Final = {
    "none": "this is a warning, and nothing more.",
    "sensitive": "the pictures in its posts are hidden behind a warning.",
    "silence": "its posts show to those who follow it only.",
    "disable": "nobody can sign in to it.",
    "suspend": "it is suspended.",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that is to be sent: ``template`` says it in words, with ``values``."""

    template: str
    to: str
    values: Mapping[str, str] = field(default_factory=dict)


def confirm(tx: Connection, person_id: int) -> None:
    """The person is asked whether the address, or the new address, is theirs."""
    # A link that was sent to the address before must not confirm this one, not even until the mail is written.
    access.end_links(tx, "confirm", person_id=person_id, now=clock.now())
    jobs.enqueue(tx, KIND, {"letter": "confirm", "person_id": person_id})


def reset(tx: Connection, login: str) -> None:
    """Whoever signs in with this gets a link to a new password; whether there is anybody is found out later."""
    jobs.enqueue(tx, KIND, {"letter": "reset", "login": login}, unique_key=f"reset:{people.fold_email(login)}")


def approved(tx: Connection, person_id: int) -> None:
    """The person is told that the account is theirs now."""
    jobs.enqueue(tx, KIND, {"letter": "approved", "person_id": person_id})


def rejected(tx: Connection, email: str) -> None:
    """Whoever asked for an account is told that there will be none."""
    jobs.enqueue(tx, KIND, {"letter": "rejected", "to": email})


def email_changed(tx: Connection, old: str, new: str) -> None:
    """The old address is told that another one takes its place, in case that was somebody else."""
    jobs.enqueue(tx, KIND, {"letter": "email_changed", "to": old, "values": {"new": new}})


def warned(tx: Connection, person: Row[Any], username: str, *, action: str, text: str) -> None:
    """The person is told what moderators did to the account; also one who cannot sign in any more to read it."""
    values = {"decision": _DECISIONS[action], "text": text}
    jobs.enqueue(tx, KIND, {"letter": "warned", "to": person.email, "username": username, "values": values})


def password_changed(tx: Connection, person_id: int) -> None:
    """The person is told that the password is another one, in case that was somebody else."""
    jobs.enqueue(tx, KIND, {"letter": "password_changed", "person_id": person_id})


def write(tx: Connection, urls: Urls, payload: Mapping[str, Any], *, now: Instant) -> Letter | None:
    """The letter of a job; None when there is nothing to say any more."""
    name = payload["letter"]
    common = {"instance": instance.get(tx).name, "base_url": urls.base_url}
    if "to" in payload:
        handle = f"@{urls.handle(payload['username'])}" if "username" in payload else ""
        return Letter(name, payload["to"], {**common, "handle": handle, **payload.get("values", {})})
    person = people.by_login(tx, payload["login"]) if "login" in payload else people.by_id(tx, payload["person_id"])
    if person is None or person.suspended_at is not None:
        return None
    mine = people.actors_of(tx, person.id)
    if not mine:
        return None
    return _personal(tx, name, person, {**common, "handle": f"@{urls.handle(mine[0].username)}"}, now=now)


def _personal(tx: Connection, name: str, person: Row[Any], values: dict[str, str], *, now: Instant) -> Letter | None:
    to = person.email
    if name == "confirm":
        if person.confirmed_at is not None and not person.new_email:
            return None
        to = person.new_email or person.email
        token = access.create_link(tx, "confirm", person_id=person.id, now=now)
        values |= {"email": to, "link": f"{values['base_url']}/confirm?token={token}"}
    elif name == "reset":
        token = access.create_link(tx, "reset", person_id=person.id, now=now)
        values |= {"link": f"{values['base_url']}/reset?token={token}"}
    return Letter(name, to, values)
