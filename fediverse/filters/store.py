"""Filters as rows: made, changed, deleted, by their owner only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, bindparam, func, select, update
from sqlalchemy import delete as sql_delete

from fediverse import events, ids, text
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.entities.filters import FilterView
from fediverse.errors import Invalid, NotFound
from fediverse.tables.filters import filter_keywords, filter_statuses, filter_versions, filters

CONTEXTS: Final = ("home", "notifications", "public", "thread", "account")
ACTIONS: Final = ("warn", "hide", "blur")
_NOT_FOUND: Final = "Record not found"
_MAX_TITLE: Final = 256
_MAX_KEYWORD: Final = 512
_MAX_FILTERS: Final = 200
_MAX_ENTRIES: Final = 1000  # keywords, and statuses, of all of an actor's filters together


@dataclass(frozen=True, slots=True)
class Changes:
    """What a filter is to be; None leaves as it is. ``expires_at`` counts only where ``expires`` says so."""

    title: str | None = None
    contexts: Sequence[str] | None = None
    action: str | None = None
    expires: bool = False
    expires_at: Instant | None = None

    def values(self) -> dict[str, Any]:
        """The columns that change. Raises Invalid for what no filter can be."""
        values: dict[str, Any] = {}
        if self.title is not None:
            values["title"] = _words(self.title, "title", _MAX_TITLE)
        if self.contexts is not None:
            if not self.contexts or not set(self.contexts) <= set(CONTEXTS):
                raise Invalid(f"Say where the filter applies: “context” is some of {', '.join(CONTEXTS)}.")
            values["contexts"] = [context for context in CONTEXTS if context in self.contexts]
        if self.action is not None:
            if self.action not in ACTIONS:
                raise Invalid(f"“filter_action” is one of {', '.join(ACTIONS)}.")
            values["action"] = self.action
        if self.expires:
            values["expires_at"] = self.expires_at
        return values


@dataclass(frozen=True, slots=True)
class KeywordChange:
    """What is to become of a keyword: a new one without an id, else a change of it, or its end."""

    id: int | None = None
    keyword: str | None = None
    whole_word: bool | None = None
    destroy: bool = False


_ALL = select(filters).where(filters.c.actor_id == bindparam("me", type_=BigInteger)).order_by(filters.c.id)


def all_of(tx: Connection, actor_id: int) -> list[FilterView]:
    """The actor's filters with what they look for, the oldest first."""
    return _with_entries(tx, tx.execute(_ALL, {"me": actor_id}).all())


def get(tx: Connection, actor_id: int, filter_id: int) -> FilterView:
    """One of the actor's filters with what it looks for. Raises NotFound for anybody else's."""
    return _with_entries(tx, [_own(tx, actor_id, filter_id)])[0]


def create(
    tx: Connection, actor_id: int, changes: Changes, keywords: Iterable[KeywordChange] = (), *, now: Instant
) -> FilterView:
    """The actor has one filter more. Raises Invalid."""
    values = {"action": "warn", "expires_at": None, **changes.values()}
    if "title" not in values or "contexts" not in values:
        raise Invalid("A filter needs a “title” and a “context”.")
    mine = select(func.count()).select_from(filters).where(filters.c.actor_id == actor_id)
    if (tx.scalar(mine) or 0) >= _MAX_FILTERS:
        raise Invalid(f"There are {_MAX_FILTERS} filters already: delete one first.")
    filter_id = ids.new_id()
    tx.execute(filters.insert().values(id=filter_id, actor_id=actor_id, created_at=now, **values))
    _change_keywords(tx, actor_id, filter_id, keywords)
    _touch(tx, actor_id)
    return get(tx, actor_id, filter_id)


def change(
    tx: Connection, actor_id: int, filter_id: int, changes: Changes, keywords: Iterable[KeywordChange] = ()
) -> FilterView:
    """The filter is as the changes say. Raises NotFound for anybody else's, Invalid for what no filter can be."""
    _own(tx, actor_id, filter_id)
    values = changes.values()
    if values:
        tx.execute(update(filters).where(filters.c.id == filter_id).values(**values))
    _change_keywords(tx, actor_id, filter_id, keywords)
    _touch(tx, actor_id)
    return get(tx, actor_id, filter_id)


def delete(tx: Connection, actor_id: int, filter_id: int) -> None:
    """The filter is gone. Raises NotFound for anybody else's."""
    _own(tx, actor_id, filter_id)
    tx.execute(sql_delete(filters).where(filters.c.id == filter_id))
    _touch(tx, actor_id)


def get_keyword(tx: Connection, actor_id: int, keyword_id: int) -> Row[Any]:
    """A keyword of one of the actor's filters. Raises NotFound."""
    mine = _mine(actor_id)
    keyword = select(filter_keywords).where(filter_keywords.c.id == keyword_id, filter_keywords.c.filter_id.in_(mine))
    return _found(tx.execute(keyword).first())


def add_keyword(tx: Connection, actor_id: int, filter_id: int, keyword: str, *, whole_word: bool) -> Row[Any]:
    """The filter looks for one keyword more. Raises NotFound, Invalid."""
    _own(tx, actor_id, filter_id)
    keyword_id = _put_keyword(tx, actor_id, filter_id, keyword, whole_word=whole_word)
    _touch(tx, actor_id)
    return get_keyword(tx, actor_id, keyword_id)


def change_keyword(tx: Connection, actor_id: int, change: KeywordChange) -> Row[Any]:
    """The keyword is as the change says. Raises NotFound, Invalid."""
    assert change.id is not None
    keyword = get_keyword(tx, actor_id, change.id)
    _change_keywords(tx, actor_id, keyword.filter_id, [change])
    _touch(tx, actor_id)
    return get_keyword(tx, actor_id, change.id)


