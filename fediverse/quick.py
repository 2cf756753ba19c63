"""Hot reads, on SQLite straight through its driver.

SQLite answers a page of a timeline in some hundredths of a millisecond; SQLAlchemy takes three times as long to pass
question and answer on. It still writes the statement, once per process. PostgreSQL, a round trip away, is asked as
always.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import JSON, CompoundSelect, Connection, Select

from fediverse.db import Dialect, Prepared

_Read = Select[Any] | CompoundSelect[Any]
_Ask = Callable[[Connection, Mapping[str, Any]], Sequence[Any]]


class Quick:
    """A SELECT of numbers and texts that is built once and executed often: ``QUICK(tx, values)`` gives its rows.

    Rows have their columns as attributes. Flags are 0 and 1 on SQLite. Columns of JSON and lists of unknown length
    (``expanding``) cannot be had so.
    """

    def __init__(self, build: Callable[[Dialect], _Read]) -> None:
        self._statement: Final = Prepared(build)
        self._sqlite: _Ask | None = None

    def __call__(self, tx: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """The rows of the statement with these parameters."""
        if tx.dialect.name != "sqlite":
            return tx.execute(self._statement(tx), values).all()
        if self._sqlite is None:
            self._sqlite = _asking_sqlite(tx, self._statement(tx))
        try:
            return self._sqlite(tx, values)
        except sqlite3.Error:
            # Once more, so that the error comes as all errors of the database do.
            return tx.execute(self._statement(tx), values).all()


def _asking_sqlite(tx: Connection, statement: _Read) -> _Ask:
    columns = list(statement.selected_columns)
    assert not any(isinstance(column.type, JSON) for column in columns)
    compiled = statement.compile(dialect=tx.dialect)
    assert "POSTCOMPILE" not in compiled.string
    names, given, sql = list(compiled.positiontup or ()), compiled.params, compiled.string
    ordered = itemgetter(*names, *names[:1]) if names else None  # of one name it would give no tuple
    # A named tuple's rows are made by a function of Python's; these are not.
    names_of = {column.key: property(itemgetter(place)) for place, column in enumerate(columns) if column.key}
    row = type("Row", (tuple,), {"__slots__": (), **names_of})

    def ask(tx: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        parameters = ordered({**given, **values})[:-1] if ordered is not None else ()
        connection: Any = tx.connection.dbapi_connection
        return list(map(row, connection.execute(sql, parameters)))

    return ask
