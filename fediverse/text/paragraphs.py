"""Longer texts that those who run an instance write (its privacy policy, its terms): plain text to HTML.

Paragraphs stand between empty lines. Lines that begin with ``#`` are headings, lines that begin with ``-`` or ``*``
entries of a list. Addresses are links. Nothing else is interpreted.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

from fediverse.text.render import from_plain

_HEADING = re.compile(r"(#{1,4})\s+(\S.*)")
_ENTRY = re.compile(r"[-*]\s+(\S.*)")
_HIGHEST: Final = 2


def from_paragraphs(text: str) -> str:
    """The HTML of the text."""
    blocks: list[str] = []
    for kind, lines in groupby(text.replace("\r\n", "\n").split("\n"), key=_kind):
        found = [line.strip() for line in lines]
        if kind == "heading":
            blocks += [_heading(line) for line in found]
        elif kind == "entry":
            entries = (_inline(line[1:].strip()) for line in found)
            blocks.append("<ul>" + "".join(f"<li>{entry}</li>" for entry in entries) + "</ul>")
        elif kind == "words":
            blocks.append(from_plain("\n".join(found)))
    return "".join(blocks)


def _kind(line: str) -> str:
    line = line.strip()
    if not line:
        return "nothing"
    if _HEADING.fullmatch(line):
        return "heading"
    return "entry" if _ENTRY.fullmatch(line) else "words"


def _heading(line: str) -> str:
    match = _HEADING.fullmatch(line)
    assert match is not None
    level = len(match[1]) + _HIGHEST - 1
    return f"<h{level}>{_inline(match[2])}</h{level}>"


def _inline(text: str) -> str:
    return from_plain(text).removeprefix("<p>").removesuffix("</p>")
