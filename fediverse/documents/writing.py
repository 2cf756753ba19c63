"""Our own posts and actors as documents, in the form that most servers take.

Arrays stay arrays with one entry or none, the public is spelt in full, and there is no property without a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from sqlalchemy import Row

from fediverse.clock import Instant, rfc3339
from fediverse.documents.addressing import audience
from fediverse.documents.collections import collection
from fediverse.documents.context import ACTOR_CONTEXT, NOTE_CONTEXT, QUESTION_CONTEXT, SIMPLE_CONTEXT, Document
from fediverse.documents.polls import poll_properties
from fediverse.documents.quotes import context_of, policy_properties, quote_properties, with_reference
from fediverse.drafts import Visibility
from fediverse.text import fold_tag
from fediverse.urls import Urls

_IMAGE_TYPES: Final = {"gif": "image/gif", "webp": "image/webp", "jpg": "image/jpeg", "jpeg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A stored picture: its address and its media type."""

    url: str
    media_type: str
    description: str = ""


def dumps(document: Document) -> bytes:
    """The document as it is sent."""
    return orjson.dumps(document)


def note_document(
    urls: Urls,
    status: Row[Any],
    author: Row[Any],
    *,
    parent_uri: str | None,
    mentions: Sequence[Any] | None = None,
    replies: Sequence[str] = (),
    replies_next: str | None = None,
) -> Document:
    """The Note that a local status is; a Question, where it asks one.

    ``parent_uri`` is the id of what it answers. ``mentions`` are the mentioned actors, as rows or as entries of the
    column ``mentions``, by default the status's own. ``replies`` are the ids of the first public replies, more of
    which are on ``replies_next``.
    """
    id_ = urls.status(author.username, status.id)
    visibility = Visibility(status.visibility)
    named = [_named(urls, entry) for entry in (status.mentions if mentions is None else mentions)]
    to, cc = audience(urls, author.username, visibility, [href for href, _ in named])
    document: Document = {
        "@context": NOTE_CONTEXT if status.poll is None else QUESTION_CONTEXT,
        "id": id_,
        "type": "Note" if status.poll is None else "Question",
        "attributedTo": urls.actor(author.username),
        "published": rfc3339(status.created_at),
        "url": urls.status_page(author.username, status.id),
        "to": to,
        "cc": cc,
        "sensitive": bool(status.sensitive or author.sensitized_at),
        "content": status.content,
        "attachment": [_attachment(urls, entry) for entry in status.attachments],
        "tag": _tags(urls, status, named),
    }
    if status.poll is not None:
        document |= poll_properties(status.poll)
    if status.quote_policy is not None and visibility.is_public:
        document |= policy_properties(urls, author.username, status.quote_policy)
    if status.quote_uri is not None:
        document |= quote_properties(status.quote_uri, status.quote_authorization)
        document["content"] = with_reference(status.content, status.quote_uri)
    if "quote" in document or "interactionPolicy" in document:
        document["@context"] = context_of(document["@context"])
    if status.language:
        document["contentMap"] = {status.language: document["content"]}
    if status.spoiler_text:
        document["summary"] = status.spoiler_text
    if status.edited_at is not None:
        document["updated"] = rfc3339(status.edited_at)
    if parent_uri is not None:
        document["inReplyTo"] = parent_uri
    if visibility.is_public:
        document["replies"] = collection(
            urls.replies(author.username, status.id), items=replies, next_=replies_next, context=False
        )
    return document


def actor_document(
    urls: Urls,
    actor: Row[Any],
    keys: Sequence[Row[Any]],
    *,
    icon: Picture | None = None,
    image: Picture | None = None,
    moved_to: str | None = None,
) -> Document:
    """The document of a local actor; ``keys`` are its rows of ``actor_keys``."""
    name, id_ = actor.username, urls.actor(actor.username)
    document: Document = {
        "@context": ACTOR_CONTEXT,
        "id": id_,
        "type": actor.kind,
        "preferredUsername": name,
        "webfinger": urls.handle(name),
        "name": actor.name or name,
        "summary": actor.summary,
        "url": urls.profile(name),
        "inbox": urls.inbox(name),
        "outbox": urls.outbox(name),
        "followers": urls.followers(name),
        "following": urls.following(name),
        "featured": urls.featured(name),
        "endpoints": {"sharedInbox": urls.shared_inbox},
        "manuallyApprovesFollowers": bool(actor.locked),
        "discoverable": bool(actor.discoverable),
        "indexable": bool(actor.indexable),
        "published": rfc3339(actor.created_at),
        "alsoKnownAs": [*actor.also_known_as],
        "attachment": [
            {"type": "PropertyValue", "name": field["name"], "value": field["value"]} for field in actor.fields
        ],
        "tag": [_emoji(urls, entry, actor.created_at) for entry in actor.emojis],
        **_keys(id_, urls.key(name), urls.ed25519_key(name), keys),
    }
    if icon is not None:
        document["icon"] = _picture(icon)
    if image is not None:
        document["image"] = _picture(image)
    if moved_to is not None:
        document["movedTo"] = moved_to
    if actor.attribution_domains:
        document["attributionDomains"] = [*actor.attribution_domains]
    return document


