"""Posts that wait for their time, as clients see them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from fediverse.clock import rfc3339
from fediverse.entities.accounts import visibility_name
from fediverse.entities.attachments import attachment
from fediverse.site import Site


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
            "language": params["language"],
            "scheduled_at": None,
            "idempotency": row.idempotency_key,
            "application_id": params["application_id"],
            "with_rate_limit": False,
        },
        "media_attachments": [attachment(file, site, id_=row.id) for file in files],
    }
