"""The words of a text, as a search compares them: without case, without accents, scripts without spaces in pairs.

Chinese, Japanese, Thai and their like put no spaces between words. What is written in them is cut into overlapping
pairs of characters, so that any part of it of two characters or more is found as a row of pairs; single characters
are words of their own.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import regex

#: No word is longer; what is longer is cut.
LONGEST: Final = 64

_SPACELESS: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
_RUNS = regex.compile(rf"([{_SPACELESS}]+)|[[\p{{L}}\p{{N}}\p{{M}}]--[{_SPACELESS}]]+", regex.V1)
_ASCII_RUNS = regex.compile(r"[a-z0-9]+")
# Of accents only: the vowel signs of other scripts are letters to those who read them.
_ACCENTS = regex.compile("[\u0300-\u036f]+")


def fold(text: str) -> str:
    """The text without case and accents; two spellings of one word fold alike."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFKC", _ACCENTS.sub("", apart).casefold())


def words(text: str, *, most: int) -> list[str]:
    """The first ``most`` words of a text, or somewhat more, in order; single characters of pairs stand at the end."""
    folded = fold(text)
    if folded.isascii():
        return [word[:LONGEST] for word in _ASCII_RUNS.findall(folded)[:most]]
    found: list[str] = []
    singles: dict[str, None] = {}
    for match in _RUNS.finditer(folded):
        if len(found) >= most:
            break
        run = match[0]
        if match[1] is None:
            found.append(run[:LONGEST])
        else:
            run = run[:most]
            found += _pairs(run)
            singles.update(dict.fromkeys(run))
    return [*found, *singles]


def phrases(text: str) -> list[list[str]]:
    """What must be found for a text to be there: rows of words, each in this order with nothing between them."""
    found: list[list[str]] = []
    joined = False
    for match in _RUNS.finditer(fold(text)):
        run = match[0]
        if match[1] is not None:
            found.append(_pairs(run) or [run])
            joined = False
        elif joined:
            found[-1].append(run[:LONGEST])
        else:
            found.append([run[:LONGEST]])
            joined = True
    return found


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]
