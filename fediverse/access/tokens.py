"""Bearer tokens: whose they are, and what they allow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, and_, bindparam, insert, select, update

from fediverse import events
from fediverse.access.scopes import held, join_scopes
from fediverse.access.secret import fingerprint, new_secret
from fediverse.clock import DAY, Instant
from fediverse.db import Prepared, id_list
from fediverse.db import insert as upsert
from fediverse.ids import new_id
from fediverse.quick import Quick
from fediverse.tables.access import oauth_apps, oauth_tokens
from fediverse.tables.actors import actors, memberships, people

# The application that tokens made on the command line belong to.
_OWN_CLIENT_ID: Final = "fediverse-command-line"
_OWN_NAME: Final = "fediverse"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who is calling, and what they may do. Person and actor are 0 for an application that speaks for itself."""

    person_id: int
    actor_id: int
    app_id: int
    scopes: frozenset[str]
    role: str  # of the person: owner, admin, moderator or user; empty for an application
    token_id: int = 0
    used_at: Instant | None = None

    @property
    def is_person(self) -> bool:
        """Whether a person is behind it, not only an application."""
        return self.person_id != 0


_TOKENS = (
    select(
        oauth_tokens.c.id,
        oauth_tokens.c.app_id,
        oauth_tokens.c.scopes,
        oauth_tokens.c.used_at,
        oauth_tokens.c.person_id,
        oauth_tokens.c.actor_id,
        people.c.role,
        people.c.approved_at,
        people.c.confirmed_at,
        people.c.suspended_at,
        actors.c.suspended_at.label("actor_suspended_at"),
        actors.c.deleted_at.label("actor_deleted_at"),
        memberships.c.actor_id.label("member_of"),
    )
    .select_from(oauth_tokens)
    .outerjoin(people, people.c.id == oauth_tokens.c.person_id)
    .outerjoin(actors, actors.c.id == oauth_tokens.c.actor_id)
    .outerjoin(
        memberships,
        and_(memberships.c.person_id == oauth_tokens.c.person_id, memberships.c.actor_id == oauth_tokens.c.actor_id),
    )
    .where(oauth_tokens.c.revoked_at.is_(None))
)
_BEARER = Quick(lambda _sql: _TOKENS.where(oauth_tokens.c.token_hash == bindparam("token_hash")))
_LASTING = Prepared(lambda sql: _TOKENS.where(sql.within(oauth_tokens.c.id, "ids")))


def bearer(tx: Connection, token: str, *, waiting: bool = False) -> Credentials | None:
    """Who the token speaks for, in one query. None when it is unknown, revoked, or its person or actor may not act.

    A membership that ended ends the token with it. ``waiting`` lets in whoever has yet to confirm an e-mail address
    or to be approved.
    """
    rows = _BEARER(tx, {"token_hash": fingerprint(token)})
    if not rows:
        return None
    row = rows[0]
    if row.person_id is None:
        return Credentials(0, 0, row.app_id, held(row.scopes), "", row.id, row.used_at)
    if not _may_act(row, waiting=waiting):
        return None
    return Credentials(row.person_id, row.actor_id, row.app_id, held(row.scopes), row.role, row.id, row.used_at)


def lasting(tx: Connection, token_ids: Iterable[int]) -> set[int]:
    """Those of the tokens that still open what they opened: neither revoked, nor their person or actor shut out."""
    rows = tx.execute(_LASTING(tx), {"ids": id_list(tx, token_ids)})
    return {row.id for row in rows if row.person_id is None or _may_act(row)}


def _may_act(row: Any, *, waiting: bool = False) -> bool:
    return (
        row.member_of is not None
        and (waiting or (row.approved_at is not None and row.confirmed_at is not None))
        and row.suspended_at is None
        and row.actor_suspended_at is None
        and row.actor_deleted_at is None
    )


