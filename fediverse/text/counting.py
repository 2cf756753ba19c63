"""The 140 rule: how long a Note is.

The rule, so that a counter in the browser can do the same (Unicode properties need JavaScript's ``u`` flag):

1. ``text.normalize("NFC")``.
2. Every **link** is replaced by 23 letters ``x``. A link is what ``microsyntax.entities`` finds: ``http://`` or
   ``https://`` not preceded by an ASCII letter, a digit, ``_``, ``@``, ``#`` or ``$``; no ``@`` before the first
   ``/``, ``?`` or ``#``; a host that ``new URL`` accepts, cut where a last label that starts in Latin letters stops
   being Latin; an optional port of up to five digits; an optional path, query and fragment. Without port and path the
   host must have a dot and a last label of two letters, be an IP address, or ``localhost``. The path ends at the
   first character that is neither an ASCII URL character nor a letter, mark or number of a script written with
   spaces; then ``.,:;!?'*~&$@|([`` and closing brackets that were not opened inside it are taken off its end.
3. Every **mention with a host**, ``@user@host`` or ``@user@host:port``, is replaced by ``@user``. The user name is
   ``[A-Za-z0-9_]`` with ``.`` and ``-`` inside; the first ``@`` does not follow one of ``@ / = # $ & %`` or a letter of
   a script written with spaces, and no ``@`` follows the whole. A mention without a host stays as it is, found or
   not. Hashtags stay as they are.
4. The grapheme clusters of the result are counted: ``[...new Intl.Segmenter(undefined, {granularity: "grapheme"})
   .segment(text)].length``.
5. The content warning is counted by steps 1 and 4 only (nothing is linked in it) and added.

Besides, text and content warning together have at most 1,400 code points after NFC (``[...text].length``).
``tests/data/counting.json`` is the table both counters are held to.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from fediverse.errors import Invalid
from fediverse.text.characters import count_clusters, is_blank
from fediverse.text.microsyntax import Link, Mention, entities

LIMIT: Final = 140
"""Characters of a Note made here, its content warning included."""

URL_LENGTH: Final = 23
"""Characters that a link counts, however long it is."""

CODE_POINT_LIMIT: Final = 1400
"""Code points of a Note made here, so that stacked combining marks cannot smuggle a page in."""

_URL_FILLER = "x" * URL_LENGTH


def count(text: str, *, spoiler_text: str = "") -> int:
    """The length of a Note in characters, by the rule at the top of this module."""
    spoiler = count_clusters(unicodedata.normalize("NFC", spoiler_text)) if spoiler_text else 0
    text = unicodedata.normalize("NFC", text)
    parts: list[str] = []
    end = 0
    for entity in entities(text):
        if isinstance(entity, Link):
            shown = _URL_FILLER
        elif isinstance(entity, Mention) and entity.host is not None:
            shown = "@" + entity.username
        else:
            continue
        parts += text[end : entity.start], shown
        end = entity.end
    if parts:
        text = "".join(parts) + text[end:]
    return count_clusters(text) + spoiler


def check_length(text: str, spoiler_text: str = "", *, has_attachment: bool = False) -> None:
    """A Note of this text may be made here.

    ``has_attachment`` is true when a poll or media come with it, which may stand without words.

    Raises Invalid when nothing of the text can be seen, when it counts more than LIMIT, or when it has more code
    points than CODE_POINT_LIMIT.
    """
    if not has_attachment and is_blank(text):
        raise Invalid("There is nothing to read in this post. Write something, or attach a picture or a poll.")
    length = count(text, spoiler_text=spoiler_text)
    with_warning = ", content warning included," if spoiler_text else ""
    if length > LIMIT:
        raise Invalid(f"The text{with_warning} is {length} characters long; at most {LIMIT} are allowed. Shorten it.")
    points = sum(len(unicodedata.normalize("NFC", part)) for part in (text, spoiler_text))
    if points > CODE_POINT_LIMIT:
        raise Invalid(
            f"The text{with_warning} is made of {points} code points; at most {CODE_POINT_LIMIT} are allowed. "
            "Shorten its links, or use fewer accents on one letter."
        )
