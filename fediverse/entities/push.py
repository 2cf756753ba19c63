"""Push subscriptions as clients see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from fediverse.site import Site


def push_subscription(row: Row[Any], site: Site, alerts: Iterable[str]) -> dict[str, Any]:
    """A WebPushSubscription; ``alerts`` are the kinds that there are."""
    return {
        "id": str(row.id),
        "endpoint": row.endpoint,
        "standard": row.standard,
        "alerts": {kind: kind in row.alerts for kind in alerts},
        "policy": row.policy,
        "server_key": site.vapid_key,
    }
