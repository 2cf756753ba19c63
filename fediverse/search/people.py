"""Looking for accounts among those that are known here, by the words of their names and handles.

Written by :func:`put`: an index like that of posts, of user name and display name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from fediverse.search.notation import as_vector, expression
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors, follows
from fediverse.text.words import phrases
from fediverse.text.words import words as words_of
from fediverse.urls import Urls

_MOST_WORDS: Final = 60
_PART: Final = 500
_PUT = {
    "sqlite": text("INSERT INTO actor_words (rowid, words) VALUES (:id, :words)"),
    "postgresql": text(
        "INSERT INTO actor_words (actor_id, words) VALUES (:id, CAST(:words AS tsvector)) "
        "ON CONFLICT (actor_id) DO UPDATE SET words = excluded.words"
    ).bindparams(bindparam("id", type_=BigInteger)),
}
_FORGET = {
    "sqlite": text("DELETE FROM actor_words WHERE rowid = :id"),
    "postgresql": text("DELETE FROM actor_words WHERE actor_id = :id").bindparams(bindparam("id", type_=BigInteger)),
}


def accounts(
    tx: Connection,
    urls: Urls,
    words: str,
    *,
    limit: int,
    offset: int = 0,
    viewer_id: int | None = None,
    following: bool = False,
) -> Sequence[Row[Any]]:
    """The accounts whose handle or name has all the words, the last one perhaps unfinished; best first.

    Those whom the viewer follows come before others; ``following`` leaves the others out. Suspended accounts are not
    found, limited ones by their whole user name or by who follows them.
    """
    username, at, host = words.strip().removeprefix("@").lower().partition("@")
    values = {"me": viewer_id or 0, "username": username, "limit": limit, "offset": offset}
    if at:
        condition = and_(actors.c.username_folded == username, actors.c.host.startswith(host, autoescape=True))
        if urls.domain.startswith(host):
            condition = or_(condition, and_(actors.c.username_folded == username, actors.c.host == ""))
        return tx.execute(_ranked(select(actors).where(condition), following), values).all()
    found = [phrase for part in username.split() for phrase in phrases(part)]
    if not found:
        return []
    asked = expression(tx.dialect.name, [[phrase] for phrase in found], [], prefix=True)
    return tx.execute(_by_words(tx.dialect.name, following), {**values, "asked": asked}).all()


def put(tx: Connection, rows: Sequence[Row[Any]], *, known: bool = True) -> None:
    """The actors are found by the names that they have now; ``known``: they may have been found by others before."""
    if known:
        tx.execute(_FORGET[tx.dialect.name], [{"id": row.id} for row in rows])
    write = as_vector if tx.dialect.name == "postgresql" else " ".join
    entries = [
        {"id": row.id, "words": write(words_of(f"{row.username}\n{row.name}", most=_MOST_WORDS))}
        for row in rows
        if row.deleted_at is None and row.id != INSTANCE_ACTOR_ID
    ]
    if entries:
        tx.execute(_PUT[tx.dialect.name], entries)


def forget(tx: Connection, actor_id: int) -> None:
    """Nobody finds the actor by its name."""
    tx.execute(_FORGET[tx.dialect.name], {"id": actor_id})


def put_all(tx: Connection, *, after: int = 0) -> int | None:
    """The next accounts after an id are found by their names; returns the last one's id, None when there are none."""
    rows = tx.execute(select(actors).where(actors.c.id > after).order_by(actors.c.id).limit(_PART)).all()
    if not rows:
        return None
    put(tx, rows)
    return int(rows[-1].id)


@lru_cache(4)
def _by_words(dialect: str, following: bool) -> Select[Any]:
    asked = bindparam("asked", type_=Text)
    id_: ColumnElement[int]
    if dialect == "sqlite":
        index = table("actor_words", column("rowid", BigInteger), column("actor_words", Text))
        id_, matches = index.c.rowid, index.c.actor_words.op("MATCH")(asked)
    else:
        index = table("actor_words", column("actor_id", BigInteger), column("words", Text))
        id_, matches = index.c.actor_id, index.c.words.op("@@")(cast(asked, TSQUERY))
    return _ranked(select(actors).select_from(index).join(actors, actors.c.id == id_).where(matches), following)


def _ranked(statement: Select[Any], following: bool) -> Select[Any]:
    me = bindparam("me", type_=BigInteger)
    exact = actors.c.username_folded == bindparam("username", type_=Text)
    followed = (
        exists()
        .where(follows.c.follower_id == me, follows.c.followee_id == actors.c.id, follows.c.accepted)
        .correlate_except(follows)
    )
    statement = statement.where(
        or_(actors.c.limited_at.is_(None), exact, followed),
        actors.c.suspended_at.is_(None),
        actors.c.deleted_at.is_(None),
        actors.c.id != INSTANCE_ACTOR_ID,
    )
    if following:
        statement = statement.where(followed)
    best = (
        case((and_(exact, followed), 0), (followed, 1), (exact, 2), else_=3),
        case((actors.c.host == "", 0), else_=1),
        actors.c.followers_count.desc(),
        actors.c.id,
    )
    return statement.order_by(*best).limit(bindparam("limit")).offset(bindparam("offset"))
