"""Plain text to the HTML that Mastodon and its clients show right, and back.

The classes are the ones clients look for: ``mention``, ``hashtag``, ``u-url``, ``h-card``, and ``invisible`` and
``ellipsis`` for the parts of a long URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import Final
from urllib.parse import urlsplit

import nh3
import regex

from fediverse.errors import BadRequest
from fediverse.text.characters import first_clusters, normalise, repair
from fediverse.text.microsyntax import Entity, Hashtag, Link, Mention, entities, links
from fediverse.text.names import fold_host, fold_tag
from fediverse.text.sanitize import (
    ALWAYS_DROPPED,
    OUTPUT_LIMIT,
    bounded,
    keep_attribute,
    parseable,
    safe_url,
    text_only,
)

_URL_SHOWN: Final = 30  # characters of a URL that stay visible; clients lay out for Mastodon's number
_URL_PREFIX = regex.compile(r"[a-z]+://(?:www\.)?", regex.IGNORECASE)

Render = Callable[[Entity], str | None]


@dataclass(frozen=True, slots=True)
class MentionTarget:
    """The actor that a mention was found to mean.

    ``url`` is the page or id that the link leads to, ``acct_username`` its user name as it spells it, ``handle``
    ``user@host`` in full, shown instead where two actors of one user name are mentioned.
    """

    url: str
    acct_username: str
    handle: str


def render(
    text: str,
    *,
    mentions: Mapping[tuple[str, str | None], MentionTarget],
    tag_url: Callable[[str], str],
) -> str:
    """The HTML of a Note's text.

    ``mentions`` maps (user name in lower case, folded host or None) to what was found; a mention that is not in it
    stays plain text. ``tag_url`` gives the page of a hashtag from its folded name.

    Raises Invalid as ``normalise`` does.
    """
    text = normalise(text)
    found = entities(text)
    ambiguous = _ambiguous_names(found, mentions)

    def show(entity: Entity) -> str | None:
        match entity:
            case Link():
                return _link(entity.url)
            case Hashtag():
                sign, url = text[entity.start], tag_url(fold_tag(entity.name))
                return (
                    f'<a href="{escape(url)}" class="mention hashtag" rel="tag">'
                    f"{sign}<span>{escape(entity.name)}</span></a>"
                )
            case Mention():
                target = mentions.get(_key(entity))
                if target is None:
                    return None
                name = target.acct_username
                return _mention(target.url, target.handle if name.lower() in ambiguous else name)

    return _paragraphs(text, found, show)


def from_plain(text: str) -> str:
    """The HTML of text that another server calls plain or Markdown: escaped, in paragraphs, its URLs linked.

    Nothing else of Markdown is interpreted. Text beyond ``sanitize.INPUT_LIMIT`` is cut off. Never raises.
    """
    text = repair(bounded(text))
    return _paragraphs(text, links(text), lambda entity: _link(entity.url) if isinstance(entity, Link) else None)


def markdown_as_text(md: str) -> str:
    """The HTML of Markdown shown as its source text: see ``from_plain``."""
    return from_plain(md)


def _key(mention: Mention) -> tuple[str, str | None]:
    return mention.username.lower(), mention.host


def _ambiguous_names(found: Iterable[Entity], mentions: Mapping[tuple[str, str | None], MentionTarget]) -> set[str]:
    """The user names, in lower case, under which more than one actor is mentioned."""
    urls: dict[str, str] = {}
    ambiguous = set()
    for entity in found:
        if isinstance(entity, Mention) and (target := mentions.get(_key(entity))):
            name = target.acct_username.lower()
            if urls.setdefault(name, target.url) != target.url:
                ambiguous.add(name)
    return ambiguous


def _paragraphs(text: str, found: Iterable[Entity], show: Render) -> str:
    if not text:
        return ""
    parts: list[str] = []
    end = 0
    for entity in found:
        shown = show(entity)
        if shown is not None:
            parts += _text(text[end : entity.start]), shown
            end = entity.end
    parts.append(_text(text[end:]))
    return f"<p>{''.join(parts)}</p>"


def _text(text: str) -> str:
    # No entity spans a newline, so paragraphs can be made piece by piece.
    return escape(text, quote=False).replace("\n\n", "</p><p>").replace("\n", "<br>")


def _mention(url: str, name: str) -> str:
    return (
        f'<span class="h-card" translate="no"><a href="{escape(url)}" class="u-url mention">'
        f"@<span>{escape(name)}</span></a></span>"
    )


def _link(url: str) -> str:
    prefix = _URL_PREFIX.match(url)
    start = prefix.end() if prefix else 0
    middle = start + _URL_SHOWN
    css = ' class="ellipsis"' if len(url) > middle else ""
    return (
        f'<a href="{escape(url)}" target="_blank" rel="nofollow noopener noreferrer" translate="no">'
        f'<span class="invisible">{escape(url[:start])}</span>'
        f"<span{css}>{escape(url[start:middle])}</span>"
        f'<span class="invisible">{escape(url[middle:])}</span></a>'
    )


# Back again. The HTML is first made canonical by nh3: lower-case tags, quoted attributes, every "<" of the text
# escaped, so that the pattern below is exact. ammonia writes attributes as name="value" and escapes the quote.
_GAPS: Final = {
    **dict.fromkeys(("p", "blockquote", "pre", "ul", "ol", "div", "section", "article", "table"), 2),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), 2),
    **dict.fromkeys(("li", "tr"), 1),
}
_canonical = nh3.Cleaner(
    tags={*_GAPS, "a", "br"} - {"table", "tr"},
    attributes={"*": set(), "a": {"href", "class", "rel"}},
    attribute_filter=keep_attribute,
    link_rel=None,
    url_schemes={"http", "https"},
    url_relative="deny",
    clean_content_tags=set(ALWAYS_DROPPED),
)
_TAG = regex.compile(r'<(/?)([a-z0-9]+)((?: [a-z]+="[^"]*")*)>')
_ATTRIBUTE = regex.compile(r' ([a-z]+)="([^"]*)"')
_SOURCE_BREAK = regex.compile(r"[ \t]*[\r\n][ \t\r\n]*")


def plain(html: str, *, handles: Mapping[str, str] | None = None, local_host: str | None = None) -> str:
    """The text of a Note's HTML: p and br as newlines, a link as its address, a mention or a hashtag as its text.

    A mention's link shows ``@user`` only. ``handles`` maps the addresses of mentions to the handles they stand for
    (``@user@host``, from the Note's tags); where it has none and ``local_host`` is given, a mention that leads to
    another host gets that host, so that ``@bob`` of elsewhere is not taken for the local one.

    Undoes ``render``. Input beyond ``sanitize.INPUT_LIMIT`` is cut off. Never raises.
    """
    reader = _Reader(handles or {}, local_host)
    canonical = _canonical.clean(parseable(html))
    html = canonical if len(canonical) <= OUTPUT_LIMIT else text_only(html)
    end = 0
    for tag in _TAG.finditer(html):
        reader.text(html[end : tag.start()])
        end = tag.end()
        reader.tag(tag[2], closing=bool(tag[1]), attributes=tag[3])
    reader.text(html[end:])
    return repair("".join(reader.out))


class _Reader:
    """Collects the text of canonical HTML, one tag or one run of text at a time."""

    def __init__(self, handles: Mapping[str, str], local_host: str | None) -> None:
        self.out: list[str] = []
        self._handles = handles
        self._local_host = local_host
        self._gap = 0  # newlines due before the next text
        self._indent = ""  # white space met since the gap
        self._pre = 0
        self._href: str | None = None
        self._is_name = False
        self._link_text: list[str] = []

    def text(self, run: str) -> None:
        if not run:
            return
        run = unescape(run)
        if not self._pre:
            if self._at_line_start() and _SOURCE_BREAK.match(run):
                run = run.lstrip(" \t\r\n")
            run = _SOURCE_BREAK.sub(" ", run)
        if self._href is not None:
            self._link_text.append(run)
        elif not run:
            return
        elif self._gap and run.isspace():
            self._indent += run  # between two blocks it goes, before a word it stays
        else:
            self._emit(run)

    def _at_line_start(self) -> bool:
        return bool(self._gap) or not self.out or self.out[-1].endswith("\n")

    def tag(self, name: str, *, closing: bool, attributes: str) -> None:
        if name == "a":
            self._close_link()
            if not closing:
                self._open_link(dict(_ATTRIBUTE.findall(attributes)))
        elif name == "br":
            if self._href is None:
                self._emit("\n")
        else:
            self._gap, self._indent = max(self._gap, _GAPS[name]), ""
            if name == "pre":
                self._pre += -1 if closing else 1

    def _emit(self, run: str) -> None:
        if self._gap and self.out:
            self.out.append("\n" * self._gap)
        self.out.append(self._indent + run)
        self._gap, self._indent = 0, ""

    def _open_link(self, attributes: Mapping[str, str]) -> None:
        href = unescape(attributes.get("href", ""))
        if safe_url(href):
            self._href, self._link_text = href, []
            classes = attributes.get("class", "").split()
            self._is_name = "mention" in classes or "hashtag" in classes or attributes.get("rel") == "tag"

    def _close_link(self) -> None:
        if self._href is None:
            return
        href, self._href = self._href, None
        self._emit(self._name("".join(self._link_text), href) if self._is_name else href)

    def _name(self, shown: str, href: str) -> str:
        if not shown.startswith("@"):
            return shown
        if href in self._handles:
            return self._handles[href]
        if self._local_host is None or "@" in shown[1:]:
            return shown
        try:
            host = fold_host(urlsplit(href).netloc)
        except (BadRequest, ValueError):
            return shown
        return shown if host == fold_host(self._local_host) else f"{shown}@{host}"


def excerpt(html: str, n: int) -> str:
    """The first ``n`` characters (grapheme clusters) of the HTML's text on one line, with an ellipsis if cut."""
    text = " ".join(plain(html).split())
    short = first_clusters(text, n)
    return text if short == text else first_clusters(text, n - 1).rstrip() + "…"
