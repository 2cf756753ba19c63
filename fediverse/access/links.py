"""One-time links: for setting up, for a lost password, for an invitation, for an e-mail address."""

from __future__ import annotations

from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, insert, select, update

from fediverse.access.secret import fingerprint, new_secret
from fediverse.clock import DAY, Instant
from fediverse.tables.access import one_time_links

LinkPurpose = Literal["setup", "reset", "invite", "confirm"]

#: How long a link of each purpose is good for.
LINK_LIFETIME: Final[dict[LinkPurpose, Instant]] = {
    "setup": 7 * DAY,
    "reset": DAY,
    "invite": 7 * DAY,
    "confirm": 7 * DAY,
}


def create_link(tx: Connection, purpose: LinkPurpose, *, person_id: int | None = None, now: Instant) -> str:
    """The token of a new link, told this once. An older unused one for the same purpose and person ends."""
    end_links(tx, purpose, person_id=person_id, now=now)
    token = new_secret()
    tx.execute(
        insert(one_time_links).values(
            token_hash=fingerprint(token),
            purpose=purpose,
            person_id=person_id,
            created_at=now,
            expires_at=now + LINK_LIFETIME[purpose],
        )
    )
    return token


def end_links(tx: Connection, purpose: LinkPurpose, *, person_id: int | None, now: Instant) -> None:
    """The person's links for the purpose that were not used are worth nothing any more."""
    same_person = one_time_links.c.person_id.is_(None) if person_id is None else one_time_links.c.person_id == person_id
    tx.execute(
        update(one_time_links)
        .where(one_time_links.c.purpose == purpose, same_person, one_time_links.c.used_at.is_(None))
        .values(used_at=now)
    )


def peek_link(tx: Connection, purpose: LinkPurpose, token: str, *, now: Instant) -> Row[Any] | None:
    """The link's row while it can be used, without using it: for showing the form."""
    return tx.execute(
        select(one_time_links).where(
            one_time_links.c.token_hash == fingerprint(token),
            one_time_links.c.purpose == purpose,
            one_time_links.c.used_at.is_(None),
            one_time_links.c.expires_at > now,
        )
    ).one_or_none()


def consume_link(tx: Connection, purpose: LinkPurpose, token: str, *, now: Instant) -> Row[Any] | None:
    """The link's row, used up by this call; None when it cannot be used (any more)."""
    return tx.execute(
        update(one_time_links)
        .where(
            one_time_links.c.token_hash == fingerprint(token),
            one_time_links.c.purpose == purpose,
            one_time_links.c.used_at.is_(None),
            one_time_links.c.expires_at > now,
        )
        .values(used_at=now)
        .returning(*one_time_links.c)
    ).one_or_none()
