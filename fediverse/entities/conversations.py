"""Direct conversations as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from fediverse.entities.accounts import account
from fediverse.entities.statuses import StatusView, status
from fediverse.site import Site


@dataclass(slots=True)
class ConversationView:
    """A conversation with those who take part and what was said last."""

    conversation: Row[Any]
    participants: Sequence[Row[Any]]
    last_status: StatusView | None = None


def conversation(view: ConversationView, site: Site, viewer_id: int) -> dict[str, Any]:
    """A Conversation."""
    return {
        "id": str(view.conversation.id),
        "unread": view.conversation.unread,
        "accounts": [account(row, site) for row in view.participants],
        "last_status": status(view.last_status, site, viewer_id) if view.last_status is not None else None,
    }
