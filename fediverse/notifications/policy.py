"""Which notifications are kept back or refused by who sends them, and what becomes of those that were kept back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)

from fediverse import conversations, events
from fediverse.clock import DAY, Instant
from fediverse.db import insert
from fediverse.errors import Invalid
from fediverse.paging import Page
from fediverse.tables.actors import actors
from fediverse.tables.timelines import notification_permissions as permissions
from fediverse.tables.timelines import notification_policies as policies
from fediverse.tables.timelines import notifications as table

Verdict = Literal["accept", "filter", "drop"]
NAMES: Final = (
    "for_not_following",
    "for_not_followers",
    "for_new_accounts",
    "for_private_mentions",
    "for_limited_accounts",
)
_VERDICTS: Final = ("accept", "filter", "drop")
# What the server itself tells is never kept back, nor what was asked for.
_FILTERABLE: Final = frozenset({"mention", "reblog", "favourite", "follow", "follow_request", "quote"})
# Whoever sent one of these that was kept back asks to be heard.
_ASKING: Final = ("mention", "quote")
_NEW_ACCOUNT: Instant = 30 * DAY
_NEW_FOLLOWER: Instant = 3 * DAY
_COUNTED: Final = 100
# In the words of the partial indexes.
NO_GROUP: ColumnElement[str] = literal_column("''")


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of notifications by whom they are from."""

    for_not_following: Verdict = "accept"
    for_not_followers: Verdict = "accept"
    for_new_accounts: Verdict = "accept"
    for_private_mentions: Verdict = "accept"
    for_limited_accounts: Verdict = "filter"


DEFAULT: Final = Policy()


def of(row: Row[Any]) -> Policy:
    """The policy whose columns a row has; the default where there was none to join."""
    return DEFAULT if row.for_not_following is None else Policy(*(getattr(row, name) for name in NAMES))


def verdict(standing: Row[Any], *, kind: str, by: Row[Any], private: bool, now: Instant) -> Verdict:
    """What the recipient's policy says to a notification; ``private``: a direct post that answers nothing of theirs.

    ``standing`` has the policy's columns, ``following``, ``follower_since`` and ``permitted``.
    """
    if kind not in _FILTERABLE or standing.permitted:
        return "accept"
    mine = of(standing)
    said = set[Verdict]()
    if standing.follower_since is None or standing.follower_since > now - _NEW_FOLLOWER:
        said.add(mine.for_not_followers)
    if not standing.following:
        said.add(mine.for_not_following)
        if by.limited_at is not None:
            said.add(mine.for_limited_accounts)
        if by.created_at > now - _NEW_ACCOUNT:
            said.add(mine.for_new_accounts)
        if private:
            said.add(mine.for_private_mentions)
    return "drop" if "drop" in said else "filter" if "filter" in said else "accept"


def get_policy(tx: Connection, actor_id: int) -> Policy:
    """The actor's policy."""
    row = tx.execute(select(policies).where(policies.c.actor_id == actor_id)).first()
    return DEFAULT if row is None else of(row)


def set_policy(tx: Connection, actor_id: int, changes: Mapping[str, str]) -> Policy:
    """The actor's policy says this of what is named. Raises Invalid for what no policy says."""
    for name, value in changes.items():
        if value not in _VERDICTS:
            raise Invalid(f"“{name}” must be accept, filter or drop.")
    old = get_policy(tx, actor_id)
    values = {name: changes.get(name, getattr(old, name)) for name in NAMES}
    tx.execute(
        insert(tx, policies)
        .values(actor_id=actor_id, **values)
        .on_conflict_do_update(index_elements=["actor_id"], set_=values)
    )
    return get_policy(tx, actor_id)


@dataclass(frozen=True, slots=True)
class Request:
    """A sender whose mentions were kept back. ``id`` is that of the first of them."""

    id: int
    from_id: int
    count: int
    last_status_id: int
    created_at: Instant
    updated_at: Instant


def requests_page(tx: Connection, actor_id: int, page: Page) -> list[Request]:
    """A page of those who ask to be heard, the latest first."""
    grouped = _requests(actor_id).subquery()
    return page.newest_first([Request(*row) for row in tx.execute(page.select(select(grouped), grouped.c.id))])


def get_request(tx: Connection, actor_id: int, request_id: int) -> Request | None:
    """One who asks to be heard, by the id of any of their notifications that were kept back."""
    senders = _senders(actor_id, [request_id])
    row = tx.execute(_requests(actor_id).where(table.c.from_actor_id.in_(senders))).first()
    return Request(*row) if row is not None else None


def pending(tx: Connection, actor_id: int) -> tuple[int, int]:
    """(how many ask to be heard, with how many notifications)."""
    kept = _requests(actor_id).limit(_COUNTED).subquery()
    row = tx.execute(select(func.count(), func.coalesce(func.sum(kept.c.size), 0)).select_from(kept)).one()
    return int(row[0]), int(row[1])


def accept_requests(tx: Connection, actor_id: int, request_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Those who ask are heard from now on, and what was kept back of them shows: these notifications."""
    from_ids = [row.from_actor_id for row in tx.execute(_senders(actor_id, request_ids))]
    if not from_ids:
        return []
    rows = [{"actor_id": actor_id, "from_actor_id": from_id} for from_id in from_ids]
    tx.execute(insert(tx, permissions).on_conflict_do_nothing(), rows)
    shown = tx.execute(
        update(table).where(_kept_back(actor_id, from_ids)).values(filtered=False).returning(*table.c)
    ).all()
    conversations.arrive_late(tx, actor_id, [row.status_id for row in shown if row.kind == "mention"])
    events.after_commit(tx, events.Changed(actor_id, "notifications_merged"))
    return shown


def dismiss_requests(tx: Connection, actor_id: int, request_ids: Sequence[int]) -> bool:
    """What was kept back of those who ask is gone; they may ask again. False when none of them did."""
    from_ids = [row.from_actor_id for row in tx.execute(_senders(actor_id, request_ids))]
    return bool(from_ids) and tx.execute(delete(table).where(_kept_back(actor_id, from_ids))).rowcount > 0


def _requests(actor_id: int) -> Select[Any]:
    sender_shows = exists().where(
        actors.c.id == table.c.from_actor_id, actors.c.suspended_at.is_(None), actors.c.deleted_at.is_(None)
    )
    return (
        select(
            func.min(table.c.id).label("id"),
            table.c.from_actor_id,
            func.count().label("size"),
            func.max(table.c.status_id).label("last_status_id"),
            func.min(table.c.created_at).label("created_at"),
            func.max(table.c.created_at).label("updated_at"),
        )
        .where(table.c.actor_id == actor_id, table.c.filtered, table.c.kind.in_(_ASKING), sender_shows)
        .group_by(table.c.from_actor_id)
    )


def _senders(actor_id: int, notification_ids: Sequence[int]) -> Select[tuple[int]]:
    asked = table.alias("asked")
    given = bindparam("notifications", list(notification_ids), type_=BigInteger, expanding=True)
    mine = (asked.c.id.in_(given), asked.c.actor_id == actor_id, asked.c.filtered)
    return select(asked.c.from_actor_id).where(*mine).distinct()


def _kept_back(actor_id: int, from_ids: Sequence[int]) -> ColumnElement[bool]:
    return and_(table.c.actor_id == actor_id, table.c.filtered, table.c.from_actor_id.in_(list(from_ids)))
