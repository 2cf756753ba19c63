"""Actors of other servers, as their documents describe them. Read leniently, within limits.

Where an address decides who somebody is or where things are sent, it must be of the actor's own server: anybody could
name a stranger's inbox or key otherwise.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from fediverse.documents.context import Document
from fediverse.documents.shapes import (
    clean,
    entries,
    host_of,
    http_uri,
    id_of,
    ids,
    instant_of,
    link_of,
    objects,
    picture_of,
    same_origin,
    type_of,
)
from fediverse.documents.tags import read_tags
from fediverse.drafts import ActorDraft, FieldDraft, KeyDraft
from fediverse.errors import BadRequest
from fediverse.text import fold_host, sanitize, sanitize_name, split_handle

ACTOR_TYPES: Final = frozenset({"Person", "Service", "Group", "Organization", "Application"})
"""Types of actors (ActivityStreams Vocabulary §3.2)."""

MAX_NAME: Final = 100
"""Characters of a display name, and of a field's name."""

MAX_BIO: Final = 20_000
"""Characters of a profile's text that are read."""

MAX_FIELDS: Final = 16
"""Lines of a profile."""

MAX_FIELD: Final = 2_000
"""Characters of a field's value that are read."""

MAX_DESCRIPTION: Final = 1_500
"""Characters of the description of an avatar or header."""

MAX_DOMAINS: Final = 50
"""Domains whose pages may name the actor as their author."""

MAX_ALIASES: Final = 32
"""Other ids of an actor that are kept."""

MAX_KEYS: Final = 8
"""Keys of an actor that are read."""

MAX_KEY: Final = 4_096
"""Characters of a key: an 8192-bit RSA key has about 1,450."""

_USERNAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?")
_ED25519_DER: Final = "MCowBQYDK2Vw"  # how every Ed25519 key in PEM (RFC 8410) begins
_ED25519_MULTIBASE = re.compile(r"z6Mk[1-9A-HJ-NP-Za-km-z]{44}")


def read_actor(document: object) -> ActorDraft:
    """The actor that a document describes, its HTML cleaned and everything within its limit.

    ``published_at`` is as claimed: whether it lies in the future is for the caller to judge. Addresses of another
    server than the actor's are left out, keys of others too.

    Raises BadRequest when it is no actor, when it has no http(s) id, no user name that a handle can have, or no inbox
    on its own server.
    """
    if not isinstance(document, dict):
        raise BadRequest("An actor must be a JSON object.")
    kind, uri, inbox = _identity(document)
    endpoints = document.get("endpoints")
    shared = endpoints if isinstance(endpoints, dict) else document  # older Pleroma and others have it at the top
    return ActorDraft(
        uri=uri,
        kind=kind,
        username=_username(document, kind, uri),
        host=host_of(uri),
        inbox=inbox,
        webfinger=_webfinger(document),
        name=sanitize_name(clean(document.get("name"), MAX_NAME * 40), MAX_NAME),
        summary=sanitize(clean(document.get("summary"), MAX_BIO)),
        url=link_of(document.get("url")) or uri,
        shared_inbox=_own(shared, "sharedInbox", uri),
        outbox=_own(document, "outbox", uri),
        followers_uri=_own(document, "followers", uri),
        following_uri=_own(document, "following", uri),
        featured_uri=_own(document, "featured", uri),
        avatar=picture_of(document.get("icon"), uri),
        header=picture_of(document.get("image"), uri),
        avatar_description=_description(document.get("icon")),
        header_description=_description(document.get("image")),
        attribution_domains=_domains(document.get("attributionDomains")),
        fields=_fields(document),
        emojis=read_tags(document.get("tag"), base=uri).emojis,
        also_known_as=tuple(
            alias for alias in ids(document.get("alsoKnownAs"), MAX_ALIASES) if alias != uri and http_uri(alias)
        ),
        moved_to=_elsewhere(document.get("movedTo"), uri),
        locked=document.get("manuallyApprovesFollowers") is True,
        discoverable=document.get("discoverable") is True,
        indexable=document.get("indexable") is True,
        published_at=instant_of(document.get("published")),
        keys=_keys(document, uri),
    )