def delete_keyword(tx: Connection, actor_id: int, keyword_id: int) -> None:
    """The filter looks for the keyword no longer. Raises NotFound."""
    get_keyword(tx, actor_id, keyword_id)
    tx.execute(sql_delete(filter_keywords).where(filter_keywords.c.id == keyword_id))
    _touch(tx, actor_id)


def get_status(tx: Connection, actor_id: int, entry_id: int) -> Row[Any]:
    """A status that one of the actor's filters names, by the id of the entry. Raises NotFound."""
    mine = _mine(actor_id)
    entry = select(filter_statuses).where(filter_statuses.c.id == entry_id, filter_statuses.c.filter_id.in_(mine))
    return _found(tx.execute(entry).first())


def add_status(tx: Connection, actor_id: int, filter_id: int, status_id: int) -> Row[Any]:
    """The filter names the status. Raises NotFound, Invalid where it does already."""
    _own(tx, actor_id, filter_id)
    _check_room(tx, actor_id, filter_statuses.c.filter_id)
    entry_id = ids.new_id()
    added = tx.execute(
        insert(tx, filter_statuses)
        .values(id=entry_id, filter_id=filter_id, status_id=status_id)
        .on_conflict_do_nothing()
        .returning(filter_statuses.c.id)
    ).first()
    if added is None:
        raise Invalid("This filter names that status already.")
    _touch(tx, actor_id)
    return get_status(tx, actor_id, entry_id)


def delete_status(tx: Connection, actor_id: int, entry_id: int) -> Row[Any]:
    """The filter does not name the status any more; returns the entry as it was. Raises NotFound."""
    entry = get_status(tx, actor_id, entry_id)
    tx.execute(sql_delete(filter_statuses).where(filter_statuses.c.id == entry_id))
    _touch(tx, actor_id)
    return entry


def end_all(tx: Connection, actor_id: int) -> None:
    """The actor has no filters, as when it is deleted."""
    tx.execute(sql_delete(filters).where(filters.c.actor_id == actor_id))
    tx.execute(sql_delete(filter_versions).where(filter_versions.c.actor_id == actor_id))


def _own(tx: Connection, actor_id: int, filter_id: int) -> Row[Any]:
    own = select(filters).where(filters.c.id == filter_id, filters.c.actor_id == actor_id)
    return _found(tx.execute(own).first())


def _found(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise NotFound(_NOT_FOUND)
    return row


def _mine(actor_id: int) -> Any:
    return select(filters.c.id).where(filters.c.actor_id == actor_id)


def _with_entries(tx: Connection, rows: Sequence[Row[Any]]) -> list[FilterView]:
    if not rows:
        return []
    wanted = [row.id for row in rows]
    entries: dict[int, tuple[list[Row[Any]], list[Row[Any]]]] = {filter_id: ([], []) for filter_id in wanted}
    for place, table in enumerate((filter_keywords, filter_statuses)):
        for entry in tx.execute(select(table).where(table.c.filter_id.in_(wanted)).order_by(table.c.id)):
            entries[entry.filter_id][place].append(entry)
    return [FilterView(row, *entries[row.id]) for row in rows]


def _change_keywords(tx: Connection, actor_id: int, filter_id: int, changes: Iterable[KeywordChange]) -> None:
    for change in changes:  # as many as one request may name, each with its own values
        if change.id is None:
            if not change.destroy:
                whole_word = True if change.whole_word is None else change.whole_word
                _put_keyword(tx, actor_id, filter_id, change.keyword or "", whole_word=whole_word)
            continue
        own = (filter_keywords.c.id == change.id, filter_keywords.c.filter_id == filter_id)
        if change.destroy:
            done = tx.execute(sql_delete(filter_keywords).where(*own)).rowcount
        else:
            values: dict[str, Any] = {"filter_id": filter_id}
            if change.keyword is not None:
                values["keyword"] = _words(change.keyword, "keyword", _MAX_KEYWORD)
            if change.whole_word is not None:
                values["whole_word"] = change.whole_word
            done = tx.execute(update(filter_keywords).where(*own).values(**values)).rowcount
        if not done:
            raise NotFound(_NOT_FOUND)


def _put_keyword(tx: Connection, actor_id: int, filter_id: int, keyword: str, *, whole_word: bool) -> int:
    words = _words(keyword, "keyword", _MAX_KEYWORD)
    _check_room(tx, actor_id, filter_keywords.c.filter_id)
    keyword_id = ids.new_id()
    tx.execute(
        filter_keywords.insert().values(id=keyword_id, filter_id=filter_id, keyword=words, whole_word=whole_word)
    )
    return keyword_id


def _check_room(tx: Connection, actor_id: int, column: ColumnElement[int]) -> None:
    if (tx.scalar(select(func.count()).where(column.in_(_mine(actor_id)))) or 0) >= _MAX_ENTRIES:
        raise Invalid(f"Your filters name {_MAX_ENTRIES} already: delete some first.")


def _words(given: str, name: str, longest: int) -> str:
    if text.is_blank(given):
        raise Invalid(f"“{name}” must not be blank.")
    if len(given) > longest:
        raise Invalid(f"“{name}” has {len(given)} characters; it may have at most {longest}.")
    return given


def _touch(tx: Connection, actor_id: int) -> None:
    """The actor's filters are others than before."""
    statement = insert(tx, filter_versions).values(actor_id=actor_id, version=1)
    tx.execute(
        statement.on_conflict_do_update(index_elements=["actor_id"], set_={"version": filter_versions.c.version + 1})
    )
    events.after_commit(tx, events.Changed(actor_id, "filters_changed"))
