"""From events to what is sent: read once for all who listen, in one transaction for many events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row

from fediverse import conversations, entities, filters, loading, notifications, statuses, timelines
from fediverse.clock import Instant
from fediverse.drafts import Visibility
from fediverse.entities import NotificationView, StatusView
from fediverse.events import (
    Announcement,
    Changed,
    ConversationChanged,
    Deleted,
    Edited,
    Entered,
    Event,
    Notified,
    Surfaced,
)
from fediverse.site import Site
from fediverse.streaming.board import Interest, Key
from fediverse.streaming.channels import DIRECT, HASHTAG, HASHTAG_LOCAL, LIST, NOTIFICATIONS, USER
from fediverse.streaming.views import ANYBODY, Payloads, for_viewers, payloads, same
from fediverse.text import fold_tag
from fediverse.visibility import unwelcome

HEARD: Final = (Surfaced, Entered, Edited, Deleted, Notified, ConversationChanged, Changed, Announcement)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for everybody who is subscribed to any of the keys, in the order in which it happened."""

    event: str
    keys: Sequence[Key]
    payloads: Payloads


def matters(event: Event, interest: Interest) -> bool:
    """Whether anybody who listens may hear of the event."""
    match event:
        case Notified(told):
            return any(actor_id in interest.notified for actor_id, _ in told)
        case ConversationChanged(actor_ids):
            return any((DIRECT, actor_id) in interest.shared for actor_id in actor_ids)
        case Changed(actor_id):
            return actor_id in interest.notified
        case Entered(actor_ids=actor_ids):
            return not interest.readers.isdisjoint(actor_ids)
        case Surfaced(after=after) if after:
            return bool(interest.readers)
        case _:
            return bool(interest.readers or interest.shared)


def read(tx: Connection, events: Sequence[Event], interest: Interest, site: Site, *, now: Instant) -> list[Delivery]:
    """What is to be sent because of the events, in their order."""
    news = _News(tx, interest, site, now)
    changed = [event.status_id for event in events if isinstance(event, Surfaced | Entered | Edited)]
    found = statuses.by_ids(tx, changed) if changed else {}
    views = {view.status.id: view for view in loading.statuses(tx, list(found.values()), None)}
    told = [pair for event in events if isinstance(event, Notified) for pair in event.told]
    notified = news.notified(told) if told else {}
    spoken = news.conversations([event for event in events if isinstance(event, ConversationChanged)])
    deliveries: list[Delivery] = []
    for event in events:
        match event:
            case Surfaced() if event.status_id in views:
                deliveries += news.surfaced(event, views[event.status_id])
            case Entered() if event.status_id in views:
                deliveries += news.entered(event, views[event.status_id])
            case Edited() if event.status_id in views:
                deliveries += news.edited(event, views[event.status_id])
            case Deleted():
                deliveries += news.deleted(event)
            case Notified():
                deliveries += [notified[id_] for _, id_ in event.told if id_ in notified]
            case ConversationChanged():
                deliveries += spoken.pop(event.conversation_id, [])
            case Changed():
                deliveries += _changed(event)
            case Announcement():
                deliveries.append(_announced(event, interest))
            case _:
                pass
    return deliveries


