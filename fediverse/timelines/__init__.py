"""Who sees what where: home by the Twitter rule, mentions, public, hashtag, profile, conversation."""

from __future__ import annotations

from fediverse.timelines.conversation import context
from fediverse.timelines.home_timeline import backfill, home, spread, surface, surface_boost, withdraw
from fediverse.timelines.pages import account, mentioning, public, tag

__all__ = [
    "account",
    "backfill",
    "context",
    "home",
    "mentioning",
    "public",
    "spread",
    "surface",
    "surface_boost",
    "tag",
    "withdraw",
]
