"""Characters before meaning: normal form, grapheme clusters, and what cannot be seen.

Everything here is pure and linear in the length of its input.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import regex

from fediverse.errors import Invalid

# Classes for use inside [...] of regex patterns (V0 syntax), shared by the modules of this package.
# Variation selectors and the keycap are marks to Unicode, but they end an emoji: a hashtag may follow "❤️".
NOT_WORD_MARKS: Final = r"\uFE00-\uFE0F\u20E3"
# Scripts that are written without spaces: their letters end a host or a URL rather than continue it.
UNSPACED: Final = (
    r"\u0E00-\u0FFF\u1000-\u109F\u1100-\u11FF\u1780-\u17FF\u2E80-\u9FFF\uA960-\uA97F"
    r"\uAC00-\uD7FF\uF900-\uFAFF\uFE30-\uFE4F\uFF00-\uFFEF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFF"
)
# Draws nothing although Unicode calls it a letter or a symbol: Hangul fillers, Khmer inherent vowels, blank Braille.
BLANK_LETTERS: Final = r"\u115F\u1160\u17B4\u17B5\u2800\u3164\uFFA0"
BIDI_CONTROLS: Final = r"\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069"

_CONTROL = regex.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]+")
_LINE_END = regex.compile(r"\r\n?|[\x85\u2028\u2029]")
_BLANK_LINES = regex.compile(r"\n{3,}")
_SURROGATE = regex.compile(r"[\ud800-\udfff]")
_CLUSTER = regex.compile(r"\X")
_VISIBLE = regex.compile(rf"[^\p{{Z}}\p{{Cc}}\p{{Cf}}\p{{Cs}}\p{{M}}{BLANK_LETTERS}]")


def normalise(text: str) -> str:
    """The text in the one form in which it is counted, stored and rendered.

    NFC; every line end is ``\\n``; a tab is a space; other control characters are gone; at most one blank line in a
    row, none before the text; no white space after it. Doing it twice changes nothing.

    Raises Invalid when the text holds a lone surrogate, which no encoding of it could carry.
    """
    if text.isascii():
        if text.isprintable():
            return text.rstrip()
    elif _SURROGATE.search(text):
        raise Invalid("The text holds half of a character (a lone surrogate). Remove it and try again.")
    text = _LINE_END.sub("\n", text).replace("\t", " ")
    text = unicodedata.normalize("NFC", _CONTROL.sub("", text))
    if "\n" in text:
        # Line by line, since a pattern for "spaces before a line end" would be quadratic in a run of spaces.
        text = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", text).rstrip().lstrip("\n")


def repair(text: str) -> str:
    """The text normalised, each lone surrogate replaced by U+FFFD: for what others wrote, which is never refused."""
    return normalise(_SURROGATE.sub("\ufffd", text))


def is_blank(text: str) -> bool:
    """True when nothing of the text can be seen: white space, controls, lone marks, fillers."""
    return _VISIBLE.search(text) is None


def count_clusters(text: str) -> int:
    """The number of grapheme clusters (UAX #29, extended) of the text as it stands."""
    if text.isascii() and "\r" not in text:
        return len(text)
    return len(_CLUSTER.findall(text))


def first_clusters(text: str, n: int) -> str:
    """The first ``n`` grapheme clusters of the text."""
    if len(text) <= n:
        return text
    end = 0
    for taken, match in enumerate(_CLUSTER.finditer(text)):
        if taken == n:
            break
        end = match.end()
    return text[:end]
