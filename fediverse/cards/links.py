"""The link of a post that gets a card: its first one that is no mention and no hashtag. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from html import unescape
from typing import Final

# What nh3 and our own renderer write: lower case, attributes in double quotes, which may hold ">".
_LINK: Final = re.compile(r'<a((?:\s[a-z]+(?:="[^"]*")?)*)\s*>(?:<span[^>]*>)*([#＃@＠]?)')
_ATTRIBUTE: Final = re.compile(r'([a-z]+)="([^"]*)"')
_NAMES: Final = frozenset({"mention", "hashtag", "u-url"})
_LOOKED_AT: Final = 32


def first_link(content: str, *, passed_over: Collection[str] = ()) -> str | None:
    """The address of the first link of cleaned HTML to something, None without one.

    Mentions and hashtags are known by their class or their sign, or are among ``passed_over``.
    """
    if "<a " not in content:
        return None
    for number, match in enumerate(_LINK.finditer(content)):
        if number == _LOOKED_AT:
            break
        attributes = dict(_ATTRIBUTE.findall(match[1]))
        href = unescape(attributes.get("href", ""))
        is_name = match[2] or _NAMES.intersection(attributes.get("class", "").split())
        if not is_name and href[:4].lower() == "http" and href not in passed_over:
            return href
    return None
