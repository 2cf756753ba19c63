"""Finding a filter's words in a text: without regard to case, whole or within words. Pure, and linear in the text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from html import unescape
from typing import Final

_TAG: Final = re.compile(r'<(/?[a-zA-Z0-9]+)(?:[^>"]|"[^"]*")*>')
_WITHIN_WORDS: Final = frozenset(
    {"a", "b", "i", "u", "s", "em", "strong", "del", "span", "code", "sub", "sup", "small"}
)


@dataclass(frozen=True, slots=True)
class Text:
    """A text to be searched, and what it is searched in: without case."""

    written: str
    folded: str

    @classmethod
    def of(cls, written: str) -> Text:
        """The text, ready to be searched."""
        written = unicodedata.normalize("NFC", written)
        return cls(written, written.casefold())

    def as_written(self, start: int, end: int) -> str:
        """What stands in the text where ``folded[start:end]`` was found; folding may have made it longer."""
        if len(self.written) == len(self.folded):
            return self.written[start:end]
        at, found = 0, []
        for character in self.written:
            if at >= end:
                break
            if at >= start:
                found.append(character)
            at += len(character.casefold())
        return "".join(found)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words to look for. An end that is a letter, digit or the like may be asked to be the end of a word."""

    folded: str
    begins_word: bool
    ends_word: bool

    @classmethod
    def of(cls, keyword: str, *, whole_word: bool) -> Phrase:
        """The phrase for a keyword; only the ends that are part of a word have to be ends of one."""
        folded = unicodedata.normalize("NFC", keyword).casefold()
        return cls(
            folded,
            begins_word=whole_word and _is_word(folded[:1]),
            ends_word=whole_word and _is_word(folded[-1:]),
        )

    def find(self, text: Text) -> str | None:
        """The first place where the text has the phrase, as it is written there."""
        folded, length = text.folded, len(self.folded)
        start = folded.find(self.folded) if length else -1
        while start >= 0:
            end = start + length
            inside = (self.begins_word and _is_word(folded[start - 1 : start])) or (
                self.ends_word and _is_word(folded[end : end + 1])
            )
            if not inside:
                return text.as_written(start, end)
            start = folded.find(self.folded, start + 1)
        return None


def _is_word(character: str) -> bool:
    """Whether the character is part of a word: letters, digits, marks on them, and what joins them."""
    return bool(character) and (
        character.isalnum() or character == "_" or unicodedata.category(character) in {"Mn", "Mc", "Me", "Pc"}
    )


def text_of_html(html: str) -> str:
    """The words of cleaned HTML: what parts paragraphs and lines parts words, what is set in bold does not."""
    return unescape(_TAG.sub(_gap, html))


def _gap(tag: re.Match[str]) -> str:
    return "" if tag[1].removeprefix("/").lower() in _WITHIN_WORDS else "\n"
