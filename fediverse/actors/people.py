"""People, and who of them may speak as which actor. Owner of the tables ``people``, ``person_weeks``,
``person_days``, ``person_addresses`` and ``memberships``.

A person signs in; an actor speaks. Nobody but the person, moderators and the operator sees what is stored here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, delete, exists, select, update

from fediverse import events, ids, notifications
from fediverse.clock import DAY, WEEK, Instant, week_of
from fediverse.db import insert
from fediverse.errors import Conflict, Forbidden, Invalid
from fediverse.roles import STAFF
from fediverse.tables.actors import actors, memberships, people, person_addresses, person_days, person_weeks

Role = Literal["owner", "admin", "moderator", "user"]

WEEKS_KEPT: Final = 13
DAYS_KEPT: Final = 366 * DAY
ADDRESSES_KEPT: Final = 90 * DAY

ROLES: Final[tuple[Role, ...]] = ("owner", "admin", "moderator", "user")

_IN_USE: Final = "This e-mail address is in use already. Sign in, or use another one."
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;:\"\\]{1,64}@[^@\s\x00-\x1f\x7f<>,;:\"\\]{1,255}")


def fold_email(email: str) -> str:
    """The identity of an e-mail address: two spellings of one mailbox give the same string."""
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def check_email(email: str) -> str:
    """The address without white space around it. Raises Invalid when it cannot be one."""
    cleaned = email.strip()
    if not _EMAIL.fullmatch(cleaned):
        raise Invalid("This does not look like an e-mail address. One looks like name@example.com.")
    return cleaned


def create_person(
    tx: Connection,
    *,
    email: str,
    password_hash: str = "",
    role: Role = "user",
    locale: str = "en",
    reason: str = "",
    approved: bool = True,
    confirmed: bool = True,
    now: Instant,
) -> Row[Any]:
    """The person exists and, where ``approved`` and ``confirmed``, may sign in (once there is a password).

    Raises Invalid for what is no e-mail address, Conflict when the address is in use.
    """
    cleaned = check_email(email)
    row = tx.execute(
        insert(tx, people)
        .values(
            id=ids.new_id(),
            email=cleaned,
            email_folded=fold_email(cleaned),
            password_hash=password_hash,
            role=role,
            locale=locale,
            reason=reason,
            created_at=now,
            approved_at=now if approved else None,
            confirmed_at=now if confirmed else None,
        )
        .on_conflict_do_nothing(index_elements=["email_folded"])
        .returning(*people.c)
    ).first()
    if row is None:
        raise Conflict(_IN_USE)
    return row


def by_id(tx: Connection, person_id: int) -> Row[Any] | None:
    """The person with this id."""
    return tx.execute(select(people).where(people.c.id == person_id)).first()


def by_email(tx: Connection, email: str) -> Row[Any] | None:
    """The person with this e-mail address, however it is spelt."""
    return tx.execute(select(people).where(people.c.email_folded == fold_email(email))).first()


def by_actor(tx: Connection, actor_id: int) -> Row[Any] | None:
    """The person who owns the actor; where several do, the first."""
    return tx.execute(
        select(people)
        .join(memberships, memberships.c.person_id == people.c.id)
        .where(memberships.c.actor_id == actor_id, memberships.c.role == "owner")
        .order_by(memberships.c.created_at, people.c.id)
    ).first()


def by_login(tx: Connection, login: str) -> Row[Any] | None:
    """The person who signs in with this: an e-mail address, or the name of an actor here (with or without ``@``)."""
    typed = login.strip()
    if "@" in typed.removeprefix("@"):
        return by_email(tx, typed)
    actor_id = tx.scalar(
        select(actors.c.id).where(actors.c.host == "", actors.c.username_folded == typed.removeprefix("@").lower())
    )
    return by_actor(tx, actor_id) if actor_id is not None else None


def join(
    tx: Connection, person_id: int, actor_id: int, *, role: Literal["owner", "editor"] = "owner", now: Instant
) -> None:
    """The person may speak as the actor; as its owner also say who else may."""
    tx.execute(
        insert(tx, memberships)
        .values(person_id=person_id, actor_id=actor_id, role=role, created_at=now)
        .on_conflict_do_update(index_elements=["person_id", "actor_id"], set_={"role": role})
    )


def actors_of(tx: Connection, person_id: int) -> Sequence[Row[Any]]:
    """The actors that the person may speak as, the longest held first; deleted ones are not among them."""
    return tx.execute(
        select(actors)
        .join(memberships, memberships.c.actor_id == actors.c.id)
        .where(memberships.c.person_id == person_id, actors.c.deleted_at.is_(None))
        .order_by(memberships.c.created_at, actors.c.id)
    ).all()


def owner_exists(tx: Connection) -> bool:
    """Whether somebody owns this instance: until then it is to be set up."""
    return bool(tx.scalar(select(exists().where(people.c.role == "owner"))))


def staff_actors(tx: Connection) -> list[int]:
    """The actors to whom moderators' matters are told: of each moderator the first that is theirs alone.

    What several may speak as, others read along.
    """
    shared = exists().where(memberships.c.actor_id == actors.c.id, memberships.c.person_id != people.c.id)
    rows = tx.execute(
        select(people.c.id.label("person"), actors.c.id.label("actor"))
        .select_from(people)
        .join(memberships, memberships.c.person_id == people.c.id)
        .join(actors, actors.c.id == memberships.c.actor_id)
        .where(
            people.c.role.in_(STAFF),
            people.c.approved_at.is_not(None),
            people.c.suspended_at.is_(None),
            actors.c.deleted_at.is_(None),
            ~shared.correlate(actors, people),
        )
        .order_by(memberships.c.created_at, actors.c.id)
    ).all()
    return list({row.person: row.actor for row in reversed(rows)}.values())


def everybody(tx: Connection) -> Sequence[Row[Any]]:
    """All people, with ``username`` and ``actor_id`` of the actor that each joined first; for the command line."""
    first = (
        select(memberships.c.actor_id)
        .where(memberships.c.person_id == people.c.id)
        .order_by(memberships.c.created_at, memberships.c.actor_id)
        .limit(1)
        .scalar_subquery()
    )
    return tx.execute(
        select(people, actors.c.username, actors.c.id.label("actor_id"))
        .select_from(people)
        .outerjoin(actors, actors.c.id == first)
        .order_by(people.c.id)
    ).all()


def set_password_hash(tx: Connection, person_id: int, password_hash: str) -> None:
    """The person signs in with another password. Sessions are the caller's to end."""
    tx.execute(update(people).where(people.c.id == person_id).values(password_hash=password_hash))


