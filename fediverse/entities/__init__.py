"""The JSON of Mastodon's client API: pure functions from rows to plain dicts.

What a row needs beside itself comes in views (`StatusView`, `NotificationView`), loaded elsewhere in a fixed number of
queries. Ids are decimal strings, instants RFC 3339.
"""

from fediverse.entities.about import days, domain_block, instance_text, terms_of_service, week
from fediverse.entities.accounts import (
    account,
    credential_account,
    muted_account,
    preferences,
    profile,
    relationship,
    suggestion,
)
from fediverse.entities.admin import report
from fediverse.entities.announcements import AnnouncementView, announcement, reaction
from fediverse.entities.attachments import address, own_attachment, preview_address
from fediverse.entities.cards import card
from fediverse.entities.conversations import ConversationView, conversation
from fediverse.entities.emojis import custom_emoji, emojis
from fediverse.entities.filters import (
    FilterMatch,
    FilterView,
    filter_,
    filter_keyword,
    filter_status,
    filter_v1,
)
from fediverse.entities.hashtags import FeaturedTagView, TagView, featured_tags, tag
from fediverse.entities.instance import InstanceFacts, Limits, instance_rules, instance_v1, instance_v2
from fediverse.entities.lists import list_
from fediverse.entities.notifications import (
    GroupView,
    NotificationView,
    RequestView,
    grouped,
    marker,
    notification,
    notification_policy,
    notification_request,
)
from fediverse.entities.oauth import application, credential_application, server_metadata, token, userinfo
from fediverse.entities.push import push_subscription
from fediverse.entities.scheduled import scheduled_status
from fediverse.entities.statuses import (
    VISIBILITIES,
    StatusView,
    context,
    history,
    poll,
    status,
    status_json,
    status_source,
    visibility_name,
)

Json = dict[str, object]

__all__ = [
    "VISIBILITIES",
    "AnnouncementView",
    "ConversationView",
    "FeaturedTagView",
    "FilterMatch",
    "FilterView",
    "GroupView",
    "InstanceFacts",
    "Json",
    "Limits",
    "NotificationView",
    "RequestView",
    "StatusView",
    "TagView",
    "account",
    "address",
    "announcement",
    "application",
    "card",
    "context",
    "conversation",
    "credential_account",
    "credential_application",
    "custom_emoji",
    "days",
    "domain_block",
    "emojis",
    "featured_tags",
    "filter_",
    "filter_keyword",
    "filter_status",
    "filter_v1",
    "grouped",
    "history",
    "instance_rules",
    "instance_text",
    "instance_v1",
    "instance_v2",
    "list_",
    "marker",
    "muted_account",
    "notification",
    "notification_policy",
    "notification_request",
    "own_attachment",
    "poll",
    "preferences",
    "preview_address",
    "profile",
    "push_subscription",
    "reaction",
    "relationship",
    "report",
    "scheduled_status",
    "server_metadata",
    "status",
    "status_json",
    "status_source",
    "suggestion",
    "tag",
    "terms_of_service",
    "token",
    "userinfo",
    "visibility_name",
    "week",
]
