"""Announcements as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from fediverse.clock import rfc3339
from fediverse.text import from_plain


@dataclass(frozen=True, slots=True)
class AnnouncementView:
    """An announcement, whether the viewer has read it (None: it is shown to many), and the reactions to it."""

    row: Row[Any]
    read: bool | None
    reactions: Sequence[dict[str, Any]] = ()


def announcement(view: AnnouncementView) -> dict[str, Any]:
    """An Announcement. Its text is plain, with its addresses linked."""
    row = view.row
    entity: dict[str, Any] = {
        "id": str(row.id),
        "content": from_plain(row.text),
        "starts_at": rfc3339(row.starts_at) if row.starts_at is not None else None,
        "ends_at": rfc3339(row.ends_at) if row.ends_at is not None else None,
        "all_day": row.all_day,
        "published_at": rfc3339(row.published_at),
        "updated_at": rfc3339(row.updated_at),
        "mentions": [],
        "statuses": [],
        "tags": [],
        "emojis": [],
        "reactions": list(view.reactions),
    }
    if view.read is not None:
        entity["read"] = view.read
    return entity


def reaction(name: str, count: int, *, me: bool | None) -> dict[str, Any]:
    """A Reaction to an announcement; ``me`` is None where it is shown to many."""
    return {"name": name, "count": count} if me is None else {"name": name, "count": count, "me": me}
