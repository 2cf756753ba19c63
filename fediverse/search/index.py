"""The index of posts: for each post that somebody here can find, its words and marks.

Marks begin with ``_``, which no word does: ``_p`` for what everybody here finds (public, of an author who agreed),
``_aID`` for those here who find it because they wrote it, are mentioned in it or reacted to it, ``_fID`` for its
author, and those of ``language.PROPERTIES``. With them a search needs the index alone to come upon the newest matches,
however common a word is. The query checks again what may be seen, so that an index that lags behind shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import unescape
from typing import Any, Final

import regex
from sqlalchemy import BigInteger, Connection, Row, bindparam, literal_column, select, text, union_all

from fediverse import jobs
from fediverse.db import Prepared, id_list
from fediverse.documents import titles
from fediverse.drafts import Visibility
from fediverse.ids import MAX_ID
from fediverse.search import people
from fediverse.search.language import PROPERTIES, language_mark
from fediverse.search.notation import as_vector
from fediverse.tables.actors import actors
from fediverse.tables.statuses import bookmarks, favourites, mentions, statuses
from fediverse.text.words import words

#: The kind of job that indexes again what is stored already.
REINDEX: Final = "reindex"

_MOST_WORDS: Final = 2000
_MOST_CHARACTERS: Final = 20_000
_PART: Final = 200
_TAG = regex.compile(r"<[^>]*>")
_BREAKING_TAG = regex.compile(r"<(?:br|/?p|/?div|/?li|/?ul|/?ol|/?blockquote|/?pre)\b[^>]*>")
_MEDIA_MARKS: Final = {"image": "_mi", "gifv": "_mv", "video": "_mv", "audio": "_ma"}
_LINK = regex.compile(r'<a(?![^>]*\b(?:mention|hashtag)\b)(?![^>]*\brel="[^"]*\btag\b)[^>]*\bhref="http')

_PUT = {
    "sqlite": text("INSERT INTO status_words (rowid, words) VALUES (:id, :words)"),
    "postgresql": text(
        "INSERT INTO status_words (status_id, words) VALUES (:id, CAST(:words AS tsvector)) "
        "ON CONFLICT (status_id) DO UPDATE SET words = excluded.words"
    ).bindparams(bindparam("id", type_=BigInteger)),
}
_FORGET = {
    "sqlite": text("DELETE FROM status_words WHERE rowid = :id"),
    "postgresql": text("DELETE FROM status_words WHERE status_id = :id").bindparams(bindparam("id", type_=BigInteger)),
}
_FORGET_AUTHOR = {
    "sqlite": text("DELETE FROM status_words WHERE rowid IN (SELECT id FROM statuses WHERE author_id = :author)"),
    "postgresql": text(
        "DELETE FROM status_words WHERE status_id IN (SELECT id FROM statuses WHERE author_id = :author)"
    ),
}
_ROWS = Prepared(
    lambda sql: (
        select(statuses, actors.c.indexable.label("author_indexable"), actors.c.host.label("author_host"))
        .join(actors, actors.c.id == statuses.c.author_id)
        .where(sql.within(statuses.c.id, "ids"), statuses.c.deleted_at.is_(None), statuses.c.boost_of_id.is_(None))
    )
)


def _holders_query(sql: Any) -> Any:
    """Who here has which of some posts in their library."""

    def held(found: Any, who: Any) -> Any:
        return (
            select(found.label("status_id"), who.label("actor_id"))
            .join(actors, actors.c.id == who)
            .where(sql.within(found, "ids"), actors.c.host == literal_column("''"))
        )

    return union_all(
        held(mentions.c.status_id, mentions.c.actor_id),
        held(favourites.c.status_id, favourites.c.actor_id),
        held(bookmarks.c.status_id, bookmarks.c.actor_id),
        held(statuses.c.boost_of_id, statuses.c.author_id),
    )


_HOLDERS = Prepared(_holders_query)


def put(tx: Connection, row: Row[Any], *, author: Row[Any], holders: Iterable[int]) -> None:
    """The new post is found: by its author, by ``holders`` (actors here whom it is for), by everybody if they may."""
    _put(tx, [(row, author.indexable, author.host, set(holders))])


def refresh(tx: Connection, status_ids: Iterable[int]) -> None:
    """The posts are found as they are now: by their present words, and by those who have to do with them now."""
    wanted = list(dict.fromkeys(status_ids))
    if not wanted:
        return
    given = {"ids": id_list(tx, wanted)}
    rows = tx.execute(_ROWS(tx), given).all()
    holders: dict[int, set[int]] = {}
    if rows:
        for status_id, actor_id in tx.execute(_HOLDERS(tx), given):
            holders.setdefault(status_id, set()).add(actor_id)
    forget(tx, wanted)
    _put(tx, [(row, row.author_indexable, row.author_host, holders.get(row.id, set())) for row in rows])


def forget(tx: Connection, status_ids: Sequence[int]) -> None:
    """Nobody finds the posts."""
    if status_ids:
        tx.execute(_FORGET[tx.dialect.name], [{"id": status_id} for status_id in status_ids])


def forget_author(tx: Connection, author_id: int) -> None:
    """Nobody finds the author, or any post of the author's."""
    tx.execute(_FORGET_AUTHOR[tx.dialect.name], {"author": author_id})
    people.forget(tx, author_id)


