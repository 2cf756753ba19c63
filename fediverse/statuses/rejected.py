"""What is not taken of other servers' posts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row

from fediverse import moderation
from fediverse.drafts import NoteDraft


def without_rejected_media(tx: Connection, author: Row[Any], draft: NoteDraft) -> NoteDraft:
    """The draft, without attachments where those of the author's server are rejected."""
    if draft.attachments and moderation.rejects_media(tx, author.host):
        return replace(draft, attachments=())
    return draft
