"""What others wrote, made safe to show: HTML by allow-list, names without invisible tricks, URLs that are links.

The allow-list is Mastodon's. nh3 (ammonia) parses as a browser does and writes the tree anew; nothing here edits its
final output with string operations that could bring markup back.

Three ways in which a short document could become expensive are closed before parsing: attributes of formatting
elements (a browser clones ``<b id=1>`` … ``<b id=999>`` into every following paragraph), the number of tags (scope
look-ups walk the stack of open elements), and the length of addresses (cloned likewise).
"""

from __future__ import annotations

import unicodedata
from html import escape, unescape
from typing import Final

import nh3
import regex

from fediverse.text.characters import BIDI_CONTROLS, BLANK_LETTERS, first_clusters, is_blank

INPUT_LIMIT: Final = 100_000
"""Bytes (UTF-8) of foreign HTML or text that are looked at; what comes after is cut off."""

TAG_LIMIT: Final = 5_000
"""Tags in foreign HTML beyond which only its text is kept."""

OUTPUT_LIMIT: Final = 400_000
"""Characters of cleaned HTML beyond which only the text of the input is kept."""

URL_LIMIT: Final = 2_048
"""Characters of a URL beyond which it is none."""

ALWAYS_DROPPED: Final = frozenset(
    {
        *("script", "style", "iframe", "object", "embed", "applet", "noscript", "noembed", "noframes", "template"),
        *("title", "xmp", "plaintext", "textarea", "select", "svg", "math", "head", "canvas", "audio", "video"),
        *("button", "frameset"),
    }
)
"""Elements that go with all that is in them."""

_TAGS: Final = frozenset(
    {
        *("p", "br", "span", "a", "del", "s", "pre", "blockquote", "code", "b", "strong", "u", "i", "em"),
        *("ul", "ol", "li", "ruby", "rt", "rp"),
    }
)
_CLASS = regex.compile(r"mention|hashtag|ellipsis|invisible|(?:h|p|u|dt|e)-[A-Za-z0-9-]+")
_QUOTE_CLASS: Final = "quote-inline"
_NUMBER = regex.compile(r"-?[0-9]{1,6}")
_MAILTO = regex.compile(r"mailto:[^\s\p{C}<>\"\\`]+", regex.IGNORECASE)
# Host without user info and without a backslash, which browsers read as "/"; the rest without space and controls.
_URL = regex.compile(
    rf"https?://(?:[^\s\p{{C}}/?#@:\\\[\]<>\"'`|^{{}}%]+|\[[0-9a-f:.]+\])(?::[0-9]{{1,5}})?"
    rf"(?:[/?#][^\s\p{{Cc}}\p{{Cs}}{BIDI_CONTROLS}\\<>\"`]*)?",
    regex.IGNORECASE,
)


def safe_url(value: object) -> str | None:
    """The value if it is an absolute http or https URL that is safe as a link, else None.

    Without user info, white space, control characters and bidi controls, at most URL_LIMIT characters. Takes any
    value of a JSON document.
    """
    if isinstance(value, str) and len(value) <= URL_LIMIT and _URL.fullmatch(value):
        return value
    return None


def _href(value: str) -> str | None:
    value = value.strip()
    if value[:7].lower() == "mailto:":
        return value if len(value) <= URL_LIMIT and _MAILTO.fullmatch(value) else None
    return safe_url(value.replace(" ", "%20"))


def keep_attribute(element: str, attribute: str, value: str) -> str | None:
    """The value that an attribute of the allow-list keeps, or None to drop it."""
    if len(value) > URL_LIMIT:
        return None
    if attribute == "href":
        return _href(value)
    if attribute == "class" and element == "p":
        # What clients hide that show the quoted post itself.
        return _QUOTE_CLASS if _QUOTE_CLASS in value.split()[:16] else None
    if attribute == "class":
        return " ".join(name for name in value.split()[:16] if _CLASS.fullmatch(name)) or None
    if attribute == "translate":
        return "no" if value == "no" else None
    if attribute in ("start", "value"):
        return value if _NUMBER.fullmatch(value) else None
    return value


