"""A local actor's profile: what its owner typed becomes what everybody sees, here and on other servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from sqlalchemy import Connection, Row, select, tuple_

from fediverse import emojis, ids, text
from fediverse.actors import directory, verification
from fediverse.actors.directory import ActorColumns
from fediverse.clock import Instant
from fediverse.documents import Document, Picture, actor_document
from fediverse.drafts import FieldDraft
from fediverse.errors import Invalid
from fediverse.outbox import activities
from fediverse.outbox.publish import Audience, publish
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors
from fediverse.tables.instance import pictures
from fediverse.text import MentionTarget
from fediverse.urls import Urls

MAX_NAME = 50
MAX_BIO = 500
MAX_FIELDS = 4
MAX_FIELD = 255
MAX_DESCRIPTION = 1500
MAX_DOMAINS = 10

_TABS = frozenset({"show_media", "show_media_replies", "show_featured"})
# What other servers are told of; the rest are the owner's own settings.
_DEFAULTS = frozenset({"default_visibility", "default_sensitive", "default_language", "default_quote_policy"})
_WITH_EMOJI = frozenset({"name", "summary_source", "fields_source"})
_PRIVATE = _DEFAULTS | _TABS | {"hide_relations"}


def update(tx: Connection, urls: Urls, actor: Row[Any], *, now: Instant, **changes: Unpack[ActorColumns]) -> Row[Any]:
    """The local actor with the changes, made to HTML where the owner typed text; followers' servers are told.

    ``summary_source`` and ``fields_source`` bring ``summary`` and ``fields`` with them. What is as it was is no
    change, and nobody is told of it. Raises Invalid for what is too long.
    """
    _check(changes)
    columns: dict[str, Any] = dict(changes)
    if "name" in changes:
        columns["name"] = text.sanitize_name(changes["name"], MAX_NAME)
    for kind in ("avatar_description", "header_description"):
        if kind in changes:
            columns[kind] = text.normalise(changes[kind]).strip()
    if "summary_source" in changes:
        columns["summary"] = _html(tx, urls, changes["summary_source"])
    if "fields_source" in changes:
        columns["fields"] = [_field(tx, urls, line, actor) for line in changes["fields_source"]]
    if columns.keys() & _WITH_EMOJI:
        fields = columns.get("fields_source", actor.fields_source)
        texts = [columns.get(name, getattr(actor, name)) for name in ("name", "summary_source")]
        texts += [text_ for line in fields for text_ in (line["name"], line["value"])]
        columns["emojis"] = emojis.named(tx, *texts)
    columns = {name: value for name, value in columns.items() if getattr(actor, name) != value}
    if not columns:
        return actor
    row = directory.update_local(tx, actor.id, **columns)
    if "fields" in columns:
        verification.enqueue(tx, row)
    if not columns.keys() <= _PRIVATE:
        tell(tx, urls, row, now=now)
    return row


def tell(tx: Connection, urls: Urls, actor: Row[Any], *, now: Instant) -> None:
    """The servers of the actor's followers get its document as it is now."""
    uri = urls.actor(actor.username)
    activity = activities.update(
        urls, document(tx, urls, actor), username=actor.username, activity_id=ids.new_id(), published=now
    )
    publish(tx, actor_id=actor.id, activity=activity, object_key=uri, audience=Audience(followers=True), now=now)


def document(tx: Connection, urls: Urls, actor: Row[Any]) -> Document:
    """The document of a local actor, with its keys and pictures."""
    moved = directory.by_id(tx, actor.moved_to_id) if actor.moved_to_id is not None else None
    return actor_document(
        urls,
        actor,
        directory.keys_of(tx, actor.id),
        icon=picture(tx, urls, actor.avatar, actor.avatar_description),
        image=picture(tx, urls, actor.header, actor.header_description),
        moved_to=directory.uri_of(urls, moved) if moved is not None else None,
    )


def picture(tx: Connection, urls: Urls, key: str | None, description: str = "") -> Picture | None:
    """The stored picture with this key, as documents name it; None without one."""
    if not key:
        return None
    media_type = tx.scalar(select(pictures.c.content_type).where(pictures.c.storage_key == key))
    return Picture(urls.media(key), media_type, description) if media_type else None


def _check(changes: ActorColumns) -> None:
    if len(changes.get("name", "")) > MAX_NAME:
        raise Invalid(f"A name has at most {MAX_NAME} characters.")
    if len(changes.get("summary_source", "")) > MAX_BIO:
        raise Invalid(f"A profile's text has at most {MAX_BIO} characters.")
    if any(len(str(changes.get(name, ""))) > MAX_DESCRIPTION for name in ("avatar_description", "header_description")):
        raise Invalid(f"The description of a picture has at most {MAX_DESCRIPTION} characters.")
    if len(changes.get("attribution_domains", [])) > MAX_DOMAINS:
        raise Invalid(f"At most {MAX_DOMAINS} websites may name you as their author.")
    lines: Sequence[FieldDraft] = changes.get("fields_source", [])
    if len(lines) > MAX_FIELDS:
        raise Invalid(f"A profile has at most {MAX_FIELDS} fields.")
    if any(len(line["name"]) > MAX_FIELD or len(line["value"]) > MAX_FIELD for line in lines):
        raise Invalid(f"The names and contents of profile fields have at most {MAX_FIELD} characters.")


def _field(tx: Connection, urls: Urls, line: FieldDraft, before: Row[Any]) -> dict[str, Any]:
    html = _html(tx, urls, line["value"]).removeprefix("<p>").removesuffix("</p>")
    # The page that is linked may name this profile in return (rel="me"), which some readers check both ways.
    html = html.replace('rel="nofollow', 'rel="me nofollow')
    # A link that was verified still is, whatever its line is called now.
    known = zip(before.fields_source, before.fields, strict=False)
    verified = next((shown.get("verified_at") for typed, shown in known if typed["value"] == line["value"]), None)
    return {"name": text.sanitize_name(line["name"], MAX_FIELD), "value": html, "verified_at": verified}


def _html(tx: Connection, urls: Urls, written: str) -> str:
    if not written.strip():
        return ""
    return text.render(written, mentions=_mentions(tx, urls, written), tag_url=urls.tag)


def _mentions(tx: Connection, urls: Urls, written: str) -> Mapping[tuple[str, str | None], MentionTarget]:
    """Who is known here of those whom the text names; nobody is looked up elsewhere for a profile."""
    here: set[str | None] = {None, urls.domain, urls.host}
    named = {(e.username.lower(), e.host) for e in text.entities(written) if isinstance(e, text.Mention)}
    if not named:
        return {}
    handles = [(username, "" if host in here else host) for username, host in named]
    rows = tx.execute(
        select(actors).where(
            tuple_(actors.c.username_folded, actors.c.host).in_(handles),
            actors.c.deleted_at.is_(None),
            actors.c.id != INSTANCE_ACTOR_ID,
        )
    ).all()
    known = {(row.username_folded, row.host): row for row in rows}
    found: dict[tuple[str, str | None], MentionTarget] = {}
    for username, host in named:
        row = known.get((username, "" if host in here else host or ""))
        if row is not None:
            url = urls.profile(row.username) if row.host == "" else row.url or row.uri
            found[username, host] = MentionTarget(url, row.username, urls.handle(row.username, row.host))
    return found
