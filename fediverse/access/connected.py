"""What a person is signed in with: applications and browsers, to be looked at and ended one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, select, update

from fediverse import events
from fediverse.access.secret import fingerprint
from fediverse.clock import Instant
from fediverse.tables.access import oauth_apps, oauth_tokens, sessions
from fediverse.tables.actors import actors

_SHOWN: Final = 200
# Names a session in a form. The rest of the fingerprint stays here, though it would open nothing.
_MARK: Final = 16


def apps_of(tx: Connection, person_id: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """The applications that can act for the person, as which actor, since when, and when they last did."""
    return tx.execute(
        select(
            oauth_apps.c.id,
            oauth_apps.c.name,
            oauth_apps.c.website,
            actors.c.username,
            func.min(oauth_tokens.c.created_at).label("created_at"),
            func.max(oauth_tokens.c.used_at).label("used_at"),
        )
        .select_from(oauth_tokens)
        .join(oauth_apps, oauth_apps.c.id == oauth_tokens.c.app_id)
        .join(actors, actors.c.id == oauth_tokens.c.actor_id)
        .where(oauth_tokens.c.person_id == person_id, oauth_tokens.c.revoked_at.is_(None))
        .group_by(oauth_apps.c.id, oauth_apps.c.name, oauth_apps.c.website, actors.c.username)
        .order_by(func.max(oauth_tokens.c.id).desc())
        .limit(_SHOWN)
    ).all()


def revoke_app(tx: Connection, person_id: int, app_id: int, *, now: Instant) -> None:
    """The application can act for the person no longer."""
    ended = tx.scalars(
        update(oauth_tokens)
        .where(
            oauth_tokens.c.person_id == person_id, oauth_tokens.c.app_id == app_id, oauth_tokens.c.revoked_at.is_(None)
        )
        .values(revoked_at=now)
        .returning(oauth_tokens.c.id)
    ).all()
    for token_id in ended:
        events.after_commit(tx, events.AccessChanged(token_id=token_id))


def sessions_of(tx: Connection, person_id: int, *, now: Instant) -> Sequence[Row[*tuple[Any, ...]]]:
    """The browsers that the person is signed in with, each with a ``mark`` that names it, the last used first."""
    mark = func.substr(sessions.c.token_hash, 1, _MARK).label("mark")
    return tx.execute(
        select(mark, sessions.c.user_agent, sessions.c.created_at, sessions.c.used_at)
        .where(sessions.c.person_id == person_id, sessions.c.expires_at > now)
        .order_by(sessions.c.used_at.desc(), sessions.c.token_hash)
        .limit(_SHOWN)
    ).all()


def session_mark(cookie: str) -> str:
    """The mark of the session with this cookie."""
    return fingerprint(cookie)[:_MARK]


def end_session_of(tx: Connection, person_id: int, mark: str) -> None:
    """The person's session with this mark is over."""
    tx.execute(
        delete(sessions).where(
            sessions.c.person_id == person_id, func.substr(sessions.c.token_hash, 1, _MARK) == mark[:_MARK]
        )
    )
