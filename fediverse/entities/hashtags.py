"""Hashtags as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from fediverse.clock import DAY, SECOND, Instant, rfc3339
from fediverse.site import Site
from fediverse.text.names import fold_tag

#: How many days the history of a tag reaches back, today included.
HISTORY_DAYS = 7


@dataclass(frozen=True, slots=True)
class TagView:
    """A hashtag with how much it was used by day (instant of its begin: uses, accounts), and the viewer's marks."""

    name: str
    history: dict[Instant, tuple[int, int]]
    following: bool = False
    featuring: bool = False


@dataclass(frozen=True, slots=True)
class FeaturedTagView:
    """A hashtag on a profile, and how much its owner posted under it."""

    featured: Row[Any]
    count: int
    last_at: Instant | None


def tag(view: TagView, site: Site, *, signed_in: bool, now: Instant) -> dict[str, Any]:
    """A Tag, by the spelling it is shown in, with its last seven days (UTC), the latest first."""
    folded = fold_tag(view.name)
    today = now // DAY * DAY
    days = [today - ago * DAY for ago in range(HISTORY_DAYS)]
    entity: dict[str, Any] = {
        "id": folded,
        "name": view.name,
        "url": site.urls.tag(folded),
        "history": [_day(day, *view.history.get(day, (0, 0))) for day in days],
    }
    if signed_in:
        entity["following"] = view.following
        entity["featuring"] = view.featuring
    return entity


def _day(day: Instant, uses: int, accounts: int) -> dict[str, str]:
    return {"day": str(day // SECOND), "uses": str(uses), "accounts": str(accounts)}


def featured_tags(views: Sequence[FeaturedTagView], site: Site) -> list[dict[str, Any]]:
    """FeaturedTags."""
    return [
        {
            "id": str(view.featured.id),
            "name": view.featured.name,
            "url": site.urls.tag(fold_tag(view.featured.name)),
            "statuses_count": str(view.count),
            "last_status_at": rfc3339(view.last_at)[:10] if view.last_at is not None else None,
        }
        for view in views
    ]
