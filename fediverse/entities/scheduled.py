"""Posts that wait for their time, as clients see them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from fediverse.clock import rfc3339
from fediverse.drafts import QuotePolicy
from fediverse.entities.accounts import visibility_name
from fediverse.entities.attachments import attachment
from fediverse.site import Site


def _policy_name(policy: QuotePolicy | None) -> str | None:
    """A policy as people chose it, from a list of one or none."""
    return (policy["automatic"] or ["nobody"])[0] if policy is not None else None


def scheduled_status(row: Row[Any], site: Site) -> dict[str, Any]:
    """A ScheduledStatus."""
    params = row.params
    files = params.get("attachments", ())
    return {
        "id": str(row.id),
        "scheduled_at": rfc3339(row.scheduled_at),
        "params": {
            "text": params["text"],
            "poll": params["poll"],
            "media_ids": [str(file["id"]) for file in files] or None,
            "sensitive": params["sensitive"],
            "spoiler_text": params["spoiler_text"] or None,
            "visibility": visibility_name(params["visibility"]),
            "in_reply_to_id": params["in_reply_to_id"],
            "quoted_status_id": str(params["quote_of_id"]) if params.get("quote_of_id") else None,
            "quote_approval_policy": _policy_name(params.get("quote_policy")),
            "language": params["language"],
            "scheduled_at": None,
            "idempotency": row.idempotency_key,
            "application_id": params["application_id"],
            "with_rate_limit": False,
        },
        "media_attachments": [attachment(file, site, id_=row.id) for file in files],
    }
