"""A notification comes to be: here and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from fediverse import conversations, events, ids
from fediverse.clock import HOUR, Instant
from fediverse.db import Dialect, Prepared, id_list
from fediverse.drafts import Visibility
from fediverse.notifications import policy
from fediverse.push import queue as push
from fediverse.tables.actors import actors, blocks, follows, mutes
from fediverse.tables.push import push_subscriptions
from fediverse.tables.relations import hidden_hosts
from fediverse.tables.statuses import conversation_mutes, mentions, statuses
from fediverse.tables.timelines import notification_permissions, notification_policies
from fediverse.tables.timelines import notifications as table
from fediverse.visibility import language_mark, wants_language

Kind = Literal[
    "mention",
    "status",
    "reblog",
    "favourite",
    "follow",
    "follow_request",
    "update",
    "poll",
    "quote",
    "quoted_update",
    "moderation_warning",
    "severed_relationships",
]
# From the house, about something that is no status.
HouseKind = Literal["admin.report", "admin.sign_up", "moderation_warning", "severed_relationships"]
# What an actor is told of its own doings, or by nobody in particular: then it stands as the sender itself.
_OF_ONESELF: Final = frozenset({"poll", "moderation_warning", "severed_relationships"})
# Of these the latest one is told, instead of those before.
_REPLACING: Final = frozenset({"update", "quoted_update"})
# Kinds that are shown as one, by what they are about besides the kind.
_GROUPED_BY_STATUS: Final = frozenset({"favourite", "reblog"})
GROUPED: Final = (*sorted(_GROUPED_BY_STATUS), "follow", "admin.sign_up")
# A group takes in what comes within this many hours of its first.
_SPAN: Final = 12


def notify(
    tx: Connection,
    recipient_ids: Iterable[int],
    *,
    kind: Kind,
    by: Row[Any],
    now: Instant,
    status: Row[Any] | None = None,
    about_id: int = 0,
) -> None:
    """Each local recipient is told once, unless they block or mute who did it, or have muted the conversation.

    Their policy may keep it back until they accept the sender, or refuse it. ``about_id`` is the report, warning or
    event that it is about.
    """
    recipients = [one for one in recipient_ids if one != by.id or kind in _OF_ONESELF]
    if by.suspended_at is not None and kind not in _OF_ONESELF:
        return
    if not recipients:
        return
    standings = _standings(tx, recipients, by=by, status=status, now=now)
    answered = _answered(tx, standings, kind=kind, by=by, status=status)
    groups = _group_keys(tx, [row.recipient for row in standings], kind=kind, status=status, now=now)
    rows = []
    for standing in standings:
        verdict = policy.verdict(standing, kind=kind, by=by, private=standing.recipient not in answered, now=now)
        if verdict != "drop":
            kept_back = verdict == "filter"
            rows.append(
                {
                    "id": ids.new_id(),
                    "actor_id": standing.recipient,
                    "kind": kind,
                    "from_actor_id": by.id,
                    "status_id": status.id if status is not None else 0,
                    "about_id": about_id,
                    "group_key": "" if kept_back else groups.get(standing.recipient, ""),
                    "filtered": kept_back,
                    "created_at": now,
                }
            )
    if not rows:
        return
    if kind in _REPLACING and status is not None:
        tellable = id_list(tx, [row["actor_id"] for row in rows])
        tx.execute(_REPLACE(tx), {"ids": tellable, "kind": kind, "status": status.id})
    told = tx.execute(_TELL(tx), rows).all()
    shown = [row for row in told if not row.filtered]
    _told(tx, shown, with_devices={row.recipient for row in standings if row.has_devices}, now=now)
    if kind == "mention" and status is not None and status.visibility == Visibility.DIRECT:
        conversations.arrive(tx, [(row.actor_id, status) for row in shown])


def tell(
    tx: Connection, recipient_ids: Iterable[int], *, kind: HouseKind, by_id: int | None, about_id: int = 0, now: Instant
) -> None:
    """Each is told once by the house, whomever they block or mute; without ``by_id`` of what befell themselves."""
    recipients = list(recipient_ids)
    if not recipients:
        return
    groups = _group_keys(tx, recipients, kind=kind, status=None, now=now)
    same = {"kind": kind, "status_id": 0, "about_id": about_id, "filtered": False, "created_at": now}
    rows = [
        {"id": ids.new_id(), "actor_id": one, "from_actor_id": by_id or one, "group_key": groups.get(one, ""), **same}
        for one in recipients
    ]
    _told(tx, tx.execute(_TELL(tx), rows).all(), with_devices=recipients, now=now)


def _told(tx: Connection, told: Sequence[Row[Any]], *, with_devices: Collection[int], now: Instant) -> None:
    """Streams and devices hear of notifications that came to be and show."""
    if told:
        passing = [{"actor": row.actor_id, "key": row.group_key, "until": row.id} for row in told if row.group_key]
        if passing:
            tx.execute(_PASS, passing)
        push.enter(tx, [row for row in told if row.actor_id in with_devices], now=now)
        events.after_commit(tx, events.Notified(tuple((row.actor_id, row.id) for row in told)))


def _big(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


# The newest of a group stands for it.
_PASS = (
    update(table)
    .where(
        table.c.actor_id == _big("actor"),
        table.c.group_key == bindparam("key"),
        table.c.group_key != policy.NO_GROUP,
        table.c.newest,
        table.c.id < _big("until"),
    )
    .values(newest=False)
)
_TELL = Prepared(lambda insert: insert(table).on_conflict_do_nothing().returning(*table.c))
_REPLACE = Prepared(
    lambda sql: delete(table).where(
        sql.within(table.c.actor_id, "ids"), table.c.kind == bindparam("kind"), table.c.status_id == _big("status")
    )
)


def _standings_query(sql: Dialect) -> Select[Any]:
    """The recipients who welcome it, with what their policy looks at."""
    recipient = actors.c.id
    blocked = exists().where(blocks.c.actor_id == recipient, blocks.c.target_id == _big("by"))
    muted = exists().where(
        mutes.c.actor_id == recipient,
        mutes.c.target_id == _big("by"),
        mutes.c.notifications,
        or_(mutes.c.expires_at.is_(None), mutes.c.expires_at > _big("now")),
    )
    hidden = exists().where(hidden_hosts.c.actor_id == recipient, hidden_hosts.c.host == bindparam("host", type_=Text))
    conversation_muted = exists().where(
        conversation_mutes.c.actor_id == recipient, conversation_mutes.c.conversation_id == _big("conversation")
    )
    following = exists().where(follows.c.follower_id == recipient, follows.c.followee_id == _big("by"), _accepted())
    follower_since = (
        select(follows.c.created_at)
        .where(follows.c.follower_id == _big("by"), follows.c.followee_id == recipient, _accepted())
        .scalar_subquery()
    )
    permitted = exists().where(
        notification_permissions.c.actor_id == recipient, notification_permissions.c.from_actor_id == _big("by")
    )
    return (
        select(
            recipient.label("recipient"),
            following.label("following"),
            follower_since.label("follower_since"),
            permitted.label("permitted"),
            exists().where(push_subscriptions.c.actor_id == recipient).label("has_devices"),
            *(notification_policies.c[name] for name in policy.NAMES),
        )
        .select_from(actors)
        .outerjoin(notification_policies, notification_policies.c.actor_id == recipient)
        .where(
            sql.within(recipient, "recipients"),
            actors.c.host == "",
            actors.c.deleted_at.is_(None),
            ~blocked,
            ~muted,
            ~hidden,
            ~conversation_muted,
        )
    )


def _accepted() -> ColumnElement[bool]:
    return follows.c.accepted


_STANDINGS = Prepared(_standings_query)


def _standings(
    tx: Connection, recipients: Sequence[int], *, by: Row[Any], status: Row[Any] | None, now: Instant
) -> Sequence[Row[Any]]:
    facts = {
        "recipients": id_list(tx, recipients),
        "by": by.id,
        "host": by.host,
        "conversation": status.conversation_id if status is not None else 0,
        "now": now,
    }
    return tx.execute(_STANDINGS(tx), facts).all()


_ANSWERED = Prepared(
    lambda sql: (
        select(statuses.c.author_id)
        .join(mentions, mentions.c.status_id == statuses.c.id)
        .where(
            statuses.c.conversation_id == _big("conversation"),
            mentions.c.actor_id == _big("by"),
            sql.within(statuses.c.author_id, "recipients"),
        )
    )
)


def _answered(
    tx: Connection, standings: Sequence[Row[Any]], *, kind: Kind, by: Row[Any], status: Row[Any] | None
) -> frozenset[int]:
    """For whom this is no private mention out of the blue: in that conversation they wrote to the sender before.

    Everybody, where it is no private mention at all.
    """
    everybody = frozenset(row.recipient for row in standings)
    if kind != "mention" or status is None or status.visibility != Visibility.DIRECT:
        return everybody
    strict = [row.recipient for row in standings if policy.of(row).for_private_mentions != "accept"]
    if not strict:
        return everybody
    facts = {"conversation": status.conversation_id, "by": by.id, "recipients": id_list(tx, strict)}
    wrote = set(tx.scalars(_ANSWERED(tx), facts))
    return frozenset(one for one in everybody if one not in strict or one in wrote)


_KEYS: Final = tuple(f"key_{age}" for age in range(_SPAN))
_LATEST = Prepared(
    lambda sql: (
        select(table.c.actor_id, func.max(table.c.group_key))
        .where(
            sql.within(table.c.actor_id, "recipients"),
            table.c.group_key != policy.NO_GROUP,
            table.c.group_key.in_([bindparam(name) for name in _KEYS]),
        )
        .group_by(table.c.actor_id)
    )
)


def _group_keys(
    tx: Connection, recipients: Sequence[int], *, kind: Kind | HouseKind, status: Row[Any] | None, now: Instant
) -> Mapping[int, str]:
    """The group that it belongs to, by recipient: one that began in the last twelve hours, else a new one."""
    if kind not in GROUPED or not recipients:
        return {}
    about = f"{kind}-{status.id}" if kind in _GROUPED_BY_STATUS and status is not None else kind
    hour = now // HOUR
    candidates = {name: f"{about}-{hour - age}" for age, name in enumerate(_KEYS)}
    fresh = f"{about}-{hour}"
    begun: dict[int, str] = {
        row[0]: row[1] for row in tx.execute(_LATEST(tx), {"recipients": id_list(tx, recipients), **candidates})
    }
    return {recipient: begun.get(recipient, fresh) for recipient in recipients}


def notify_subscribers(tx: Connection, status: Row[Any], *, author: Row[Any], now: Instant) -> None:
    """Those who asked to be told of each post of the author are."""
    subscribers = tx.scalars(
        select(follows.c.follower_id).where(
            follows.c.followee_id == author.id,
            follows.c.follower_is_local,
            follows.c.accepted,
            follows.c.notify,
            wants_language(language_mark(status.language)),
        )
    ).all()
    notify(tx, subscribers, kind="status", by=author, status=status, now=now)


def notify_boosters(tx: Connection, status: Row[Any], *, author: Row[Any], now: Instant) -> None:
    """Those here who boosted the status are told that it says something else now."""
    boosters = select(statuses.c.author_id).where(statuses.c.boost_of_id == status.id, statuses.c.local)
    notify(tx, tx.scalars(boosters).all(), kind="update", by=author, status=status, now=now)
