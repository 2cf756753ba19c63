"""Actors of this instance: made, and changed by the people who speak as them."""

from __future__ import annotations

import re
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, bindparam, delete, select, text, update

from fediverse import ids, search
from fediverse.actors.directory.keys import LocalKeys, add_local
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.drafts import EmojiDraft, FieldDraft
from fediverse.errors import Invalid, NotFound
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors
from fediverse.urls import Urls

LocalKind = Literal["Person", "Service", "Organization"]

_USERNAME = re.compile(r"[A-Za-z0-9_]{1,30}")

# Names that people would take for the server or its staff, and those that paths of its own begin with.
RESERVED = frozenset(
    """about abuse account accounts actor admin administration administrator admins api assets auth authorize avatars
    compose explore federation home hostmaster inbox instance invite localhost login logout mailer_daemon manifest
    media mentions moderation moderator moderators metrics nobody nodeinfo noreply no_reply notifications oauth
    operator outbox owner postmaster privacy proxy public register robots root rules search security settings setup
    share sitemap staff static status statuses sysadmin system tags terms tos user users webmaster well_known
    """.split()  # noqa: SIM905 - a list literal of it is a page long
)


class ActorColumns(TypedDict, total=False):
    """What may change of a local actor; ``summary`` and the fields' values are HTML, cleaned."""

    name: str
    kind: str
    summary: str
    summary_source: str
    fields: list[dict[str, Any]]
    fields_source: list[FieldDraft]
    avatar: str | None
    header: str | None
    locked: bool
    discoverable: bool
    indexable: bool
    hide_relations: bool
    avatar_description: str
    header_description: str
    show_media: bool
    show_media_replies: bool
    show_featured: bool
    attribution_domains: list[str]
    emojis: list[EmojiDraft]
    also_known_as: list[str]
    default_visibility: str
    default_sensitive: bool
    default_language: str | None
    default_quote_policy: str


# Preferences change how somebody posts, not how they look.
_INVISIBLE = frozenset({"default_visibility", "default_sensitive", "default_language", "default_quote_policy"})
_AGREED = select(actors.c.indexable).where(actors.c.id == bindparam("id"))


def check_username(username: str, *, reserved: bool = True) -> None:
    """Returns when an actor may be called that; raises Invalid with the reason otherwise.

    ``reserved=False`` is for the operator, who may well have an account called ``support``.
    """
    if not _USERNAME.fullmatch(username):
        raise Invalid("A user name has 1 to 30 letters from a to z, digits and underscores.")
    if reserved and username.lower() in RESERVED:
        raise Invalid(f"The name “{username}” is kept for the server itself. Please choose another one.")


def create_local(
    tx: Connection,
    *,
    username: str,
    kind: LocalKind = "Person",
    name: str = "",
    keys: LocalKeys,
    secret: bytes,
    now: Instant,
    reserved: bool = True,
) -> Row[Any]:
    """A new actor of this instance, with its keys.

    Names are unique without case and shown as typed; the name of a deleted actor is not given away again. Raises
    Invalid when the name is taken, reserved or not a name.
    """
    check_username(username, reserved=reserved)
    row = tx.execute(
        insert(tx, actors)
        .values(
            id=ids.new_id(),
            username=username,
            username_folded=username.lower(),
            host="",
            kind=kind,
            name=name,
            fields=[],
            fields_source=[],
            also_known_as=[],
            discoverable=True,
            default_visibility="public",
            version=1,
            created_at=now,
        )
        # Written out: PostgreSQL does not find a partial index by the parameter of a prepared statement.
        .on_conflict_do_nothing(index_elements=["username_folded"], index_where=text("host = ''"))
        .returning(*actors.c)
    ).one_or_none()
    if row is None:
        raise Invalid(f"The name “{username}” is taken. Please choose another one.")
    add_local(tx, row.id, keys, secret=secret, now=now)
    search.put_actors(tx, [row], known=False)
    return row


def ensure_instance_actor(
    tx: Connection, urls: Urls, *, keys: LocalKeys | None, secret: bytes, now: Instant
) -> Row[Any] | None:
    """The instance actor is there. None when it is not and no ``keys`` were given to make it with.

    It is called like the host of the base URL, as Mastodon's is; no person can be called so, since names have no
    dots and ``localhost`` is reserved.
    """
    found = tx.execute(actors.select().where(actors.c.id == INSTANCE_ACTOR_ID)).one_or_none()
    if found is not None or keys is None:
        return found
    username = urlsplit(urls.base_url).hostname or "localhost"
    row = tx.execute(
        insert(tx, actors)
        .values(
            id=INSTANCE_ACTOR_ID,
            username=username,
            username_folded=username.lower(),
            host="",
            kind="Application",
            fields=[],
            fields_source=[],
            also_known_as=[],
            locked=True,
            version=1,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(*actors.c)
    ).one_or_none()
    if row is not None:
        add_local(tx, INSTANCE_ACTOR_ID, keys, secret=secret, now=now)
        return row
    return tx.execute(actors.select().where(actors.c.id == INSTANCE_ACTOR_ID)).one_or_none()


def forget_local(tx: Connection, actor_id: int) -> None:
    """There never was such an actor here; its name may be taken. Only for one that has done nothing."""
    tx.execute(delete(actors).where(actors.c.id == actor_id, actors.c.host == "", actors.c.statuses_count == 0))


def update_local(tx: Connection, actor_id: int, **changes: Unpack[ActorColumns]) -> Row[Any]:
    """The local actor with ``changes``; its version grows when something shows.

    Other servers are not told: ``actors.profile.update`` does both. Raises NotFound for an actor that is not here.
    """
    agreed = _AGREED if "indexable" in changes else None
    before = tx.scalar(agreed, {"id": actor_id}) if agreed is not None else None
    grows = any(column not in _INVISIBLE for column in changes)
    row = tx.execute(
        update(actors)
        .where(actors.c.id == actor_id, actors.c.host == "", actors.c.deleted_at.is_(None))
        .values(**changes, version=actors.c.version + (1 if grows else 0))
        .returning(*actors.c)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such account here.")
    if "name" in changes:
        search.put_actors(tx, [row])
    if agreed is not None and before != row.indexable:
        search.reindex(tx, author_id=row.id)
    return row
