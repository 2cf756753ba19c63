"""What a document's ``tag`` names: people, hashtags, custom emojis. Unknown kinds are passed over."""

from __future__ import annotations

from typing import Final, NamedTuple

import regex

from fediverse.documents.context import Document
from fediverse.documents.shapes import clean, host_of, http_uri, objects, picture_of, type_of
from fediverse.drafts import EmojiDraft, MentionDraft
from fediverse.errors import BadRequest
from fediverse.text import fold_tag, split_handle

MAX_TAGS: Final = 64
"""Hashtags, and likewise mentions and emojis, that are read from one document."""

MAX_ENTRIES: Final = 4 * MAX_TAGS
"""Entries of ``tag`` that are looked at."""

MAX_HASHTAG: Final = 100
"""Characters of a hashtag."""

_KINDS: Final = frozenset({"Mention", "Hashtag", "Emoji"})
# What cannot stand in a hashtag goes, as Mastodon has it: "open source" is #opensource.
_NOT_IN_HASHTAG = regex.compile(r"[^\p{L}\p{M}\p{N}_\u00B7\u30FB\u200C\u200D]+")
_SHORTCODE = regex.compile(r"[A-Za-z0-9_+.-]{1,64}")


class Tags(NamedTuple):
    """What ``tag`` names."""

    mentions: tuple[MentionDraft, ...]
    hashtags: tuple[str, ...]
    emojis: tuple[EmojiDraft, ...]


def read_tags(value: object, *, base: str) -> Tags:
    """The mentions, hashtags and emojis of ``tag``, each once, MAX_TAGS of a kind at most.

    ``base`` is the id of the author: a name without a host is one of the author's server.
    """
    mentions: dict[str | tuple[str, str], MentionDraft] = {}
    hashtags: dict[str, str] = {}
    emojis: dict[str, EmojiDraft] = {}
    for entry in objects(value, MAX_ENTRIES):
        kind = type_of(entry, _KINDS)
        if kind == "Mention" and len(mentions) < MAX_TAGS and (mention := _mention(entry, base)):
            mentions.setdefault(mention.uri or (mention.username, mention.host), mention)
        elif kind == "Hashtag" and len(hashtags) < MAX_TAGS and (name := _hashtag(entry)):
            hashtags.setdefault(fold_tag(name), name)
        elif kind == "Emoji" and len(emojis) < MAX_TAGS and (emoji := _emoji(entry, base)):
            emojis.setdefault(emoji["shortcode"], emoji)
    return Tags(tuple(mentions.values()), tuple(hashtags.values()), tuple(emojis.values()))


def _mention(entry: Document, base: str) -> MentionDraft | None:
    uri = http_uri(entry.get("href"))
    try:
        username, host = split_handle(clean(entry.get("name"), 500))
    except BadRequest:
        return MentionDraft(uri) if uri else None
    if host is None and uri is None:
        host = host_of(base)
    return MentionDraft(uri, username, host or "")


def _hashtag(entry: Document) -> str:
    return _NOT_IN_HASHTAG.sub("", clean(entry.get("name"), MAX_HASHTAG + 1))[:MAX_HASHTAG]


def _emoji(entry: Document, base: str) -> EmojiDraft | None:
    shortcode = clean(entry.get("name"), 100).strip(":")
    url = picture_of(entry.get("icon"), base)
    return {"shortcode": shortcode, "url": url} if url and _SHORTCODE.fullmatch(shortcode) else None
