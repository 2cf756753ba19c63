"""Notifications, and how far they were read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from fediverse.clock import rfc3339
from fediverse.entities.accounts import account
from fediverse.entities.admin import report
from fediverse.entities.statuses import StatusView, status
from fediverse.site import Site


@dataclass(slots=True)
class NotificationView:
    """A notification with who caused it and, where it is about one, the status."""

    notification: Row[Any]
    account: Row[Any]
    status: StatusView | None = None
    #: A report, with the account that it is about.
    report: tuple[Row[Any], Row[Any]] | None = None


def notification(view: NotificationView, site: Site, viewer_id: int) -> dict[str, Any]:
    """A Notification. Nothing is grouped here, so each is a group of its own."""
    row = view.notification
    entity: dict[str, Any] = {
        "id": str(row.id),
        "type": row.kind,
        "created_at": rfc3339(row.created_at),
        "group_key": f"ungrouped-{row.id}",
        "account": account(view.account, site),
    }
    if view.status is not None:
        entity["status"] = status(view.status, site, viewer_id)
    if view.report is not None:
        entity["report"] = report(*view.report, site)
    return entity


def marker(row: Row[Any]) -> dict[str, Any]:
    """How far a timeline was read."""
    return {"last_read_id": str(row.last_read_id), "version": row.version, "updated_at": rfc3339(row.updated_at)}