def set_suspended(tx: Connection, person_id: int, suspended: bool, *, now: Instant) -> None:
    """The person can no longer sign in, or can again. Raises Forbidden for the last owner."""
    if suspended:
        _keep_an_owner(tx, person_id)
    tx.execute(update(people).where(people.c.id == person_id).values(suspended_at=now if suspended else None))
    events.after_commit(tx, events.AccessChanged(person_id=person_id))


def set_role(tx: Connection, person_id: int, role: Role) -> None:
    """The person has the role. Raises Forbidden when the last owner would no longer be one."""
    if role != "owner":
        _keep_an_owner(tx, person_id)
    tx.execute(update(people).where(people.c.id == person_id).values(role=role))
    if role not in STAFF:
        notifications.forget_house(tx, [row.id for row in actors_of(tx, person_id)])


def _keep_an_owner(tx: Connection, person_id: int) -> None:
    """Raises Forbidden when nobody else owns the instance than this person."""
    owners = tx.scalars(select(people.c.id).where(people.c.role == "owner", people.c.suspended_at.is_(None))).all()
    if list(owners) == [person_id]:
        raise Forbidden("This is the last owner: make somebody else an owner first.")


def approve(tx: Connection, person_id: int, *, now: Instant) -> None:
    """The person who asked for an account has it."""
    tx.execute(update(people).where(people.c.id == person_id, people.c.approved_at.is_(None)).values(approved_at=now))