_clean = nh3.Cleaner(
    tags=set(_TAGS),
    attributes={
        "*": set(),  # ammonia's own default lets lang and title through
        "a": {"href", "class", "translate"},
        "span": {"class", "translate"},
        "p": {"class"},
        "ol": {"start", "reversed"},
        "li": {"value"},
    },
    attribute_filter=keep_attribute,
    link_rel="nofollow noopener noreferrer",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    clean_content_tags=set(ALWAYS_DROPPED),
)

# Structure that the allow-list has no tag for, brought into its terms between two passes of nh3: the first makes the
# HTML canonical (lower-case names, quoted and escaped attributes), the second has the last word.
_HEADINGS: Final = frozenset(f"h{level}" for level in range(1, 7))
_BLOCKS: Final = frozenset(
    {
        *("div", "section", "article", "header", "footer", "main", "aside", "figure", "figcaption", "dl", "dt"),
        *("dd", "tr", "caption", "details", "summary"),
    }
)
_CELLS: Final = frozenset({"td", "th"})
_structure = nh3.Cleaner(
    tags={*_TAGS, *_HEADINGS, *_BLOCKS, *_CELLS, "table", "tbody", "img"},
    attributes={
        "*": set(),  # ammonia's own default lets lang and title through
        "a": {"href", "class", "translate"},
        "span": {"class", "translate"},
        "p": {"class"},
        "ol": {"start", "reversed"},
        "li": {"value"},
        "img": {"alt"},
    },
    attribute_filter=keep_attribute,
    link_rel=None,
    clean_content_tags=set(ALWAYS_DROPPED),
)
_HAS_STRUCTURE = regex.compile(
    rf"<(?:{'|'.join(sorted({*_HEADINGS, *_BLOCKS, *_CELLS, 'img'}, key=len, reverse=True))})\b",
    regex.IGNORECASE,
)
_STRUCTURE_TAG = regex.compile(
    rf"<(?P<close>/?)(?P<name>{'|'.join(sorted({*_HEADINGS, *_BLOCKS, *_CELLS}, key=len, reverse=True))})>"
    r'|<img(?: alt="(?P<alt>[^"]*)")?>'
)
_EMPTY_PARAGRAPH = regex.compile(r"<p>\s*</p>")

_CONTROL = regex.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# The elements that a parser reopens in later paragraphs (HTML §13.2.4.3), but for "a", of which one is open at most.
# With attributes each counts as another; without them, three of a kind.
_FORMATTING_WITH_ATTRIBUTES = regex.compile(
    r"<(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/])[^>]*>?", regex.IGNORECASE
)
_SUSPICIOUS: Final = 50  # tags below which no blow-up is worth the look
_ANY_TAG = regex.compile(r"<[^<>]*>")


def bounded(text: str) -> str:
    """The text cut to INPUT_LIMIT bytes, between two characters."""
    if len(text) * 4 > INPUT_LIMIT:
        encoded = text.encode("utf-8", "replace")
        if len(encoded) > INPUT_LIMIT:
            return encoded[:INPUT_LIMIT].decode("utf-8", "ignore")
    return text


def sanitize(html: str) -> str:
    """Foreign HTML reduced to Mastodon's allow-list, safe to put into a page.

    Headings become paragraphs in bold, other blocks paragraphs, a picture its alternative text. Links keep http,
    https and mailto only and get ``rel="nofollow noopener noreferrer"``. Input beyond INPUT_LIMIT is cut off; HTML
    built to be expensive (TAG_LIMIT, OUTPUT_LIMIT) is reduced to its text. Never raises.
    """
    html = _CONTROL.sub("", bounded(html))
    if "<" not in html and "&" not in html and ">" not in html:
        return html
    html = parseable(html)
    if _HAS_STRUCTURE.search(html):
        cleaned = _structure.clean(html)
        if len(cleaned) > OUTPUT_LIMIT:
            return text_only(html)
        cleaned = _EMPTY_PARAGRAPH.sub("", _clean.clean(_STRUCTURE_TAG.sub(_restructure, cleaned)))
    else:
        cleaned = _clean.clean(html)
    return cleaned if len(cleaned) <= OUTPUT_LIMIT else text_only(html)