def instance_actor_document(urls: Urls, actor: Row[Any], keys: Sequence[Row[Any]]) -> Document:
    """The document of the actor that signs the server's own requests. It follows nobody and posts nothing."""
    id_ = urls.instance_actor
    return {
        "@context": ACTOR_CONTEXT,
        "id": id_,
        "type": "Application",
        "preferredUsername": actor.username,
        "webfinger": urls.handle(actor.username),
        "name": actor.name or actor.username,
        "url": urls.base_url,
        "inbox": urls.shared_inbox,
        "outbox": f"{id_}/outbox",
        "endpoints": {"sharedInbox": urls.shared_inbox},
        "manuallyApprovesFollowers": True,
        "published": rfc3339(actor.created_at),
        **_keys(id_, f"{id_}#main-key", f"{id_}#ed25519-key", keys),
    }


def key_document(urls: Urls, actor: Row[Any], keys: Sequence[Row[Any]]) -> Document:
    """No more of an actor than it takes to verify its signatures, for those who may not see the rest."""
    name, id_ = actor.username, urls.actor(actor.username)
    return {
        "@context": ACTOR_CONTEXT,
        "id": id_,
        "type": actor.kind,
        "preferredUsername": name,
        "inbox": urls.inbox(name),
        **_keys(id_, urls.key(name), urls.ed25519_key(name), keys),
    }


def tombstone(id_: str, *, former_type: str = "Note", deleted: Instant | None = None) -> Document:
    """What is left of something that was deleted."""
    document: Document = {"@context": SIMPLE_CONTEXT, "id": id_, "type": "Tombstone", "formerType": former_type}
    return document if deleted is None else {**document, "deleted": rfc3339(deleted)}


def _keys(id_: str, rsa_id: str, ed25519_id: str, keys: Sequence[Row[Any]]) -> Document:
    """``publicKey`` for the signatures that everybody reads; Ed25519 keys as Multikeys (FEP-521a)."""
    found: Document = {}
    for key in keys:
        if key.algorithm == "rsa":
            found["publicKey"] = {"id": rsa_id, "owner": id_, "publicKeyPem": key.public_key}
        else:
            multikey = {"id": ed25519_id, "type": "Multikey", "controller": id_, "publicKeyMultibase": key.public_key}
            found["assertionMethod"] = [multikey]
    return found


def _named(urls: Urls, entry: Any) -> tuple[str, str]:
    """The id and the full handle of a mentioned actor."""
    mentioned = entry if isinstance(entry, Mapping) else entry._mapping
    username, host = mentioned["username"], mentioned["host"]
    return mentioned["uri"] if host else urls.actor(username), urls.handle(username, host)


def _tags(urls: Urls, status: Row[Any], named: Sequence[tuple[str, str]]) -> list[Document]:
    return [
        *({"type": "Mention", "href": href, "name": f"@{handle}"} for href, handle in named),
        *(_hashtag(urls, entry["name"]) for entry in status.tags),
        *(_emoji(urls, entry, status.created_at) for entry in status.emojis),
    ]


def _hashtag(urls: Urls, name: str) -> Document:
    return {"type": "Hashtag", "href": urls.tag(fold_tag(name)), "name": f"#{name}"}


def _emoji(urls: Urls, entry: Mapping[str, Any], updated: Instant) -> Document:
    url = urls.media(entry["key"]) if entry.get("key") else entry["url"]
    extension = urlsplit(url).path.rpartition(".")[2].lower()
    return {
        "id": None,
        "type": "Emoji",
        "name": f":{entry['shortcode']}:",
        "updated": rfc3339(updated),
        "icon": _picture(Picture(url, _IMAGE_TYPES.get(extension, "image/png"))),
    }


def _picture(picture: Picture) -> Document:
    document: Document = {"type": "Image", "mediaType": picture.media_type, "url": picture.url}
    if picture.description:
        document["name"] = document["summary"] = picture.description
    return document


def _attachment(urls: Urls, entry: Mapping[str, Any]) -> Document:
    """Media as a Document; its description twice, since servers read either ``name`` or ``summary``."""
    key, preview = entry.get("key"), entry.get("preview_key")
    document: Document = {
        "type": "Document",
        "mediaType": entry["media_type"],
        "url": urls.media(key) if key else entry["url"],
    }
    if entry["description"]:
        document["name"] = document["summary"] = entry["description"]
    for name in ("blurhash", "width", "height"):
        if entry.get(name) is not None:
            document[name] = entry[name]
    facts = entry.get("facts", {})
    if "focus" in facts:
        document["focalPoint"] = facts["focus"]
    if "duration" in facts:
        document["duration"] = f"PT{facts['duration']:g}S"
    if preview and entry["type"] != "image":
        extension = preview.rpartition(".")[2]
        document["icon"] = _picture(Picture(urls.media(preview), _IMAGE_TYPES.get(extension, "image/png")))
    return document
