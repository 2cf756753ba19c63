"""Browser sessions: a cookie with a random id, which ends after a month without use."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, and_, delete, insert, select, update

from fediverse import events
from fediverse.access.scopes import ALL_SCOPES
from fediverse.access.secret import fingerprint, new_secret
from fediverse.access.tokens import Credentials
from fediverse.clock import DAY, Instant
from fediverse.tables.access import oauth_codes, oauth_tokens, sessions
from fediverse.tables.actors import actors, memberships, people

SESSION_LIFETIME: Final = 30 * DAY
_EVERYTHING: Final = frozenset(ALL_SCOPES)
_USER_AGENT: Final = 200


def create_session(tx: Connection, *, person_id: int, actor_id: int, user_agent: str, now: Instant) -> str:
    """The cookie of a new session. Its id is new at every sign-in, so one that was planted before means nothing."""
    cookie = new_secret()
    tx.execute(
        insert(sessions).values(
            token_hash=fingerprint(cookie),
            person_id=person_id,
            actor_id=actor_id,
            user_agent=user_agent[:_USER_AGENT],
            created_at=now,
            used_at=now,
            expires_at=now + SESSION_LIFETIME,
        )
    )
    return cookie


def session(tx: Connection, cookie: str, *, now: Instant) -> Credentials | None:
    """Whose session the cookie is, in one query; None when it ended or its person or actor may not act.

    ``used_at`` tells when it was last extended: see ``extend_session``.
    """
    row = tx.execute(
        select(
            sessions.c.person_id,
            sessions.c.actor_id,
            sessions.c.used_at,
            people.c.role,
        )
        .join(people, people.c.id == sessions.c.person_id)
        .join(actors, actors.c.id == sessions.c.actor_id)
        .join(
            memberships,
            and_(memberships.c.person_id == sessions.c.person_id, memberships.c.actor_id == sessions.c.actor_id),
        )
        .where(
            sessions.c.token_hash == fingerprint(cookie),
            sessions.c.expires_at > now,
            people.c.approved_at.is_not(None),
            people.c.confirmed_at.is_not(None),
            people.c.suspended_at.is_(None),
            actors.c.suspended_at.is_(None),
            actors.c.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    return Credentials(row.person_id, row.actor_id, 0, _EVERYTHING, row.role, 0, row.used_at)


def extend_session(tx: Connection, cookie: str, *, now: Instant) -> None:
    """The session was used at ``now`` and lasts a month from then. Once a day is enough (``tokens.is_stale``)."""
    tx.execute(
        update(sessions)
        .where(sessions.c.token_hash == fingerprint(cookie), sessions.c.expires_at > now)
        .values(used_at=now, expires_at=now + SESSION_LIFETIME)
    )


def end_session(tx: Connection, cookie: str) -> None:
    """The session is over."""
    tx.execute(delete(sessions).where(sessions.c.token_hash == fingerprint(cookie)))


def end_all(tx: Connection, person_id: int, *, now: Instant, keep_cookie: str | None = None) -> None:
    """All of the person's sessions (but the kept one), codes and tokens are over, as after a change of password."""
    ended = delete(sessions).where(sessions.c.person_id == person_id)
    if keep_cookie is not None:
        ended = ended.where(sessions.c.token_hash != fingerprint(keep_cookie))
    tx.execute(ended)
    tx.execute(
        update(oauth_codes)
        .where(oauth_codes.c.person_id == person_id, oauth_codes.c.used_at.is_(None))
        .values(used_at=now)
    )
    tx.execute(
        update(oauth_tokens)
        .where(oauth_tokens.c.person_id == person_id, oauth_tokens.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    events.after_commit(tx, events.AccessChanged(person_id=person_id))


def sweep(tx: Connection, *, now: Instant) -> None:
    """Sessions, codes and revoked tokens that ended long ago are gone."""
    tx.execute(delete(sessions).where(sessions.c.expires_at <= now))
    tx.execute(delete(oauth_codes).where(oauth_codes.c.expires_at <= now - DAY))
    tx.execute(delete(oauth_tokens).where(oauth_tokens.c.revoked_at <= now - SESSION_LIFETIME))
