"""What a web page says of itself, for its card: Open Graph, what Twitter reads, plain HTML. Pure.

Nothing of it is markup afterwards: texts are one line each, addresses are http(s), foreign HTML is never embedded.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from fediverse.clock import Instant
from fediverse.documents.shapes import instant_of
from fediverse.text import safe_url, sanitize_name

MAX_TITLE: Final = 200
MAX_DESCRIPTION: Final = 500
MAX_NAME: Final = 100

_MAX_TAGS: Final = 500  # of a kind that are looked at
_SNIFFED: Final = 4096  # bytes at the beginning of a page in which it may name its encoding
_ENCODING: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
# Encodings of host names and of source code, which no page is written in; the first takes minutes for a megabyte.
_NO_PAGES: Final = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}")
_MAX_SIDE: Final = 65535


@dataclass(frozen=True, slots=True)
class CardDraft:
    """A card about to be kept. ``oembed`` is where the page says that more can be asked."""

    link: str
    title: str
    kind: str = "link"
    description: str = ""
    language: str = ""
    author_name: str = ""
    author_url: str = ""
    provider_name: str = ""
    provider_url: str = ""
    image: str | None = None
    image_description: str = ""
    width: int | None = None
    height: int | None = None
    published_at: Instant | None = None
    oembed: str | None = None


def read_page(content: bytes, charset: str | None, *, url: str, final_url: str) -> CardDraft:
    """The card of a page that was fetched from ``final_url`` for a link to ``url``; without a title nothing shows."""
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 heavy, and rarely needed

    tree = LexborHTMLParser(_decoded(content, charset))
    said = _said(tree)
    links = _links(tree, final_url)
    title_tag = tree.css_first("title")
    html = tree.css_first("html")
    language = (html.attributes.get("lang") or "") if html is not None else ""
    return CardDraft(
        link=_own_address(links.get("canonical"), final_url) or url,
        title=_first(said, MAX_TITLE, "og:title", "twitter:title")
        or _line(title_tag.text() if title_tag is not None else "", MAX_TITLE),
        description=_first(said, MAX_DESCRIPTION, "og:description", "twitter:description", "description"),
        language=language if _LANGUAGE.fullmatch(language) else "",
        author_name=_author(said),
        author_url=links.get("author") or "",
        provider_name=_first(said, MAX_NAME, "og:site_name", "application-name"),
        provider_url=_origin(final_url),
        image=_image(said, final_url),
        image_description=_first(said, MAX_DESCRIPTION, "og:image:alt", "twitter:image:alt"),
        width=_side(said.get("og:image:width")),
        height=_side(said.get("og:image:height")),
        published_at=instant_of(said.get("article:published_time")),
        oembed=links.get("oembed"),
    )


def with_oembed(card: CardDraft, answer: Mapping[str, Any], *, base: str) -> CardDraft:
    """The card with what its page's oEmbed answer adds; of a video or a rich embed only what describes it."""
    title, name = _line(answer.get("title"), MAX_TITLE), _line(answer.get("author_name"), MAX_NAME)
    provider = _line(answer.get("provider_name"), MAX_NAME)
    picture, width, height = answer.get("thumbnail_url"), answer.get("thumbnail_width"), answer.get("thumbnail_height")
    is_photo = answer.get("type") == "photo" and _address(answer.get("url"), base) is not None
    if is_photo:
        picture, width, height = answer.get("url"), answer.get("width"), answer.get("height")
    image = _address(picture, base)
    if image is not None and (is_photo or card.image is None):
        card = replace(card, image=image, width=_side(width), height=_side(height))
    return replace(
        card,
        kind="photo" if is_photo else card.kind,
        title=card.title or title,
        author_name=name or card.author_name,
        author_url=_address(answer.get("author_url"), base) or card.author_url,
        provider_name=provider or card.provider_name,
        provider_url=_address(answer.get("provider_url"), base) or card.provider_url,
    )


def _decoded(content: bytes, charset: str | None) -> str:
    if content.startswith(codecs.BOM_UTF8):
        return content.decode("utf-8", "replace")
    named = _ENCODING.search(content[:_SNIFFED])
    for name in (charset, named[1].decode() if named else None):
        try:
            codec = codecs.lookup(name) if name else None
            if codec is not None and codec._is_text_encoding and codec.name.replace("_", "-") not in _NO_PAGES:
                return content.decode(codec.name, "replace")
        except (LookupError, ValueError, UnicodeError):
            continue
    return content.decode("utf-8", "replace")


def _said(tree: Any) -> dict[str, str]:
    """What the page's meta tags say, by name; the first of a name counts."""
    said: dict[str, str] = {}
    for node in tree.css("meta[content]")[:_MAX_TAGS]:
        attributes = node.attributes
        name = (attributes.get("property") or attributes.get("name") or "").strip().lower()
        value = (attributes.get("content") or "").strip()
        if name and value:
            said.setdefault(name, value)
    return said


def _links(tree: Any, base: str) -> dict[str, str]:
    """The addresses that link elements name: canonical, author and oembed."""
    found: dict[str, str] = {}
    for node in tree.css("link[rel][href]")[:_MAX_TAGS]:
        rels = (node.attributes.get("rel") or "").lower().split()
        address = _address(node.attributes.get("href"), base)
        if address is None:
            continue
        if "alternate" in rels and (node.attributes.get("type") or "").lower() == "application/json+oembed":
            found.setdefault("oembed", address)
        for rel in ("canonical", "author"):
            if rel in rels:
                found.setdefault(rel, address)
    return found


def _own_address(canonical: str | None, final_url: str) -> str | None:
    """The page's own name for its address, on its own host: a card must not lead elsewhere than the link did."""
    if canonical is None:
        return None
    named, here = urlsplit(canonical), urlsplit(final_url)
    is_home = named.path in ("", "/") and here.path not in ("", "/")  # some name their front page on every page
    return None if is_home or (named.scheme, named.netloc) != (here.scheme, here.netloc) else canonical


def _author(said: Mapping[str, str]) -> str:
    named = _first(said, MAX_NAME, "author", "article:author", "twitter:creator")
    return "" if named.lower().startswith(("http://", "https://")) else named


def _image(said: Mapping[str, str], base: str) -> str | None:
    named = (said.get(name) for name in ("og:image:secure_url", "og:image", "og:image:url", "twitter:image"))
    return next((found for value in named if (found := _address(value, base)) is not None), None)


def _first(said: Mapping[str, str], limit: int, *names: str) -> str:
    return next((line for name in names if (line := _line(said.get(name), limit))), "")


def _line(value: object, limit: int) -> str:
    return sanitize_name(value, limit) if isinstance(value, str) else ""


def _address(value: object, base: str) -> str | None:
    if not isinstance(value, str) or len(value) > 4096:
        return None
    try:
        return safe_url(urljoin(base, value.strip()))
    except ValueError:
        return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _side(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 8:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_SIDE else None
