"""Links, mentions and hashtags in plain text, where Twitter's readers expect them.

Every pattern is a single run of one character class after a fixed start; what depends on context (brackets, trailing
punctuation, ports) is decided by code that looks at each character at most a few times. So the work is linear in the
length of the text, whatever the text is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import regex

from fediverse.errors import BadRequest
from fediverse.text.characters import NOT_WORD_MARKS, UNSPACED
from fediverse.text.names import fold_host


@dataclass(frozen=True, slots=True)
class Link:
    """``text[start:end]`` is an http or https URL, as typed."""

    start: int
    end: int
    url: str


@dataclass(frozen=True, slots=True)
class Mention:
    """``text[start:end]`` is a handle: ``username`` as typed, ``host`` folded, or None where none was typed."""

    start: int
    end: int
    username: str
    host: str | None


@dataclass(frozen=True, slots=True)
class Hashtag:
    """``text[start:end]`` is a hashtag; ``name`` is without its sign, as typed."""

    start: int
    end: int
    name: str


Entity = Link | Mention | Hashtag

_WORD: Final = rf"(?![{NOT_WORD_MARKS}])[\p{{L}}\p{{M}}\p{{N}}_]"
# Letters that continue a word written with spaces; a mention or a URL may follow 日本語 directly, but not "naïve".
_SPACED_WORD: Final = rf"(?![{NOT_WORD_MARKS}{UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}_]"

# Spelt out, since ignoring case would take the long s (ſ) for an s.
_START = regex.compile(r"[Hh][Tt][Tt][Pp][Ss]?://|[@#＃]")
_URL_MUST_NOT_FOLLOW = regex.compile(r"[A-Za-z0-9@#$_]")
_AUTHORITY = regex.compile(r'[^\s/?#<>"]*')
_HOST = regex.compile(rf"(?:(?![{NOT_WORD_MARKS}])[\p{{L}}\p{{M}}\p{{N}}._-])+")
_IPV6 = regex.compile(r"\[[0-9A-Fa-f:.]{2,45}\]")
_PORT = regex.compile(r":([0-9]{1,5})(?![0-9A-Za-z_])")
# Twitter ended its links at the first letter of a script without spaces; so do we.
_PATH = regex.compile(
    rf"(?:(?![{NOT_WORD_MARKS}{UNSPACED}])[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%\[\]|\p{{L}}\p{{M}}\p{{N}}])+"
)
_LATIN_RUN = regex.compile(r"[A-Za-z0-9_][\p{Latin}\p{M}0-9_-]*")
_TRAILING: Final = frozenset(".,:;!?'*~&$@|([")
_BRACKETS: Final = {")": "(", "]": "["}
_ALL_DIGITS = regex.compile(r"[0-9.]+")

_MENTION_MUST_NOT_FOLLOW = regex.compile(rf"{_SPACED_WORD}|[@＠/=#＃$&%]")
_USERNAME = regex.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LOCAL_USERNAME = regex.compile(r"[A-Za-z0-9_]+")
_MENTION_MUST_NOT_PRECEDE = regex.compile(rf"[@＠]|://|{_SPACED_WORD}")

_TAG_MUST_NOT_FOLLOW = regex.compile(rf"{_WORD}|[#＃&/=]")
# Besides letters, marks and digits: signs that stand inside words (Catalan l·l, Japanese and Hebrew marks) and joiners.
_TAG_INNER: Final = r"_\u200C\u200D\u00B7\u05BE\u05F3\u05F4\u0F0B\u0F0C\u30A0\u30FB\u3003\uA67E\uFF5E\u301C"
_TAG = regex.compile(rf"[\p{{L}}\p{{Nd}}_](?:(?![{NOT_WORD_MARKS}])[\p{{L}}\p{{M}}\p{{Nd}}{_TAG_INNER}])*")
_TAG_TRAILING: Final = "\u200c\u200d\u00b7\u30a0\u30fb\uff5e\u301c"
_LETTER = regex.compile(r"\p{L}")
_TAG_MUST_NOT_PRECEDE = regex.compile(r"[#＃]|://")


def entities(text: str) -> list[Entity]:
    """The links, mentions and hashtags of the text, in order, none overlapping another.

    ``text`` is expected as ``characters.normalise`` gives it; any text is taken.
    """
    if "@" not in text and "#" not in text and "://" not in text and "＃" not in text:
        return []
    return list(_kept(text) if len(text) <= _KEPT_LENGTH else _scan(text))


# Counting, looking up and rendering one post all ask for its entities.
_KEPT_LENGTH: Final = 2000


@lru_cache(maxsize=64)
def _kept(text: str) -> tuple[Entity, ...]:
    return tuple(_scan(text))


def links(text: str) -> list[Link]:
    """The links of the text alone, in order; mentions and hashtags are looked past."""
    return [entity for entity in entities(text) if isinstance(entity, Link)] if "://" in text else []


def _scan(text: str) -> Iterator[Entity]:
    position = 0
    while found := _START.search(text, position):
        start, position = found.span()
        sign = found[0]
        entity: Entity | None
        if sign == "@":
            entity, position = _mention(text, start)
        elif len(sign) == 1:
            entity, position = _hashtag(text, start)
        else:
            entity, position = _link(text, start, position)
        if entity is not None:
            yield entity


def _link(text: str, start: int, authority_start: int) -> tuple[Link | None, int]:
    """The link that starts here, or None; and where to go on."""
    if start and _URL_MUST_NOT_FOLLOW.match(text, start - 1):
        return None, authority_start
    authority = _AUTHORITY.match(text, authority_start)
    assert authority is not None  # the pattern matches the empty string
    if "@" in authority[0]:
        # User info makes a link lie about where it leads; nothing of it is linked.
        return None, authority.end()
    end = _host_end(text, authority_start)
    if end is None:
        return None, authority_start
    port = _PORT.match(text, end)
    if port:
        end = port.end()
    elif text[end : end + 1] == ":" and text[end + 1 : end + 2].isdigit():
        return None, authority_start
    if text[end : end + 1] in ("/", "?", "#"):
        path = _PATH.match(text, end)
        assert path is not None  # its first character was looked at
        end = _trim(text, end, path.end())
    elif not port and not _has_top_level(text[authority_start:end]):
        return None, authority_start
    return Link(start, end, text[start:end]), end


def _host_end(text: str, start: int) -> int | None:
    """Where the host that starts here ends, or None when none starts here."""
    bracketed = _IPV6.match(text, start)
    if bracketed:
        return bracketed.end() if _is_host(bracketed[0]) else None
    run = _HOST.match(text, start)
    if run is None:
        return None
    host = run[0].rstrip(".-_")
    # “example.org日本語”: a last label that starts in Latin letters ends with them.
    latin = None if host.isascii() else _LATIN_RUN.match(host, host.rfind(".") + 1)
    if latin:
        host = host[: latin.end()].rstrip("-_")
    return start + len(host) if _is_host(host) else None


def _is_host(host: str) -> bool:
    try:
        return bool(fold_host(host))
    except BadRequest:
        return False


def _has_top_level(host: str) -> bool:
    """True when a reader takes it for an address even without a path: it has a top-level domain, or is an address."""
    last = host.rpartition(".")[2]
    if host.startswith("[") or host.lower() == "localhost" or _ALL_DIGITS.fullmatch(host):
        return True
    return "." in host and len(last) > 1


def _trim(text: str, first: int, end: int) -> int:
    """The end of a URL's path without the punctuation and the closing brackets of the sentence around it."""
    path = text[first:end]
    surplus = {close: path.count(close) - path.count(opener) for close, opener in _BRACKETS.items()}
    openers = {opener: close for close, opener in _BRACKETS.items()}
    while end > first:
        last = text[end - 1]
        if last in surplus:
            if surplus[last] <= 0:
                break
            surplus[last] -= 1
        elif last not in _TRAILING:
            break
        elif last in openers:
            surplus[openers[last]] += 1
        end -= 1
    return end


