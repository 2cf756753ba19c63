"""This instance's own emoji: pictures that people here write as a word between colons.

What was posted keeps the pictures that it was posted with, also when the emoji is changed or gone. Owner of the table
``custom_emojis``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import regex
from sqlalchemy import Connection, Row, bindparam, delete, select

from fediverse import ids
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.drafts import EmojiDraft, NoteDraft
from fediverse.errors import Invalid
from fediverse.tables.emojis import custom_emojis

#: A name of an emoji in a text: at the edge of a word on both sides.
_NAMED = regex.compile(r"(?<![\p{L}\p{N}_:]):([A-Za-z0-9_]{2,64}):(?![\p{L}\p{N}_:])")
_SHORTCODE = regex.compile(r"[A-Za-z0-9_]{2,64}")
_CATEGORY_LENGTH: Final = 60
_BY_SHORTCODE = select(custom_emojis).where(custom_emojis.c.shortcode.in_(bindparam("shortcodes", expanding=True)))


def check_shortcode(shortcode: str) -> str:
    """The name without colons. Raises Invalid when no emoji can be called so."""
    cleaned = shortcode.strip(":")
    if not _SHORTCODE.fullmatch(cleaned):
        raise Invalid("An emoji is called by 2 to 64 letters, digits and underscores.")
    return cleaned


def add(tx: Connection, shortcode: str, *, picture: str, still: str, category: str = "", now: Instant) -> None:
    """The emoji is there, with this picture from now on; ``picture`` and ``still`` are keys in media storage."""
    if len(category) > _CATEGORY_LENGTH:
        raise Invalid(f"A category has at most {_CATEGORY_LENGTH} characters.")
    values = {"picture": picture, "still": still, "category": category}
    tx.execute(
        insert(tx, custom_emojis)
        .values(id=ids.new_id(), shortcode=check_shortcode(shortcode), created_at=now, **values)
        .on_conflict_do_update(index_elements=["shortcode"], set_=values)
    )


def remove(tx: Connection, shortcode: str) -> bool:
    """Nobody can use the emoji any more; False when there was none."""
    gone = tx.execute(delete(custom_emojis).where(custom_emojis.c.shortcode == shortcode.strip(":")))
    return gone.rowcount > 0


def everything(tx: Connection) -> Sequence[Row[Any]]:
    """All emoji, by category and name."""
    return tx.execute(select(custom_emojis).order_by(custom_emojis.c.category, custom_emojis.c.shortcode)).all()


def by_shortcode(tx: Connection, shortcodes: Iterable[str]) -> dict[str, Row[Any]]:
    """Those of the emoji that exist, by name."""
    wanted = list(dict.fromkeys(shortcodes))
    return {row.shortcode: row for row in tx.execute(_BY_SHORTCODE, {"shortcodes": wanted})} if wanted else {}


def named(tx: Connection, *texts: str) -> list[EmojiDraft]:
    """The emoji that are named in texts of people here, as what is stored beside such texts."""
    names = [name for text in texts if ":" in text for name in _NAMED.findall(text)]
    found = by_shortcode(tx, names) if names else {}
    return [
        EmojiDraft(shortcode=row.shortcode, url="", key=row.picture, still=row.still)
        for row in (found[name] for name in dict.fromkeys(names) if name in found)
    ]


def of(tx: Connection, draft: NoteDraft) -> list[EmojiDraft]:
    """The emoji of a post: as its server names them, or those of this instance where it is written here."""
    if draft.uri is not None:
        return list(draft.emojis)
    options = draft.poll["options"] if draft.poll is not None else []
    return named(tx, draft.text, draft.spoiler_text, *(option["title"] for option in options))
