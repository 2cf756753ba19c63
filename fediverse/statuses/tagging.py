"""The hashtags and mentions of a status, as rows to be found by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select

from fediverse import ids, text
from fediverse.clock import Instant
from fediverse.db import Prepared
from fediverse.tables.statuses import mentions as mentions_table
from fediverse.tables.statuses import status_tags, tags

_ADD_MENTIONS = Prepared(lambda insert: insert(mentions_table).on_conflict_do_nothing())
_ADD_TAGS = Prepared(lambda insert: insert(tags).on_conflict_do_nothing(index_elements=["name"]))
_TAG = Prepared(lambda insert: insert(status_tags).on_conflict_do_nothing())
_TAG_IDS = select(tags.c.name, tags.c.id).where(tags.c.name.in_(bindparam("names", expanding=True)))


def put_tags(tx: Connection, status_id: int, names: Sequence[str], *, now: Instant) -> None:
    """The status is found under these hashtags; a new one is kept as it was first written."""
    folded = {text.fold_tag(name): name for name in reversed(names)}
    if not folded:
        return
    found = _tag_ids(tx, folded)
    missing = [
        {"id": ids.new_id(), "name": fold, "display": name, "created_at": now}
        for fold, name in folded.items()
        if fold not in found
    ]
    if missing:
        tx.execute(_ADD_TAGS(tx), missing)
        found = _tag_ids(tx, folded)
    tx.execute(_TAG(tx), [{"tag_id": tag_id, "status_id": status_id} for tag_id in found.values()])


def known_tag(tx: Connection, name: str, *, now: Instant) -> int:
    """The id of the hashtag, which is known from now on if it was not, as it is written here."""
    folded = {text.fold_tag(name): name}
    if not (found := _tag_ids(tx, folded)):
        (fold,) = folded
        tx.execute(_ADD_TAGS(tx), {"id": ids.new_id(), "name": fold, "display": name, "created_at": now})
        found = _tag_ids(tx, folded)
    (tag_id,) = found.values()
    return tag_id


def put_mentions(tx: Connection, status_id: int, actors: Sequence[Row[Any]]) -> None:
    """The status is found by those whom it mentions."""
    if actors:
        rows = [{"actor_id": actor.id, "status_id": status_id, "silent": False} for actor in actors]
        tx.execute(_ADD_MENTIONS(tx), rows)


def put_mention(tx: Connection, status_id: int, actor_id: int, *, silent: bool) -> None:
    """The status is found by the actor; ``silent``: it is meant for the actor without naming it."""
    tx.execute(_ADD_MENTIONS(tx), {"actor_id": actor_id, "status_id": status_id, "silent": silent})


def clear_tags(tx: Connection, status_id: int) -> None:
    """The status is found under no hashtag."""
    tx.execute(delete(status_tags).where(status_tags.c.status_id == status_id))


def _tag_ids(tx: Connection, folded: dict[str, str]) -> dict[str, int]:
    return {row.name: row.id for row in tx.execute(_TAG_IDS, {"names": list(folded)})}