def _mention(text: str, start: int) -> tuple[Mention | None, int]:
    """The mention that starts here, or None; and where to go on."""
    run = _USERNAME.match(text, start + 1)
    if run is None:
        return None, start + 1
    if start and _MENTION_MUST_NOT_FOLLOW.match(text, start - 1):
        return None, run.end()
    if text[run.end() : run.end() + 1] == "@" and run[0][-1] not in ".-":
        return _remote_mention(text, start, run[0], run.end())
    name = _LOCAL_USERNAME.match(text, start + 1)
    assert name is not None  # a user name starts with one of its characters
    if _MENTION_MUST_NOT_PRECEDE.match(text, name.end()):
        return None, run.end()
    return Mention(start, name.end(), name[0], None), name.end()


def _remote_mention(text: str, start: int, username: str, at: int) -> tuple[Mention | None, int]:
    end = _host_end(text, at + 1) if text[at + 1 : at + 2] != "[" else None
    if end is None:
        return None, at
    port = _PORT.match(text, end)
    if port:
        end = port.end()
    if text[end : end + 1] in ("@", "＠"):
        return None, at
    try:
        return Mention(start, end, username, fold_host(text[at + 1 : end])), end
    except BadRequest:
        return None, at


def _hashtag(text: str, start: int) -> tuple[Hashtag | None, int]:
    """The hashtag that starts here, or None; and where to go on."""
    run = _TAG.match(text, start + 1)
    if run is None:
        return None, start + 1
    if start and _TAG_MUST_NOT_FOLLOW.match(text, start - 1):
        return None, run.end()
    name = run[0].rstrip(_TAG_TRAILING)
    if not _LETTER.search(name) or _TAG_MUST_NOT_PRECEDE.match(text, run.end()):
        return None, run.end()
    end = start + 1 + len(name)
    return Hashtag(start, end, name), end