def missing(tx: Connection, token: str) -> Literal["confirmation", "approval"] | None:
    """What the person still waits for whose token is good otherwise; None when that is not why it is refused."""
    row = tx.execute(
        select(people.c.approved_at, people.c.confirmed_at)
        .select_from(oauth_tokens)
        .join(people, people.c.id == oauth_tokens.c.person_id)
        .where(
            oauth_tokens.c.token_hash == fingerprint(token),
            oauth_tokens.c.revoked_at.is_(None),
            people.c.suspended_at.is_(None),
        )
    ).first()
    if row is None or (row.approved_at is not None and row.confirmed_at is not None):
        return None
    return "confirmation" if row.confirmed_at is None else "approval"


def is_frozen(tx: Connection, token: str) -> bool:
    """Whether the token is good but for its person, whose login moderators have disabled."""
    return bool(
        tx.scalar(
            select(oauth_tokens.c.id)
            .join(people, people.c.id == oauth_tokens.c.person_id)
            .where(
                oauth_tokens.c.token_hash == fingerprint(token),
                oauth_tokens.c.revoked_at.is_(None),
                people.c.suspended_at.is_not(None),
            )
        )
    )


def store_token(
    tx: Connection,
    *,
    app_id: int,
    person_id: int | None,
    actor_id: int | None,
    scopes: str,
    now: Instant,
    code_hash: str | None = None,
) -> str:
    """A new bearer token, told this once."""
    token = new_secret()
    tx.execute(
        insert(oauth_tokens).values(
            id=new_id(),
            token_hash=fingerprint(token),
            app_id=app_id,
            person_id=person_id,
            actor_id=actor_id,
            scopes=scopes,
            code_hash=code_hash,
            created_at=now,
        )
    )
    return token


def client_token(tx: Connection, app: Row[Any], *, scopes: tuple[str, ...], now: Instant) -> str:
    """A token with which an application speaks for itself (client credentials)."""
    return store_token(tx, app_id=app.id, person_id=None, actor_id=None, scopes=join_scopes(scopes), now=now)


def token_create(
    tx: Connection, *, person_id: int, actor_id: int, scopes: tuple[str, ...], now: Instant, app_id: int | None = None
) -> str:
    """A bearer token for a person to speak as an actor; of the command line's own application unless one is named."""
    return store_token(
        tx,
        app_id=app_id if app_id is not None else _own_app(tx, now=now),
        person_id=person_id,
        actor_id=actor_id,
        scopes=join_scopes(scopes),
        now=now,
    )


def _own_app(tx: Connection, *, now: Instant) -> int:
    tx.execute(
        upsert(tx, oauth_apps)
        .values(
            id=new_id(),
            client_id=_OWN_CLIENT_ID,
            client_secret_hash=fingerprint(new_secret()),  # nobody knows it, so nobody can authenticate with it
            name=_OWN_NAME,
            redirect_uris=[],
            scopes="read write follow push",
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["client_id"])
    )
    return int(tx.execute(select(oauth_apps.c.id).where(oauth_apps.c.client_id == _OWN_CLIENT_ID)).scalar_one())


def revoke_token(tx: Connection, *, app_id: int, token: str, now: Instant) -> bool:
    """Whether the token is the application's own; it opens nothing any more. An unknown token counts as revoked."""
    owner = tx.execute(
        select(oauth_tokens.c.app_id).where(oauth_tokens.c.token_hash == fingerprint(token))
    ).scalar_one_or_none()
    if owner is None:
        return True
    if owner != app_id:
        return False
    revoked = tx.scalar(
        update(oauth_tokens)
        .where(oauth_tokens.c.token_hash == fingerprint(token), oauth_tokens.c.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(oauth_tokens.c.id)
    )
    if revoked is not None:
        events.after_commit(tx, events.AccessChanged(token_id=revoked))
    return True


def is_stale(credentials: Credentials, *, now: Instant) -> bool:
    """Whether the last use on record is a day old, so that it is worth a write."""
    return credentials.used_at is None or credentials.used_at + DAY <= now


def touch_token(tx: Connection, credentials: Credentials, *, now: Instant) -> None:
    """The token was used at ``now``."""
    tx.execute(update(oauth_tokens).where(oauth_tokens.c.id == credentials.token_id).values(used_at=now))
