"""Reports that other servers forward."""

from __future__ import annotations

from sqlalchemy import Connection

from fediverse.admin import reports
from fediverse.documents import id_of, same_origin
from fediverse.inbox.activity import Activity, Outcome
from fediverse.inbox.registry import handles


@handles("Flag")
def flag(tx: Connection, activity: Activity) -> Outcome:
    """Accounts here that the Flag is about, or whose posts it is about, are reported; moderators are told."""
    draft = activity.draft
    objects = [uri for entry in draft.objects or (draft.object_uri,) if (uri := id_of(entry)) is not None]
    uri = draft.id if same_origin(draft.id, activity.signer_uri) else None
    added = reports.receive(
        tx,
        activity.urls,
        activity.signer,
        uri=uri or f"{activity.signer_uri}#flags/{activity.id}",
        objects=objects,
        content=draft.content,
        now=activity.now,
    )
    return "applied" if added else "ignored"
