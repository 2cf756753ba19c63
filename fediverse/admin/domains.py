"""Whole servers that are refused or limited, as moderators and apps see it. Owner of the table ``severances``.

The blocks themselves are ``moderation``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from fediverse import ids, moderation, notifications
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.errors import NotFound
from fediverse.moderation import Severity
from fediverse.paging import Page
from fediverse.tables.actors import actors, follows
from fediverse.tables.instance import host_blocks
from fediverse.tables.moderation import severances

#: The API's words for how a server is treated.
SEVERITIES: Final[Mapping[str, Severity]] = {"suspend": "block", "silence": "limit", "noop": "none"}


def page(tx: Connection, page: Page) -> list[Row[Any]]:
    """A page of blocks, the latest first."""
    return page.newest_first(tx.execute(page.select(select(host_blocks), host_blocks.c.id)).all())


def get(tx: Connection, block_id: int) -> Row[Any]:
    """The block with this id. Raises NotFound."""
    row = tx.execute(select(host_blocks).where(host_blocks.c.id == block_id)).first()
    if row is None:
        raise NotFound("Record not found")
    return row


def of_host(tx: Connection, host: str) -> Row[Any] | None:
    """The block of exactly this host, as it is folded."""
    return tx.execute(select(host_blocks).where(host_blocks.c.host == host)).first()


def block(
    tx: Connection,
    /,
    host: str,
    *,
    severity: Severity,
    comment: str = "",
    by: int | None = None,
    now: Instant,
    **more: Any,
) -> str:
    """As ``moderation.block_host``; people here are told of the relations that a full block cuts."""
    was_open = moderation.host_severity(tx, host) != "block"
    folded = moderation.block_host(tx, host, severity=severity, comment=comment, by=by, now=now, **more)
    if was_open and severity == "block":
        _sever(tx, folded, now=now)
    return folded


def _sever(tx: Connection, host: str, *, now: Instant) -> None:
    """Whoever here follows or is followed from there is told, with how many they are; lifting the block mends it."""
    there = moderation.under(host)
    lost: dict[int, list[int]] = {}
    for place, mine, other, local in (
        (0, follows.c.followee_id, follows.c.follower_id, False),
        (1, follows.c.follower_id, follows.c.followee_id, True),
    ):
        counted = (
            select(mine, func.count())
            .select_from(follows)
            .join(actors, actors.c.id == other)
            .where(there, follows.c.accepted, follows.c.follower_is_local == local)
            .group_by(mine)
        )
        for actor_id, count in tx.execute(counted):
            lost.setdefault(actor_id, [0, 0])[place] = count
    if not lost:
        return
    event_id = ids.new_id()
    tx.execute(
        insert(tx, severances),
        [
            {
                "event_id": event_id,
                "actor_id": actor_id,
                "kind": "domain_block",
                "target_name": host,
                "followers_count": followers,
                "following_count": following,
                "created_at": now,
            }
            for actor_id, (followers, following) in lost.items()
        ],
    )
    notifications.tell(tx, lost, kind="severed_relationships", by_id=None, about_id=event_id, now=now)