def _identity(document: Document) -> tuple[str, str, str]:
    """Type, id and inbox, without which it is no actor."""
    kind = type_of(document, ACTOR_TYPES)
    if kind not in ACTOR_TYPES:
        raise BadRequest("This object is not an actor.")
    uri = http_uri(document.get("id"))
    if uri is None:
        raise BadRequest("An actor needs an id that is an http(s) URL.")
    inbox = _own(document, "inbox", uri)
    if inbox is None:
        raise BadRequest("An actor needs an inbox on its own server.")
    return kind, uri, inbox


def _own(document: Document, name: str, uri: str) -> str | None:
    """An address of the actor, if it is on the actor's host."""
    address = http_uri(id_of(document.get(name)))
    return address if address is not None and host_of(address) == host_of(uri) else None


def _elsewhere(value: object, uri: str) -> str | None:
    target = http_uri(id_of(value))
    return target if target != uri else None


def _username(document: Document, kind: str, uri: str) -> str:
    username = document.get("preferredUsername")
    if username is None and kind == "Application":
        # Lemmy's instance actor has no name of its own; others call theirs like the host.
        try:
            username = urlsplit(uri).hostname
        except ValueError:
            username = None
    if not isinstance(username, str) or not _USERNAME.fullmatch(username):
        raise BadRequest("An actor needs a user name (preferredUsername) of letters, digits, “_”, “.” and “-”.")
    return username


def _webfinger(document: Document) -> str | None:
    """The handle that the actor says it has (FEP-2c59), which is still to be confirmed."""
    try:
        username, host = split_handle(clean(document.get("webfinger"), 500))
    except BadRequest:
        return None
    return f"{username}@{host}" if host else None


def _fields(document: Document) -> tuple[FieldDraft, ...]:
    lines: list[FieldDraft] = []
    for entry in objects(document.get("attachment"), 4 * MAX_FIELDS):
        if type_of(entry, frozenset({"PropertyValue"})) != "PropertyValue":
            continue
        name = sanitize_name(clean(entry.get("name"), MAX_NAME * 40), MAX_NAME)
        value = sanitize(clean(entry.get("value"), MAX_FIELD))
        if name or value:
            lines.append({"name": name, "value": value})
        if len(lines) == MAX_FIELDS:
            break
    return tuple(lines)


def _description(value: object) -> str:
    """What an icon or image shows: Mastodon says it in ``summary``, others in ``name``."""
    for entry in objects(value, 1):
        return sanitize_name(clean(entry.get("name") or entry.get("summary"), MAX_DESCRIPTION), MAX_DESCRIPTION)
    return ""


def _domains(value: object) -> tuple[str, ...]:
    found = []
    for entry in entries(value, MAX_DOMAINS):
        try:
            found.append(fold_host(entry) if isinstance(entry, str) else "")
        except BadRequest:
            continue
    return tuple(dict.fromkeys(domain for domain in found if domain))


def _keys(document: Document, uri: str) -> tuple[KeyDraft, ...]:
    """The RSA and Ed25519 keys that the actor lists as its own, each id once."""
    found: dict[str, KeyDraft] = {}
    for entry in entries(document.get("publicKey"), MAX_KEYS):
        pem = clean(entry.get("publicKeyPem"), MAX_KEY + 1).strip() if isinstance(entry, dict) else ""
        if "-----BEGIN" in pem and len(pem) <= MAX_KEY:
            _add(found, entry, uri, "ed25519" if _ED25519_DER in pem else "rsa", pem)
    for entry in objects(document.get("assertionMethod"), MAX_KEYS):
        multibase = entry.get("publicKeyMultibase")
        if isinstance(multibase, str) and _ED25519_MULTIBASE.fullmatch(multibase):
            _add(found, entry, uri, "ed25519", multibase)
    return tuple(found.values())[:MAX_KEYS]


def _add(found: dict[str, KeyDraft], entry: Document, uri: str, algorithm: str, public_key: str) -> None:
    key_uri = http_uri(id_of(entry.get("id")))
    owner = id_of(entry.get("owner") or entry.get("controller"))
    if key_uri is not None and key_uri != uri and same_origin(key_uri, uri) and owner in (uri, None):
        found.setdefault(key_uri, KeyDraft(key_uri, algorithm, public_key))