def confirm(tx: Connection, person: Row[Any], *, now: Instant) -> None:
    """The address is known to be the person's; a new one takes its place. Raises Conflict when that is in use."""
    values: dict[str, Any] = {"confirmed_at": now, "new_email": ""}
    if person.new_email:
        values |= {"email": person.new_email, "email_folded": fold_email(person.new_email)}
        other = by_email(tx, person.new_email)
        if other is not None and other.id != person.id:
            raise Conflict(_IN_USE)
    tx.execute(update(people).where(people.c.id == person.id).values(values))


def set_email(tx: Connection, person: Row[Any], email: str, *, at_once: bool, now: Instant) -> None:
    """The person has another address: ``at_once``, or once it is confirmed.

    Raises Invalid for what is no address, Conflict when it is in use.
    """
    cleaned = check_email(email)
    other = by_email(tx, cleaned)
    if other is not None and other.id != person.id:
        raise Conflict(_IN_USE)
    tx.execute(update(people).where(people.c.id == person.id).values(new_email=cleaned))
    if at_once:
        confirm(tx, tx.execute(select(people).where(people.c.id == person.id)).one(), now=now)


def drop_new_email(tx: Connection, person_id: int) -> None:
    """The address stays as it is."""
    tx.execute(update(people).where(people.c.id == person_id).values(new_email=""))


def set_unconfirmed_email(tx: Connection, person_id: int, email: str) -> None:
    """The address that is waiting to be confirmed is another one. Raises Invalid and Conflict as :func:`set_email`."""
    cleaned = check_email(email)
    other = by_email(tx, cleaned)
    if other is not None and other.id != person_id:
        raise Conflict(_IN_USE)
    tx.execute(
        update(people)
        .where(people.c.id == person_id, people.c.confirmed_at.is_(None))
        .values(email=cleaned, email_folded=fold_email(cleaned))
    )


def unconfirmed_before(tx: Connection, instant: Instant, *, limit: int) -> list[int]:
    """People who signed up before then and never confirmed their address."""
    waiting = select(people.c.id).where(people.c.confirmed_at.is_(None), people.c.created_at < instant)
    return list(tx.scalars(waiting.order_by(people.c.id).limit(limit)))


def seen(tx: Connection, person_id: int, *, now: Instant) -> None:
    """The person was active today; written once a day, since only days are counted."""
    today = now - now % DAY
    tx.execute(
        update(people)
        .where(people.c.id == person_id, (people.c.last_active_at.is_(None)) | (people.c.last_active_at < today))
        .values(last_active_at=now)
    )
    tx.execute(insert(tx, person_days).values(day=today, person_id=person_id).on_conflict_do_nothing())
    week = {"week": week_of(now), "person_id": person_id}
    tx.execute(insert(tx, person_weeks).values(**week).on_conflict_do_nothing())


def sweep(tx: Connection, *, now: Instant) -> None:
    """Nobody's visits of long ago are remembered."""
    tx.execute(delete(person_days).where(person_days.c.day < now - DAYS_KEPT))
    tx.execute(delete(person_weeks).where(person_weeks.c.week < week_of(now - WEEKS_KEPT * WEEK)))


def came_from(tx: Connection, person_id: int, address: str, *, now: Instant) -> None:
    """The person was at this address; after ninety days without it that is forgotten."""
    if not address:
        return
    tx.execute(
        insert(tx, person_addresses)
        .values(person_id=person_id, address=address, used_at=now)
        .on_conflict_do_update(index_elements=["person_id", "address"], set_={"used_at": now})
    )
    tx.execute(delete(person_addresses).where(person_addresses.c.used_at < now - ADDRESSES_KEPT))


def delete_person(tx: Connection, person_id: int) -> None:
    """Nothing of the person is stored any more; sessions, tokens and memberships go along.

    Raises Forbidden for the last owner.
    """
    _keep_an_owner(tx, person_id)
    tx.execute(delete(people).where(people.c.id == person_id))
    events.after_commit(tx, events.AccessChanged(person_id=person_id))
