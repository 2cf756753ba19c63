"""What is shown beside rows: authors, boosted posts, the viewer's own marks. A fixed number of queries a page."""

from __future__ import annotations

from fediverse.loading.posts import status, statuses
from fediverse.loading.rows import accounts, in_order, whole
from fediverse.loading.told import conversations, groups, notifications, requests

__all__ = [
    "accounts",
    "conversations",
    "groups",
    "in_order",
    "notifications",
    "requests",
    "status",
    "statuses",
    "whole",
]
