"""Who sees what where: home by the Twitter rule, mentions, public, hashtag, profile, conversation."""

from __future__ import annotations

from fediverse.timelines.conversation import context
from fediverse.timelines.home_timeline import backfill, home, spread, surface, surface_boost, withdraw
from fediverse.timelines.list_timeline import away, list_, showing
from fediverse.timelines.pages import account, link, mentioning, public, tag
from fediverse.timelines.readers import having, new_to
from fediverse.timelines.tagged import spread_tagged, withdraw_tagged

__all__ = [
    "account",
    "away",
    "backfill",
    "context",
    "having",
    "home",
    "link",
    "list_",
    "mentioning",
    "new_to",
    "public",
    "showing",
    "spread",
    "spread_tagged",
    "surface",
    "surface_boost",
    "tag",
    "withdraw",
    "withdraw_tagged",
]
