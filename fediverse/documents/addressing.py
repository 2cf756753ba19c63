"""Whom a document is for: ``to`` and ``cc``, and the four visibilities that they spell (Mastodon's convention)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from fediverse.documents.context import PUBLIC, PUBLIC_ALIASES, Document
from fediverse.documents.shapes import MAX_IDS, entries, ids, same_origin
from fediverse.drafts import Visibility
from fediverse.urls import Urls


class Addressing(NamedTuple):
    """What ``to`` and ``cc`` of a post say."""

    visibility: Visibility
    to_followers: bool
    audience: tuple[str, ...]


def audience(
    urls: Urls, username: str, visibility: Visibility, named: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """``to`` and ``cc`` of what a local actor says with this visibility; ``named`` are the ids of those mentioned."""
    followers = urls.followers(username)
    match visibility:
        case Visibility.PUBLIC:
            return [PUBLIC], [followers, *named]
        case Visibility.UNLISTED:
            return [followers], [PUBLIC, *named]
        case Visibility.FOLLOWERS:
            return [followers], [*named]
        case Visibility.DIRECT:
            return [*named], []


def read_recipients(document: Document) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``to`` and ``cc`` as ids, hidden recipients with the open ones, everybody spelt in full."""
    return _recipients(document, "to", "bto"), _recipients(document, "cc", "bcc")


def _recipients(document: Document, name: str, hidden: str) -> tuple[str, ...]:
    value = document.get(name)
    found: Iterable[str] = ids(value)
    if hidden in document:
        found = (*found, *ids(document[hidden]))
    spelt = tuple(dict.fromkeys(PUBLIC if uri in PUBLIC_ALIASES else uri for uri in found))
    # Whether a post is public must not depend on how many are named before the public.
    if isinstance(value, list) and len(value) > MAX_IDS and PUBLIC not in spelt and _names_public(value):
        spelt = (PUBLIC, *spelt)
    return spelt


def _names_public(value: object) -> bool:
    return any(isinstance(entry, str) and entry in PUBLIC_ALIASES for entry in entries(value, 1_000_000))


def read_addressing(document: Document, *, author_uri: str, followers_uri: str | None) -> Addressing:
    """Who may see what the author addressed like this.

    ``followers_uri`` is the author's followers collection where it is known. Where it is not, a collection on the
    author's server that is called followers counts as the author's.
    """
    to, cc = read_recipients(document)
    named: dict[str, None] = {}
    to_followers = False
    for uri in (*to, *cc):
        if uri == PUBLIC:
            continue
        if uri == followers_uri:
            to_followers = True
        elif _is_followers_collection(uri):
            to_followers = to_followers or (followers_uri is None and same_origin(uri, author_uri))
        elif uri.startswith("http") and uri != author_uri:
            named[uri] = None
    if PUBLIC in to:
        visibility = Visibility.PUBLIC
    elif PUBLIC in cc:
        visibility = Visibility.UNLISTED
    else:
        visibility = Visibility.FOLLOWERS if to_followers else Visibility.DIRECT
    return Addressing(visibility, to_followers, tuple(named))


def _is_followers_collection(uri: str) -> bool:
    if "followers" not in uri:
        return False
    try:
        return "followers" in urlsplit(uri).path.split("/")
    except ValueError:
        return False
