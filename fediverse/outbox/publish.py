"""The way out begins here: an activity and its fan-out are written with the change that they tell of, or not at all.

Publishing costs the same whatever the audience: one row in ``activities``, one in ``fanouts``. Who gets it is worked
out afterwards by ``outbox.fanout``. This module is the only writer of both tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import orjson
from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from fediverse import events, ids, queue
from fediverse.clock import Instant
from fediverse.outbox.retry import PRIVATE_LIFETIME, PUBLIC_LIFETIME
from fediverse.tables.actors import actors, follows
from fediverse.tables.outbox import activities, deliveries, fanouts
from fediverse.tables.statuses import favourites, mentions, poll_votes, statuses

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"

# A public post that is three days old can be fetched; what is private or takes something back cannot be.
_TAKES_BACK = frozenset({"Delete", "Undo", "Move"})
_NEVER_ON_THE_WIRE = ("bto", "bcc")  # ActivityPub §6: removed before delivery
_PURGE = 1000
_ADD_ACTIVITY = insert(activities)
_ADD_FANOUT = insert(fanouts)
_MOVE = (
    update(fanouts)
    .where(fanouts.c.id == bindparam("fanout"), fanouts.c.attempts == bindparam("claim"))
    .values(cursor=bindparam("to"), leased_until=bindparam("until"))
)
_FINISH = delete(fanouts).where(fanouts.c.id == bindparam("fanout"), fanouts.c.attempts == bindparam("claim"))
_WAITING = select(fanouts.c.id).where(fanouts.c.object_key == bindparam("key")).limit(1)


def _build_claim() -> ReturningUpdate[Any]:
    older = fanouts.alias("older")
    overtakes = and_(
        fanouts.c.object_key != "",
        exists().where(older.c.object_key == fanouts.c.object_key, older.c.id < fanouts.c.id),
    )
    free = or_(fanouts.c.leased_until.is_(None), fanouts.c.leased_until <= bindparam("now"))
    due = (
        select(fanouts.c.id)
        .where(fanouts.c.due_at <= bindparam("now"), free, ~overtakes)
        .order_by(fanouts.c.due_at, fanouts.c.id)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)
    )
    columns: tuple[Any, ...] = tuple(fanouts.c)
    return (
        update(fanouts)
        .where(fanouts.c.id.in_(due))
        .values(leased_until=bindparam("until"), attempts=fanouts.c.attempts + 1)
        .returning(*columns)
    )


_CLAIM = _build_claim()


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is to get an activity, as far as it is known when it is published.

    ``followers``: the accepted followers of the author. ``actors``: ids of actors who are mentioned or addressed (local
    ones are passed over). ``inboxes``: addresses known otherwise. ``everyone_known``: every server known here, as for
    the deletion of an account. ``also_status``: everybody remote who had to do with that status: who boosted or liked
    it, voted in its poll, answered it or was mentioned, or follows somebody here who boosted it; they are looked up
    while publishing, so publish before those rows are wiped.
    """

    followers: bool = False
    actors: tuple[int, ...] = ()
    inboxes: tuple[str, ...] = ()
    everyone_known: bool = False
    also_status: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nobody can be meant."""
        return not (self.followers or self.actors or self.inboxes or self.everyone_known or self.also_status)


class Plan(TypedDict):
    """An audience as ``fanouts`` keeps it, and what else its fan-out needs to know of the activity.

    ``shared``: shared inboxes may take it. ``public``: anybody may read it, so a dead server need not get it.
    """

    actor_id: int
    type: str
    followers: bool
    actors: list[int]
    inboxes: list[str]
    everyone_known: bool
    shared: bool
    public: bool


def publish(
    tx: Connection,
    *,
    actor_id: int,
    activity: dict[str, Any],
    object_key: str,
    audience: Audience,
    now: Instant,
    private: bool = False,
) -> int:
    """The activity is on its way once ``tx`` commits; its id here, or 0 when the audience is empty.

    ``activity`` is sent as it stands, but for ``bto`` and ``bcc``. Activities with the same ``object_key`` reach a
    host in the order in which they were published. Private ones are tried for seven days, as are those that take
    something back; others for three.
    """
    if audience.is_empty:
        return 0
    activity_id = ids.new_id()
    lasts = PRIVATE_LIFETIME if private or activity.get("type") in _TAKES_BACK else PUBLIC_LIFETIME
    kind = str(activity.get("type", ""))
    tx.execute(
        _ADD_ACTIVITY,
        {
            "id": activity_id,
            "actor_id": actor_id,
            "type": kind,
            "object_key": object_key,
            "document": orjson.dumps(_without_hidden_recipients(activity)),
            "expires_at": now + lasts,
            "created_at": now,
        },
    )
    plan = _plan(tx, activity, audience, actor_id=actor_id, kind=kind, private=private)
    tx.execute(_ADD_FANOUT, {"id": activity_id, "object_key": object_key, "audience": plan, "due_at": now})
    events.after_commit(tx, events.Woken("fanouts"))
    return activity_id


def claim_fanout(tx: Connection, *, now: Instant, limit: int = 1) -> Sequence[Row[Any]]:
    """At most ``limit`` due fan-outs are leased to the caller, oldest first.

    None whose object has an older one: of two activities about one thing the first must have all its deliveries
    written before the second has any.
    """
    claimed = tx.execute(_CLAIM, {"now": now, "until": now + queue.LEASE, "limit": limit}).all()
    return sorted(claimed, key=lambda row: (row.due_at, row.id))


def move_cursor(tx: Connection, fanout_id: int, *, attempts: int, cursor: int, now: Instant) -> bool:
    """The fan-out has come to ``cursor`` and stays leased; False when it was claimed again after ``attempts``."""
    values = {"fanout": fanout_id, "claim": attempts, "to": cursor, "until": now + queue.LEASE}
    return tx.execute(_MOVE, values).rowcount > 0


def finish_fanout(tx: Connection, fanout_id: int, *, attempts: int) -> bool:
    """Every delivery of the activity is written; False when the fan-out was claimed again after ``attempts``."""
    return tx.execute(_FINISH, {"fanout": fanout_id, "claim": attempts}).rowcount > 0


def has_fanout_about(tx: Connection, object_key: str) -> bool:
    """Whether an activity about this object still waits for its fan-out."""
    return bool(object_key) and tx.scalar(_WAITING, {"key": object_key}) is not None


def purge_settled(tx: Connection, *, before: Instant) -> int:
    """Activities published before an instant that have nothing left to send are gone (1,000 at most); how many."""
    settled = (
        select(activities.c.id)
        .where(
            activities.c.id < ids.floor_id(before),
            ~exists().where(deliveries.c.activity_id == activities.c.id),
            ~exists().where(fanouts.c.id == activities.c.id),
        )
        .limit(_PURGE)
    )
    return tx.execute(delete(activities).where(activities.c.id.in_(settled))).rowcount


def _plan(
    tx: Connection, activity: dict[str, Any], audience: Audience, *, actor_id: int, kind: str, private: bool
) -> Plan:
    addressed = [*_strings(activity.get("to")), *_strings(activity.get("cc"))]
    # What is for single people goes to their own inboxes: a server must not have to guess whom it is for.
    shared = audience.followers or audience.everyone_known or PUBLIC in addressed
    inboxes = list(audience.inboxes)
    if audience.also_status:
        inboxes += tx.scalars(_involved_inboxes(audience.also_status, shared=shared))
    return Plan(
        actor_id=actor_id,
        type=kind,
        followers=audience.followers,
        actors=list(dict.fromkeys(audience.actors)),
        inboxes=list(dict.fromkeys(inboxes)),
        everyone_known=audience.everyone_known,
        shared=shared,
        public=PUBLIC in addressed and not private and kind not in _TAKES_BACK,
    )


def _involved_inboxes(status_id: int, *, shared: bool) -> Select[tuple[str]]:
    """Inboxes, not people: their number is bounded by the servers, even for a post that half of the world liked."""
    involved = union(
        select(mentions.c.actor_id).where(mentions.c.status_id == status_id),
        select(favourites.c.actor_id).where(favourites.c.status_id == status_id),
        select(poll_votes.c.actor_id).where(poll_votes.c.status_id == status_id),
        select(statuses.c.author_id).where(statuses.c.boost_of_id == status_id),
        select(statuses.c.author_id).where(statuses.c.in_reply_to_id == status_id),
        # Their servers fetched it when it was boosted to them.
        select(follows.c.follower_id)
        .join(statuses, statuses.c.author_id == follows.c.followee_id)
        .where(statuses.c.boost_of_id == status_id, statuses.c.local, follows.c.accepted, ~follows.c.follower_is_local),
    ).subquery()
    inbox = func.coalesce(actors.c.shared_inbox, actors.c.inbox) if shared else actors.c.inbox
    return (
        select(inbox)
        .distinct()
        .where(
            actors.c.id.in_(select(involved.c.actor_id)),
            actors.c.host != "",
            actors.c.inbox.is_not(None),
            actors.c.suspended_at.is_(None),
            actors.c.deleted_at.is_(None),
        )
    )


def _without_hidden_recipients(activity: dict[str, Any]) -> dict[str, Any]:
    document = {name: value for name, value in activity.items() if name not in _NEVER_ON_THE_WIRE}
    embedded = document.get("object")
    if isinstance(embedded, dict):
        document["object"] = {name: value for name, value in embedded.items() if name not in _NEVER_ON_THE_WIRE}
    return document


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
