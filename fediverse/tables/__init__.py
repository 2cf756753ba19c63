"""The tables, without behaviour, one file per room. Each has one owner module, its only writer:

- ``actors``: actors.directory (actors, actor_keys), actors.people (people, person_addresses, memberships),
  actors.relations (follows, blocks, mutes)
- ``relations``: actors.private_notes (account_notes), actors.endorsements (endorsements), actors.hidden_hosts
  (hidden_hosts)
- ``statuses``: statuses (statuses, status_edits, poll_votes, mentions, tags, status_tags, tombstones), reactions
  (favourites, bookmarks, pins, conversation_mutes)
- ``cards``: cards (cards)
- ``scheduled``: scheduled (scheduled_statuses)
- ``timelines``: timelines (home_entries), notifications (notifications, markers,
  notification_policies, notification_permissions)
- ``filters``: filters (all)
- ``conversations``: conversations (both)
- ``lists``: lists (all)
- ``hashtags``: hashtags (all)
- ``inbox``: inbox.store (received)
- ``outbox``: outbox.publish (activities, fanouts), outbox.deliveries (deliveries), outbox.hosts (hosts)
- ``access``: access (all)
- ``push``: push.subscriptions (push_subscriptions), push.queue (pushes)
- ``announcements``: announcements (all); ``trends``: trends (all)
- ``emojis``: emojis (custom_emojis)
- ``discovery``: suggestions (suggestion_dismissals)
- ``search``: search (status_words, actor_words)
- ``instance``: instance (instance), moderation (host_blocks, audit_log), jobs (jobs), media (pictures)
- ``moderation``: admin (all)
- ``media``: media (attachments)
- ``transfer``: transfer.imports (all)

Instants are integers (milliseconds since the epoch); ids are sortable 64-bit integers made by ``fediverse.ids``.
"""

from fediverse.tables import (
    access,
    actors,
    announcements,
    cards,
    conversations,
    discovery,
    emojis,
    filters,
    hashtags,
    inbox,
    instance,
    lists,
    media,
    moderation,
    outbox,
    push,
    relations,
    scheduled,
    search,
    statuses,
    timelines,
    transfer,
    trends,
)
from fediverse.tables.base import metadata

__all__ = [
    "access",
    "actors",
    "announcements",
    "cards",
    "conversations",
    "discovery",
    "emojis",
    "filters",
    "hashtags",
    "inbox",
    "instance",
    "lists",
    "media",
    "metadata",
    "moderation",
    "outbox",
    "push",
    "relations",
    "scheduled",
    "search",
    "statuses",
    "timelines",
    "transfer",
    "trends",
]
