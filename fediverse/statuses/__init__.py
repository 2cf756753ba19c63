"""The status: a Note of at most 140 characters that is written here, or whatever another server sent.

A boost is a status too. Owner of the tables statuses, status_edits, mentions, tags, status_tags and tombstones.
"""

from __future__ import annotations

from fediverse.statuses.boosts import boost, unboost
from fediverse.statuses.changes import delete, edit, forget
from fediverse.statuses.create import check_local, create
from fediverse.statuses.lookup import (
    by_id,
    by_ids,
    by_key,
    by_uri,
    find_tag,
    get_own,
    get_visible,
    history,
    tags_named,
    uri_of,
    visible_among,
)
from fediverse.statuses.tagging import known_tag
from fediverse.visibility import visible, visible_where

__all__ = [
    "boost",
    "by_id",
    "by_ids",
    "by_key",
    "by_uri",
    "check_local",
    "create",
    "delete",
    "edit",
    "find_tag",
    "forget",
    "get_own",
    "get_visible",
    "history",
    "known_tag",
    "tags_named",
    "unboost",
    "uri_of",
    "visible",
    "visible_among",
    "visible_where",
]
