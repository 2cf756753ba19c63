"""Notifications, and how far they were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row

from fediverse.clock import Instant, rfc3339
from fediverse.entities.accounts import account
from fediverse.entities.admin import account_warning, report, severance
from fediverse.entities.statuses import StatusView, status, status_json
from fediverse.site import Site


@dataclass(slots=True)
class NotificationView:
    """A notification with who caused it and, where it is about one, the status."""

    notification: Row[Any]
    account: Row[Any]
    status: StatusView | None = None
    #: A report, with the account that it is about.
    report: tuple[Row[Any], Row[Any]] | None = None
    #: A moderators' warning, with the account that it is about.
    warning: tuple[Row[Any], Row[Any]] | None = None
    #: What was lost with a whole server.
    severance: Row[Any] | None = None


@dataclass(slots=True)
class GroupView:
    """Notifications that are shown as one: the newest, and who sent the newest of them."""

    key: str
    head: NotificationView
    senders: Sequence[Row[Any]]
    count: int
    oldest_id: int


def notification(view: NotificationView, site: Site, viewer_id: int) -> dict[str, Any]:
    """A Notification. Its group's key is its own where it is in no group."""
    row = view.notification
    entity: dict[str, Any] = {
        "id": str(row.id),
        "type": row.kind,
        "created_at": rfc3339(row.created_at),
        "group_key": row.group_key or f"ungrouped-{row.id}",
        "account": account(view.account, site),
    }
    if view.status is not None:
        entity["status"] = status_json(view.status, site, viewer_id)
    if view.report is not None:
        entity["report"] = report(*view.report, site)
    if view.warning is not None:
        entity["moderation_warning"] = account_warning(*view.warning, site)
    if view.severance is not None:
        entity["event"] = severance(view.severance)
    return entity


def grouped(
    views: Sequence[GroupView], site: Site, viewer_id: int, *, partial: bool = False, paged: bool = True
) -> dict[str, Any]:
    """GroupedNotificationsResults: groups, with accounts and statuses beside them, each once.

    ``partial``: of a group's senders only the latest comes whole, the others as far as their pictures need.
    """
    whole: dict[int, dict[str, Any]] = {}
    others: dict[int, dict[str, Any]] = {}
    statuses: dict[int, dict[str, Any]] = {}
    for view in views:
        for place, sender in enumerate(view.senders):
            if sender.id not in whole:
                if place == 0 or not partial:
                    whole[sender.id] = account(sender, site)
                else:
                    others[sender.id] = _partial(account(sender, site))
        if view.head.status is not None:
            row = view.head.status.status
            statuses[row.id] = statuses.get(row.id) or status(view.head.status, site, viewer_id)
    results: dict[str, Any] = {
        "accounts": list(whole.values()),
        "statuses": list(statuses.values()),
        "notification_groups": [_group(view, site, paged=paged) for view in views],
    }
    if partial:
        results["partial_accounts"] = [entity for id_, entity in others.items() if id_ not in whole]
    return results


def _group(view: GroupView, site: Site, *, paged: bool) -> dict[str, Any]:
    row = view.head.notification
    entity: dict[str, Any] = {
        "group_key": view.key,
        "notifications_count": view.count,
        "type": row.kind,
        # A number, unlike all other ids: so it stands in Mastodon's entity.
        "most_recent_notification_id": row.id,
        "sample_account_ids": [str(sender.id) for sender in view.senders],
    }
    if paged:
        entity["page_min_id"] = str(view.oldest_id)
        entity["page_max_id"] = str(row.id)
        entity["latest_page_notification_at"] = rfc3339(row.created_at)
    if view.head.status is not None:
        entity["status_id"] = str(view.head.status.status.id)
    if view.head.report is not None:
        entity["report"] = report(*view.head.report, site)
    if view.head.warning is not None:
        entity["moderation_warning"] = account_warning(*view.head.warning, site)
    if view.head.severance is not None:
        entity["event"] = severance(view.head.severance)
    return entity


_PARTIAL: Final = ("id", "acct", "locked", "bot", "url", "avatar", "avatar_static", "avatar_description")


def _partial(entity: dict[str, Any]) -> dict[str, Any]:
    return {name: entity[name] for name in _PARTIAL}


def notification_policy(rules: Mapping[str, str], *, requests: int, notifications: int) -> dict[str, Any]:
    """A NotificationPolicy, with how much it keeps back just now."""
    summary = {"pending_requests_count": requests, "pending_notifications_count": notifications}
    return {**rules, "summary": summary}


@dataclass(slots=True)
class RequestView:
    """Somebody whose notifications are kept back, with the last status that these are about."""

    id: int
    account: Row[Any]
    count: int
    created_at: Instant
    updated_at: Instant
    last_status: StatusView | None = None


def notification_request(view: RequestView, site: Site, viewer_id: int) -> dict[str, Any]:
    """A NotificationRequest."""
    return {
        "id": str(view.id),
        "created_at": rfc3339(view.created_at),
        "updated_at": rfc3339(view.updated_at),
        "notifications_count": str(view.count),
        "account": account(view.account, site),
        "last_status": status(view.last_status, site, viewer_id) if view.last_status is not None else None,
    }


def marker(row: Row[Any]) -> dict[str, Any]:
    """How far a timeline was read."""
    return {"last_read_id": str(row.last_read_id), "version": row.version, "updated_at": rfc3339(row.updated_at)}
