"""Lists of accounts as their owners see them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row


def list_(row: Row[Any]) -> dict[str, Any]:
    """A List."""
    return {
        "id": str(row.id),
        "title": row.title,
        "replies_policy": row.replies_policy,
        "exclusive": row.exclusive,
    }
