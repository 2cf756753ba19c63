"""Reports, and what moderators see of accounts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from fediverse.clock import rfc3339
from fediverse.entities.accounts import account
from fediverse.site import Site


def report(row: Row[Any], target: Row[Any], site: Site) -> dict[str, Any]:
    """A Report, as whoever filed it sees it."""
    return {
        "id": str(row.id),
        "action_taken": row.action_taken_at is not None,
        "action_taken_at": rfc3339(row.action_taken_at) if row.action_taken_at else None,
        "category": row.category,
        "comment": row.comment,
        "forwarded": row.forwarded,
        "created_at": rfc3339(row.created_at),
        "status_ids": [str(status_id) for status_id in row.status_ids],
        "collection_ids": [],
        "rule_ids": [str(rule_id) for rule_id in row.rule_ids],
        "target_account": account(target, site),
    }
