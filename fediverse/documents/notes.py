"""Posts of other servers: Notes and what is shown like one.

Read leniently and within limits. Nothing here decides whether a document may be believed: that its id is where it was
fetched from, and that its author sent it, is for the caller to know.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

from fediverse.clock import DAY, Instant
from fediverse.documents.addressing import read_addressing
from fediverse.documents.attachments import read_attachments, read_links
from fediverse.documents.context import Document
from fediverse.documents.polls import read_poll
from fediverse.documents.quotes import read_policy, read_quote
from fediverse.documents.shapes import clean, entries, http_uri, id_of, instant_of, link_of, origin, type_of
from fediverse.documents.tags import read_tags
from fediverse.drafts import NoteDraft
from fediverse.errors import BadRequest
from fediverse.text import INPUT_LIMIT, from_plain, plain, sanitize, sanitize_name

NOTE_TYPES: Final = frozenset({"Note", "Question", "Article", "Page", "Video", "Event", "Audio", "Image"})
"""Types that are shown as a status."""

MAX_CONTENT: Final = INPUT_LIMIT
"""Bytes of content that are read; what comes after is cut off."""

MAX_SUMMARY: Final = 500
"""Characters of a content warning."""

MAX_TITLE: Final = 300
"""Characters of the name of an Article, Page, Video or Event."""

# Their summary is an abstract, and they are read on their own page.
_LONG: Final = NOTE_TYPES - {"Note", "Question"}
_PEOPLE: Final = frozenset({"Person", "Service", "Organization", "Application"})
_TEXT_TYPES: Final = ("text/markdown", "text/plain", "text/x.misskeymarkdown")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}")  # BCP 47 as far as it is in use


def read_note(document: object, *, received_at: Instant, followers_uri: str | None = None) -> NoteDraft:
    """The post that a document describes, its HTML cleaned and everything within its limit.

    ``received_at`` stands in for a time of publication that is missing, impossible or in the future.
    ``followers_uri`` is the author's followers collection where it is known; without it, a collection of that name on
    the author's server counts.

    Raises BadRequest when it is no post, has no http(s) id, or its author is not of its own server.
    """
    if not isinstance(document, dict):
        raise BadRequest("A post must be a JSON object.")
    kind = type_of(document, NOTE_TYPES)
    if kind not in NOTE_TYPES:
        raise BadRequest("This object is not of a type that can be shown as a post.")
    uri = http_uri(document.get("id"))
    if uri is None:
        raise BadRequest("A post needs an id that is an http(s) URL.")
    author_uri = _author(document, uri)
    content, language = _content(document)
    url = link_of(document.get("url"))
    spoiler_text, title = _summary(document, kind), sanitize_name(clean(document.get("name"), MAX_TITLE * 4), MAX_TITLE)
    addressing = read_addressing(document, author_uri=author_uri, followers_uri=followers_uri)
    published_at, updated_at = _times(document, received_at)
    tags = read_tags(document.get("tag"), base=author_uri)
    parent = id_of(document.get("inReplyTo"))
    quote_uri, quote_authorization = read_quote(document, uri)
    return NoteDraft(
        content=_extended(document, kind, content, url or uri),
        spoiler_text=spoiler_text,
        title=title,
        sensitive=document.get("sensitive") is True or bool(spoiler_text),
        language=language,
        visibility=addressing.visibility,
        kind=kind,
        uri=uri,
        url=url or uri,
        author_uri=author_uri,
        in_reply_to_uri=parent if parent != uri and parent is not None and parent.startswith("http") else None,
        published_at=published_at,
        updated_at=updated_at,
        mentions=tags.mentions,
        audience=addressing.audience,
        to_followers=addressing.to_followers,
        tags=tags.hashtags,
        emojis=tags.emojis,
        attachments=read_attachments(document, kind=kind, base=uri),
        poll=read_poll(document, read_at=received_at) if kind == "Question" else None,
        quote_uri=quote_uri,
        quote_authorization=quote_authorization,
        quote_policy=read_policy(document, author_uri=author_uri, followers_uri=followers_uri),
    )


def _author(document: Document, uri: str) -> str:
    """The author on the post's own server: of several a person before a group, such as PeerTube's channel."""
    own, first = origin(uri), None
    for entry in entries(document.get("attributedTo") or document.get("actor"), 16):
        author = id_of(entry)
        if author is None or origin(author) != own:
            continue
        if isinstance(entry, str) or type_of(entry) in _PEOPLE:
            return author
        first = first or author
    if first is None:
        raise BadRequest("A post needs an author (attributedTo) on the server that its id is of.")
    return first


def _content(document: Document) -> tuple[str, str | None]:
    """The content, cleaned, and its language, if a valid one is named."""
    content, language = document.get("content"), None
    by_language = document.get("contentMap")
    if isinstance(by_language, dict):
        named = [(tag, html) for tag, html in list(by_language.items())[:32] if isinstance(html, str)]
        if not isinstance(content, str) and named:
            language, content = named[0]
        else:
            language = next((tag for tag, html in named if html == content), None)
    if language is None:  # Lemmy and PeerTube say it beside
        other = document.get("language")
        language = other.get("identifier") if isinstance(other, dict) else None
    return _html(document, clean(content, MAX_CONTENT)), _language(language)


def _html(document: Document, content: str) -> str:
    media_type = document.get("mediaType")
    if isinstance(media_type, str) and media_type.lower().startswith(_TEXT_TYPES):
        return from_plain(content)
    return sanitize(content)


def _language(tag: object) -> str | None:
    if not isinstance(tag, str) or not _LANGUAGE.fullmatch(tag):
        return None
    primary, dash, rest = tag.partition("-")
    return None if primary.lower() == "und" else primary.lower() + dash + rest


def _summary(document: Document, kind: str) -> str:
    """The content warning. The summary of what is long is an abstract, unless it is marked as sensitive."""
    if kind in _LONG and document.get("sensitive") is not True:
        return ""
    summary = clean(document.get("summary"), MAX_SUMMARY * 10)
    if not summary:
        return ""
    return sanitize_name(plain(summary) if "<" in summary else summary, MAX_SUMMARY)


def _extended(document: Document, kind: str, content: str, url: str) -> str:
    """The content with what would be lost otherwise: an abstract, what is linked to."""
    links = read_links(document)
    if kind in _LONG:
        if not content:
            content = sanitize(clean(document.get("summary"), MAX_CONTENT))
        links.append(url)
    for link in links:
        if escape(link) not in content:
            content += from_plain(link)
    return content


def _times(document: Document, received_at: Instant) -> tuple[Instant, Instant | None]:
    """When it was published and last edited.

    The first is never in the future, so that nothing stays on top for ever; the second a day at most, since it tells
    which of two edits is the later one, on a clock that may be fast.
    """
    published = instant_of(document.get("published"))
    if published is None or published > received_at:
        published = received_at
    updated = instant_of(document.get("updated"))
    if updated is None or updated <= published:
        return published, None
    return published, min(updated, received_at + DAY)
