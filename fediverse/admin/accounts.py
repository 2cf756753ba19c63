"""Accounts as moderators see them: with the people behind them. Only read here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, or_, select

from fediverse import roles
from fediverse.clock import Instant
from fediverse.errors import Forbidden, NotFound
from fediverse.paging import Page
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors, memberships, people, person_addresses

Origin = Literal["local", "remote"]
Status = Literal["active", "pending", "disabled", "silenced", "sensitized", "suspended"]


@dataclass(frozen=True, slots=True)
class Staff:
    """Who moderates, as which actor."""

    person_id: int
    actor_id: int
    role: str
    now: Instant


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account with its first owner, where that signed in from lately (the latest first), and its highest role."""

    actor: Row[Any]
    person: Row[Any] | None = None
    addresses: Sequence[Row[Any]] = ()
    role: str = "user"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which accounts are looked for; what is None or empty matters not. Texts need only be part of the name."""

    origin: Origin | None = None
    status: Status | None = None
    roles: Sequence[str] | None = None
    username: str = ""
    name: str = ""
    host: str = ""
    email: str = ""
    address: str = ""


def views(tx: Connection, actor_ids: Iterable[int]) -> dict[int, AccountView]:
    """The accounts by id, in three queries."""
    wanted = set(actor_ids)
    if not wanted:
        return {}
    rows = tx.execute(select(actors).where(actors.c.id.in_(wanted))).all()
    owners: dict[int, list[Row[Any]]] = {}
    owned = (
        select(people, memberships.c.actor_id)
        .join(memberships, memberships.c.person_id == people.c.id)
        .where(memberships.c.actor_id.in_(wanted), memberships.c.role == "owner")
        .order_by(memberships.c.created_at, people.c.id)
    )
    for person in tx.execute(owned):
        owners.setdefault(person.actor_id, []).append(person)
    addresses = _addresses(tx, {found[0].id for found in owners.values()})
    return {row.id: _view(row, owners.get(row.id, []), addresses) for row in rows}


def _addresses(tx: Connection, person_ids: set[int]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    if person_ids:
        table = person_addresses
        ordered = select(table).where(table.c.person_id.in_(person_ids)).order_by(table.c.used_at.desc())
        for row in tx.execute(ordered):
            found.setdefault(row.person_id, []).append(row)
    return found


def _view(row: Row[Any], owners: Sequence[Row[Any]], addresses: dict[int, list[Row[Any]]]) -> AccountView:
    if not owners:
        return AccountView(row)
    # Who acts against an account acts against everybody who owns it.
    role = max((owner.role for owner in owners), key=roles.rank)
    return AccountView(row, owners[0], addresses.get(owners[0].id, ()), role)


def get(tx: Connection, actor_id: int) -> AccountView:
    """The account. Raises NotFound; the instance actor is none, nor is what was deleted."""
    view = views(tx, [actor_id]).get(actor_id) if actor_id != INSTANCE_ACTOR_ID else None
    if view is None or view.actor.deleted_at is not None:
        raise NotFound("Record not found")
    return view


def get_below(tx: Connection, actor_id: int, staff: Staff) -> AccountView:
    """The account, against which the moderator may act. Raises NotFound, or Forbidden for an equal or a superior."""
    view = get(tx, actor_id)
    if view.person is not None and not roles.outranks(staff.role, view.role):
        raise Forbidden("This action is not allowed: the account belongs to somebody of your own rank or above.")
    return view


def page(tx: Connection, page: Page, wanted: Filter) -> list[Row[Any]]:
    """A page of actors that fit, those first that were known last."""
    statement = select(actors).where(
        actors.c.id != INSTANCE_ACTOR_ID, actors.c.deleted_at.is_(None), *_conditions(wanted)
    )
    return page.newest_first(tx.execute(page.select(statement, actors.c.id)).all())


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.origin is not None:
        found.append(actors.c.host == "" if wanted.origin == "local" else actors.c.host != "")
    if wanted.status is not None:
        found.append(_has_status(wanted.status))
    if wanted.roles is not None:
        found.append(_owner(people.c.role.in_(wanted.roles)))
    if wanted.username:
        found.append(actors.c.username_folded.contains(wanted.username.lower(), autoescape=True))
    if wanted.name:
        found.append(actors.c.name.icontains(wanted.name, autoescape=True))
    if wanted.host:
        found.append(actors.c.host == wanted.host)
    if wanted.email:
        found.append(_owner(people.c.email_folded.contains(wanted.email, autoescape=True)))
    if wanted.address:
        known = exists().where(
            person_addresses.c.person_id == people.c.id, person_addresses.c.address == wanted.address
        )
        found.append(_owner(known.correlate(people)))
    return found


def _has_status(status: Status) -> ColumnElement[bool]:
    open_ = actors.c.suspended_at.is_(None)
    match status:
        case "active":
            return and_(open_, or_(actors.c.host != "", _owner(people.c.approved_at.is_not(None))))
        case "pending":
            return _owner(people.c.approved_at.is_(None))
        case "disabled":
            return and_(open_, _owner(people.c.suspended_at.is_not(None)))
        case "silenced":
            return actors.c.limited_at.is_not(None)
        case "sensitized":
            return actors.c.sensitized_at.is_not(None)
        case "suspended":
            return ~open_


def _owner(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether an owner of the actor is such."""
    return (
        exists()
        .where(
            memberships.c.actor_id == actors.c.id,
            memberships.c.role == "owner",
            people.c.id == memberships.c.person_id,
            condition,
        )
        .correlate(actors)
    )