def parseable(html: str) -> str:
    """HTML that says the same and is cheap to parse: within INPUT_LIMIT, without controls, not built to explode."""
    html = _CONTROL.sub("", bounded(html))
    tags = html.count("<")
    if tags < _SUSPICIOUS:
        return html
    return text_only(html) if tags > TAG_LIMIT else _FORMATTING_WITH_ATTRIBUTES.sub(r"<\1>", html)


def _restructure(tag: regex.Match[str]) -> str:
    name = tag["name"]
    if name is None:
        return tag["alt"] or ""
    if name in _HEADINGS:
        return "</strong></p>" if tag["close"] else "<p><strong>"
    if name in _CELLS:
        return " "
    return f"<{tag['close']}p>"


def text_only(html: str) -> str:
    """The text of HTML without any parsing, as one escaped paragraph: for HTML that is not worth more."""
    return f"<p>{escape(unescape(_ANY_TAG.sub(' ', html)), quote=False)}</p>"


# What has no place in a name: controls, private tricks of layout, and everything that draws nothing.
_NAME_DROPPED = regex.compile(
    r"[\p{Cc}\p{Cs}\p{Cn}\u00AD\u034F\u061C\u180B-\u180F\u200B\u200E\u200F\u202A-\u202E\u2060-\u2065\u206A-\u206F"
    rf"\uFEFF\uFFF0-\uFFFB\U0001D173-\U0001D17A{BLANK_LETTERS}]+"
)
_NAME_SPACE = regex.compile(r"[\s\p{Z}]+")
# Tag characters spell the flags of regions after a black flag, and hidden text anywhere else.
_TAG_CHARACTERS = regex.compile(r"(\U0001F3F4[\U000E0020-\U000E007E]{1,16}\U000E007F)|[\U000E0000-\U000E0FFF]")
# Joiners belong between pictographs (families) and between letters of scripts that join (Persian, Indic).
_JOINING: Final = (
    r"\p{Arabic}\p{Syriac}\p{Mongolian}\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Gujarati}\p{Oriya}\p{Tamil}"
    r"\p{Telugu}\p{Kannada}\p{Malayalam}\p{Sinhala}\p{Khmer}\p{Myanmar}\p{Tibetan}"
)
_LOOSE_JOINER = regex.compile(
    rf"(?<![\p{{So}}\p{{Sk}}\uFE0F{_JOINING}])[\u200C\u200D]|[\u200C\u200D](?![\p{{So}}{_JOINING}])"
)
_ISOLATES = regex.compile(r"[\u2066-\u2069]")
_POP: Final = "\u2069"


def sanitize_name(text: str, limit: int = 100) -> str:
    """A display name or another plain field of one line, at most ``limit`` characters, or "" when it is blank.

    Control characters, bidi overrides and embeddings, zero-width and other invisible characters are gone; bidi
    isolates are balanced, so that nothing around the name is reordered; white space is single. Never raises.
    """
    if len(text) > limit * 40:  # a cluster of an honest name is shorter; all below is linear, this keeps it short
        text = text[: limit * 40]
    if not (text.isascii() and text.isprintable()):
        text = _NAME_SPACE.sub(" ", text)
        text = _TAG_CHARACTERS.sub(lambda found: found[1] or "", _NAME_DROPPED.sub("", text))
        text = _LOOSE_JOINER.sub("", unicodedata.normalize("NFC", text))
    text = first_clusters(" ".join(text.split()), limit)[: limit * 10].rstrip()
    return "" if is_blank(text) else _balanced(text)


def _balanced(text: str) -> str:
    """The text with every isolate closed and no closing without an opening."""
    if not _ISOLATES.search(text):
        return text
    depth = 0

    def keep(found: regex.Match[str]) -> str:
        nonlocal depth
        if found[0] != _POP:
            depth += 1
            return found[0]
        if depth == 0:
            return ""
        depth -= 1
        return _POP

    text = _ISOLATES.sub(keep, text)
    return text + _POP * depth
