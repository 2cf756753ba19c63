"""What an actor noted down about others, for its own eyes. Owner of the table account_notes."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, delete

from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.errors import Invalid
from fediverse.tables.relations import account_notes

MAX_NOTE: Final = 2000


def write(tx: Connection, actor: Row[Any], target: Row[Any], comment: str, *, now: Instant) -> None:
    """The actor's note on the target is ``comment``; an empty one is no note. Raises Invalid for one too long."""
    words = comment.strip()
    if len(words) > MAX_NOTE:
        raise Invalid(f"A note on an account has at most {MAX_NOTE} characters.")
    if not words:
        mine = (account_notes.c.actor_id == actor.id, account_notes.c.target_id == target.id)
        tx.execute(delete(account_notes).where(*mine))
        return
    values = {"comment": words, "updated_at": now}
    tx.execute(
        insert(tx, account_notes)
        .values(actor_id=actor.id, target_id=target.id, **values)
        .on_conflict_do_update(index_elements=["actor_id", "target_id"], set_=values)
    )
