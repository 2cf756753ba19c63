"""Imports that are under way or were lately. Owner of the tables imports and import_rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, select, true, update

from fediverse import ids, jobs
from fediverse.clock import DAY, Instant
from fediverse.errors import Invalid
from fediverse.tables.transfer import import_rows, imports
from fediverse.transfer.formats import Kind

#: The kind of the jobs.
KIND: Final = "import"
_AT_ONCE: Final = 3
_SHOWN: Final = 20
_KEPT: Final = 14 * DAY
_CHUNK: Final = 500


def begin(
    tx: Connection, actor_id: int, kind: Kind, rows: Sequence[Mapping[str, Any]], *, overwrite: bool, now: Instant
) -> int:
    """The rows are taken in, bit by bit, from now on. Raises Invalid when too many imports are under way."""
    unfinished = select(func.count()).where(imports.c.actor_id == actor_id, imports.c.finished_at.is_(None))
    if (tx.scalar(unfinished) or 0) >= _AT_ONCE:
        raise Invalid(f"{_AT_ONCE} imports are under way already. Wait until one of them is done.")
    import_id = ids.new_id()
    tx.execute(
        imports.insert().values(
            id=import_id, actor_id=actor_id, kind=kind, overwrite=overwrite, total=len(rows), created_at=now
        )
    )
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        tx.execute(
            import_rows.insert(), [{"id": ids.new_id(), "import_id": import_id, "data": dict(row)} for row in chunk]
        )
    go_on(tx, import_id, step="begin", due_at=now)
    return import_id


def go_on(tx: Connection, import_id: int, *, step: str, due_at: Instant) -> None:
    """The next part is taken in at ``due_at``; once, whoever repeats the ``step`` before."""
    jobs.enqueue(tx, KIND, {"import_id": import_id}, unique_key=f"{import_id}:{step}", due_at=due_at)


def get(tx: Connection, import_id: int) -> Row[Any] | None:
    """An import that is not finished."""
    return tx.execute(select(imports).where(imports.c.id == import_id, imports.c.finished_at.is_(None))).first()


def of_actor(tx: Connection, actor_id: int) -> Sequence[Row[Any]]:
    """The actor's imports, the latest first."""
    return tx.execute(
        select(imports).where(imports.c.actor_id == actor_id).order_by(imports.c.id.desc()).limit(_SHOWN)
    ).all()


def failures(tx: Connection, import_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Some of the rows that could not be taken in."""
    return tx.execute(
        select(import_rows)
        .where(import_rows.c.import_id.in_(import_ids), import_rows.c.problem != "")
        .order_by(import_rows.c.id)
        .limit(10 * _SHOWN)
    ).all()


def waiting(tx: Connection, import_id: int, *, limit: int | None = None) -> Sequence[Row[Any]]:
    """The next rows that are to be taken in."""
    return tx.execute(
        select(import_rows)
        .where(import_rows.c.import_id == import_id, import_rows.c.problem == "")
        .order_by(import_rows.c.id)
        .limit(limit)
    ).all()


def settle(tx: Connection, import_id: int, done: Collection[int], problems: Mapping[int, str]) -> None:
    """Rows are taken in, or cannot be."""
    if done:
        tx.execute(delete(import_rows).where(import_rows.c.id.in_(done)))
    if problems:
        tx.execute(
            update(import_rows).where(import_rows.c.id == bindparam("row")).values(problem=bindparam("words")),
            [{"row": id_, "words": words[:300] or "?"} for id_, words in problems.items()],
        )
    tx.execute(
        update(imports)
        .where(imports.c.id == import_id)
        .values(done=imports.c.done + len(done), failed=imports.c.failed + len(problems))
    )


def set_pruned(tx: Connection, import_id: int) -> None:
    """What is not in the file has been removed."""
    tx.execute(update(imports).where(imports.c.id == import_id).values(pruned=true()))


def finish(tx: Connection, import_id: int, *, now: Instant) -> None:
    """The import is over."""
    tx.execute(update(imports).where(imports.c.id == import_id).values(finished_at=now))


def sweep(tx: Connection, *, now: Instant) -> None:
    """Imports that ended two weeks ago are forgotten, with what could not be taken in."""
    tx.execute(delete(imports).where(imports.c.finished_at < now - _KEPT))