class _News:
    def __init__(self, tx: Connection, interest: Interest, site: Site, now: Instant) -> None:
        self._tx = tx
        self._interest = interest
        self._site = site
        self._now = now

    def surfaced(self, event: Surfaced, view: StatusView) -> list[Delivery]:
        readers = timelines.new_to(
            self._tx,
            event.status_id,
            event.author_id,
            after=event.after,
            until=event.until,
            among=self._interest.readers,
        )
        return self._shown("update", view, readers, [] if event.after else self._shared(view))

    def entered(self, event: Entered, view: StatusView) -> list[Delivery]:
        return self._shown("update", view, set(event.actor_ids) & self._interest.readers, [])

    def edited(self, event: Edited, view: StatusView) -> list[Delivery]:
        having = timelines.having(self._tx, event.status_id, among=self._interest.readers)
        return self._shown("status.update", view, {actor_id for actor_id, _ in having}, self._shared(view))

    def deleted(self, event: Deleted) -> list[Delivery]:
        having = timelines.having(self._tx, event.status_id, among=self._interest.readers)
        of_entries: dict[int, set[int]] = {}
        for actor_id, entry_id in having:
            of_entries.setdefault(entry_id, set()).add(actor_id)
        deliveries = [
            Delivery("delete", [*_homes(actor_ids), *self._lists_of(actor_ids)], same(b"%d" % entry_id))
            for entry_id, actor_ids in of_entries.items()
        ]
        keys = _shared_keys(
            listed=event.listed,
            tags=event.tags if event.public else (),
            local=event.local,
            has_media=event.has_media,
            among=self._interest.shared,
        )
        if keys:
            deliveries.append(Delivery("delete", keys, same(b"%d" % event.status_id)))
        return deliveries

    def notified(self, told: Sequence[tuple[int, int]]) -> dict[int, Delivery]:
        """What is told, by notification: only what came to be, and to those who listen."""
        wanted = [notification_id for actor_id, notification_id in told if actor_id in self._interest.notified]
        if not wanted:
            return {}
        views = loading.notifications(self._tx, notifications.by_ids(self._tx, wanted), ANYBODY)
        about = {view.status.status.id: view.status for view in views if view.status is not None}
        viewers = {view.notification.actor_id for view in views}
        own = for_viewers(self._tx, list(about.values()), viewers, now=self._now)
        return {view.notification.id: self._notification(view, own) for view in views}

    def _notification(self, view: NotificationView, own: dict[tuple[int, int], StatusView]) -> Delivery:
        actor_id = view.notification.actor_id
        if view.status is not None:
            view.status = own.get((view.status.status.id, actor_id), view.status)
            if filters.hides(view.status, actor_id, "notifications"):
                return Delivery("notification", (), same(b""))
        entity = entities.notification(view, self._site, actor_id)
        return Delivery("notification", [(USER, actor_id), (NOTIFICATIONS, actor_id)], same(orjson.dumps(entity)))

    def conversations(self, changed: Sequence[ConversationChanged]) -> dict[int, list[Delivery]]:
        """Direct conversations as those who listen see them now, by id: once, however often they changed."""
        heard = {
            event.conversation_id
            for event in changed
            if any((DIRECT, actor_id) in self._interest.shared for actor_id in event.actor_ids)
        }
        of_actors: dict[int, list[Row[Any]]] = {}
        for row in conversations.by_ids(self._tx, heard) if heard else ():
            if (DIRECT, row.actor_id) in self._interest.shared:
                of_actors.setdefault(row.actor_id, []).append(row)
        found: dict[int, list[Delivery]] = {}
        for actor_id, rows in of_actors.items():
            for view in loading.conversations(self._tx, rows, actor_id):
                entity = orjson.dumps(entities.conversation(view, self._site, actor_id))
                delivery = Delivery("conversation", [(DIRECT, actor_id)], same(entity))
                found.setdefault(view.conversation.id, []).append(delivery)
        return found

    def _lists_of(self, actor_ids: Collection[int]) -> list[Key]:
        """The lists of these actors that are listened to."""
        return [(LIST, list_id) for list_id, owner_id in self._interest.lists.items() if owner_id in actor_ids]

    def _shared(self, view: StatusView) -> list[Key]:
        """The streams of everybody's in which the status shows and that are listened to."""
        row = view.status
        if row.boost_of_id is not None or not self._interest.shared:
            return []
        tagged = row.visibility == Visibility.PUBLIC and view.author.limited_at is None
        return _shared_keys(
            listed=row.listed,
            tags=[fold_tag(tag["name"]) for tag in row.tags] if tagged else (),
            local=row.local,
            has_media=bool(row.attachments),
            among=self._interest.shared,
        )

    def _shown(self, event: str, view: StatusView, readers: set[int], shared: list[Key]) -> list[Delivery]:
        authors = [view.author, *([view.boost.author] if view.boost else [])]
        if not (readers or shared) or any(author.suspended_at or author.deleted_at for author in authors):
            return []
        hidden = unwelcome(self._tx, authors, now=self._now)
        viewers = (readers | {actor_id for key in shared for actor_id in self._interest.shared[key]}) - hidden
        own = for_viewers(self._tx, [view], viewers, now=self._now)
        deliveries = []
        readers = readers - hidden
        if readers:
            made = payloads(view, own, readers, self._site, context="home")
            away = timelines.away(self._tx, view.author.id, among=readers)
            lists = self._lists_of(readers)
            showing = timelines.showing(self._tx, view.status.id, among=[list_id for _, list_id in lists])
            keys = [*_homes(readers - away), *(key for key in lists if key[1] in showing)]
            deliveries.append(Delivery(event, keys, made))
        if shared:
            made = payloads(view, own, viewers, self._site, context="public", anonymous=True)
            made.own.update(dict.fromkeys(hidden, None))
            deliveries.append(Delivery(event, shared, made))
        return deliveries


def _homes(actor_ids: Iterable[int]) -> list[Key]:
    return [(USER, actor_id) for actor_id in actor_ids]


def _shared_keys(
    *, listed: bool, tags: Collection[str], local: bool, has_media: bool, among: Collection[Key]
) -> list[Key]:
    keys: list[Key] = []
    if listed:
        names = ["public", "public:local" if local else "public:remote"]
        keys += [(name, None) for name in names]
        keys += [(f"{name}:media", None) for name in names if has_media]
    for tag in dict.fromkeys(tags):
        keys += [(HASHTAG, tag), *([(HASHTAG_LOCAL, tag)] if local else [])]
    return [key for key in keys if key in among]


def _changed(event: Changed) -> list[Delivery]:
    if event.event == "notifications_merged":
        keys = [(USER, event.actor_id), (NOTIFICATIONS, event.actor_id)]
        return [Delivery(event.event, keys, same(b"1"))]
    return [Delivery(event.event, [(USER, event.actor_id)], same(b""))]


def _announced(event: Announcement, interest: Interest) -> Delivery:
    return Delivery(event.event, [(USER, actor_id) for actor_id in interest.users], same(event.payload.encode()))
