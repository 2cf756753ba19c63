"""Reports, and what moderators see of accounts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from fediverse.clock import DAY, SECOND, Instant, rfc3339
from fediverse.entities.accounts import account, role_entity
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


@dataclass(slots=True)
class ReportView:
    """A report with all that moderators see beside it: accounts, posts and rules as entities."""

    report: Row[Any]
    account: dict[str, Any]
    target: dict[str, Any]
    assigned: dict[str, Any] | None = None
    taken_by: dict[str, Any] | None = None
    statuses: list[dict[str, Any]] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)


def admin_account(
    row: Row[Any], site: Site, *, person: Row[Any] | None, role: str = "user", addresses: Sequence[Row[Any]] = ()
) -> dict[str, Any]:
    """An Admin::Account. Of other servers' people nothing is known beyond their account."""
    return {
        "id": str(row.id),
        "username": row.username,
        "domain": row.host or None,
        "created_at": rfc3339(row.created_at),
        "email": person.email if person is not None else "",
        "ip": addresses[0].address if addresses else None,
        "ips": [{"ip": one.address, "used_at": rfc3339(one.used_at)} for one in addresses],
        "role": role_entity(role),
        "confirmed": person is not None and person.confirmed_at is not None,
        "suspended": row.suspended_at is not None,
        "silenced": row.limited_at is not None,
        "sensitized": row.sensitized_at is not None,
        "disabled": person is not None and person.suspended_at is not None,
        "approved": person is None or person.approved_at is not None,
        "locale": person.locale if person is not None else "",
        "invite_request": (person.reason or None) if person is not None else None,
        "account": account(row, site),
    }


def admin_report(view: ReportView) -> dict[str, Any]:
    """An Admin::Report."""
    row = view.report
    return {
        "id": str(row.id),
        "action_taken": row.action_taken_at is not None,
        "action_taken_at": rfc3339(row.action_taken_at) if row.action_taken_at else None,
        "category": row.category,
        "comment": row.comment,
        "forwarded": row.forwarded,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "account": view.account,
        "target_account": view.target,
        "assigned_account": view.assigned,
        "action_taken_by_account": view.taken_by,
        "statuses": view.statuses,
        "collections": [],
        "rules": view.rules,
    }


def account_warning(row: Row[Any], target: Row[Any], site: Site) -> dict[str, Any]:
    """An AccountWarning: what moderators did about an account, and why."""
    return {
        "id": str(row.id),
        "action": row.action,
        "text": row.text,
        "status_ids": [str(status_id) for status_id in row.status_ids] or None,
        "target_account": account(target, site),
        "appeal": None,
        "created_at": rfc3339(row.created_at),
    }


def severance(row: Row[Any]) -> dict[str, Any]:
    """A RelationshipSeveranceEvent: how many relations somebody lost at once."""
    return {
        "id": str(row.event_id),
        "type": row.kind,
        "purged": False,
        "target_name": row.target_name,
        "followers_count": row.followers_count,
        "following_count": row.following_count,
        "created_at": rfc3339(row.created_at),
    }


def admin_domain_block(row: Row[Any], severity: str) -> dict[str, Any]:
    """An Admin::DomainBlock; ``severity`` is the API's word."""
    return {
        "id": str(row.id),
        "domain": row.host,
        "digest": hashlib.sha256(row.host.encode()).hexdigest(),
        "created_at": rfc3339(row.created_at),
        "severity": severity,
        "reject_media": row.reject_media,
        "reject_reports": row.reject_reports,
        "private_comment": row.comment or None,
        "public_comment": row.public_comment or None,
        "obfuscate": row.obfuscate,
    }


def ip_block(row: Row[Any]) -> dict[str, Any]:
    """An Admin::IpBlock."""
    return {
        "id": str(row.id),
        "ip": row.network,
        "severity": row.severity,
        "comment": row.comment,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at) if row.expires_at else None,
    }


def email_domain_block(row: Row[Any], attempts: Mapping[int, tuple[int, int]], *, today: Instant) -> dict[str, Any]:
    """An Admin::EmailDomainBlock, with (attempts, addresses) of the last seven days by their beginnings."""
    days = [today - n * DAY for n in range(7)]
    return {
        "id": str(row.id),
        "domain": row.domain,
        "created_at": rfc3339(row.created_at),
        "history": [
            {
                "day": str(day // SECOND),
                "accounts": str(attempts.get(day, (0, 0))[0]),
                "uses": str(attempts.get(day, (0, 0))[1]),
            }
            for day in days
        ],
    }


def canonical_email_block(row: Row[Any]) -> dict[str, Any]:
    """An Admin::CanonicalEmailBlock."""
    return {"id": str(row.id), "canonical_email_hash": row.email_hash}