def reindex(tx: Connection, *, author_id: int | None = None, before: int = MAX_ID) -> None:
    """All posts (of one author) are indexed again, the newest first, a part at a time."""
    key = f"{author_id or 'all'}:{before}"
    jobs.enqueue(tx, REINDEX, {"author_id": author_id, "before": before}, unique_key=key)


def reindex_part(tx: Connection, payload: Mapping[str, Any]) -> None:
    """What a job says is indexed again, a part of it; another job goes on where this one ends."""
    if "actors_after" in payload:
        last = people.put_all(tx, after=payload["actors_after"])
        if last is not None:
            jobs.enqueue(tx, REINDEX, {"actors_after": last}, unique_key=f"actors:{last}")
        return
    author_id = payload["author_id"]
    found = _newest_before(tx, author_id, payload["before"])
    refresh(tx, found)
    if len(found) == _PART:
        reindex(tx, author_id=author_id, before=found[-1])


def refresh_all(tx: Connection) -> None:
    """Every post and every account is indexed again, at once."""
    before = MAX_ID
    while found := _newest_before(tx, None, before):
        refresh(tx, found)
        before = found[-1]
    last: int | None = 0
    while last is not None:
        last = people.put_all(tx, after=last)


def _newest_before(tx: Connection, author_id: int | None, before: int) -> list[int]:
    statement = select(statuses.c.id).where(statuses.c.id < before).order_by(statuses.c.id.desc()).limit(_PART)
    if author_id is not None:
        statement = statement.where(statuses.c.author_id == author_id)
    return list(tx.scalars(statement))


_Entry = tuple[Row[Any], bool, str, set[int]]


def _put(tx: Connection, entries: Iterable[_Entry]) -> None:
    dialect = tx.dialect.name
    write = as_vector if dialect == "postgresql" else " ".join
    found = list(_written(entries, write))
    if found:
        tx.execute(_PUT[dialect], found if len(found) > 1 else found[0])


def _written(entries: Iterable[_Entry], write: Callable[[list[str]], str]) -> Iterator[dict[str, Any]]:
    for row, author_indexable, author_host, holders in entries:
        finders = [f"_a{actor_id}" for actor_id in holders]
        if author_host == "":
            finders.append(f"_a{row.author_id}")
        if author_indexable and row.visibility == Visibility.PUBLIC:
            finders.append("_p")
        if finders:  # else nobody can find it
            yield {"id": row.id, "words": write([*_words(row), *dict.fromkeys(finders), *_marks(row)])}


def _words(row: Row[Any]) -> list[str]:
    """The words of a post; its title, its warning, a poll's options and the descriptions of its media among them."""
    shown = row.text or unescape(_TAG.sub("", _BREAKING_TAG.sub(" ", row.content)))
    parts = [shown[:_MOST_CHARACTERS], row.spoiler_text, row.title]
    parts += titles(row.poll)
    parts += [attachment.get("description") or "" for attachment in row.attachments]
    return words("\n".join(part for part in parts if part), most=_MOST_WORDS)


def _marks(row: Row[Any]) -> list[str]:
    marks = [f"_f{row.author_id}"]
    if row.language:
        marks.append(language_mark(row.language))
    if row.in_reply_to_id is not None or row.in_reply_to_uri is not None:
        marks.append(PROPERTIES["reply"])
    if row.sensitive:
        marks.append(PROPERTIES["sensitive"])
    if row.attachments:
        marks.append(PROPERTIES["media"])
        marks += dict.fromkeys(
            _MEDIA_MARKS[attachment["type"]] for attachment in row.attachments if attachment["type"] in _MEDIA_MARKS
        )
    if _LINK.search(row.content):
        marks.append(PROPERTIES["link"])
    if row.quote_uri is not None:
        marks.append(PROPERTIES["quote"])
    if row.kind == "Question":
        marks.append(PROPERTIES["poll"])
    return marks
