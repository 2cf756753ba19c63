"""The database: reads and writes are plain functions of a transaction, run in a thread.

``await db.read(fn, …)`` and ``await db.write(fn, …)`` are the only places where transactions begin and end. Below
them nothing can await, so nothing can wait for the network while a transaction is open.

SQLite has one writer thread, which commits whatever writes have queued up as one group (each in a savepoint of its
own): a durable commit costs an fsync, and many small writes share it. Two threads read beside it (more threads cost
more than they give: measured at twice the CPU with eight). PostgreSQL has a pool of threads and connections.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Table,
    Text,
    any_,
    bindparam,
    create_engine,
    event,
    exc,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import NullPool

from fediverse.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

Tx = Connection
CommitListener = Callable[[Sequence[object]], None]

_AFTER_COMMIT = "fediverse.after_commit"
_SQLITE_READERS = 2
_POSTGRES_THREADS = 8
_GROUP = 128
_RETRIES = 3
_BUSY = "The database cannot be reached just now. Please try again in a moment."


def after_commit(tx: Connection, message: object) -> None:
    """``message`` reaches the commit listener once ``tx`` is committed; a rollback drops it."""
    tx.info.setdefault(_AFTER_COMMIT, []).append(message)


def is_writing(tx: Connection) -> bool:
    """Whether what ``tx`` reads may be its own and not committed yet, so that nobody else must be shown it."""
    return _AFTER_COMMIT in tx.info


def insert(tx: Connection, table: Table) -> postgresql.Insert:
    """An INSERT that can say ON CONFLICT on either database.

    SQLite's and PostgreSQL's constructs are two classes with the same methods; the common type is claimed here so
    that callers need no branch.
    """
    return _insert(tx.dialect.name, table)


def _insert(dialect: str, table: Table) -> postgresql.Insert:
    if dialect == "sqlite":
        return cast(postgresql.Insert, sqlite.insert(table))
    return postgresql.insert(table)


@contextmanager
def savepoint(tx: Connection) -> Iterator[None]:
    """What happens inside is undone, and its messages are dropped, when it raises; the transaction goes on."""
    messages = tx.info.setdefault(_AFTER_COMMIT, [])
    kept = len(messages)
    tx.exec_driver_sql("SAVEPOINT part")
    try:
        yield
    except BaseException:
        tx.exec_driver_sql("ROLLBACK TO part")
        tx.exec_driver_sql("RELEASE part")
        del messages[kept:]
        raise
    tx.exec_driver_sql("RELEASE part")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is written differently for the two databases."""

    name: str

    def __call__(self, table: Table) -> postgresql.Insert:
        """An INSERT that can say ON CONFLICT."""
        return _insert(self.name, table)

    def within(self, column: ColumnElement[int], parameter: str) -> ColumnElement[bool]:
        """Whether the column is among the ids that are given, as :func:`id_list`, when the statement is executed.

        An ordinary IN is written anew for every number of ids, which costs more than most of the queries with it.
        """
        if self.name == "sqlite":
            given = func.json_each(bindparam(parameter, type_=Text)).table_valued("value")
            return column.in_(select(given.c.value))
        return column == any_(bindparam(parameter, type_=postgresql.ARRAY(BigInteger)))


def id_list(tx: Connection, ids: Iterable[int]) -> object:
    """The value of a parameter of :meth:`Dialect.within`."""
    return orjson.dumps(list(ids)).decode() if tx.dialect.name == "sqlite" else list(ids)


class Prepared(Generic[T]):
    """A statement that is built once per dialect and executed often.

    Building a statement costs several times what executing it does (measured: 80 to 250 against 22 microseconds), so
    those of the hot paths are made at import, with bound parameters, and kept.
    """

    def __init__(self, build: Callable[[Dialect], T]) -> None:
        self._build = build
        self._built: dict[str, T] = {}

    def __call__(self, tx: Connection) -> T:
        """The statement for the transaction's dialect."""
        name = tx.dialect.name
        built = self._built.get(name)
        if built is None:
            built = self._built[name] = self._build(Dialect(name))
        return built


class Database:
    """An open database. Made by :func:`open_database` inside a running event loop."""

    def __init__(self, url: str, on_commit: CommitListener | None = None) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self._on_commit = on_commit or _ignore
        self._loop = asyncio.get_running_loop()
        if self.is_sqlite:
            self._engine = sqlite_engine(url, begin="BEGIN")
            self._readers = ThreadPoolExecutor(_SQLITE_READERS, "db-read")
            self._writer: _GroupWriter | None = _GroupWriter(sqlite_engine(url, begin="BEGIN IMMEDIATE"), self._settle)
        else:
            self._engine = postgres_engine(url)
            self._readers = ThreadPoolExecutor(_POSTGRES_THREADS, "db")
            self._writer = None
        self._local = threading.local()
        self._open: list[Connection] = []
        #: Grows with every write of this process, and of others that tell: what was read while it stood still is
        #: still true of this process.
        self.commits = 0

    async def read(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``fn(tx, …)`` returns, read in one thread hop. On SQLite the reads see one snapshot.

        Raises Unavailable while the database is away.
        """
        work = _bound(fn, args, kwargs)
        return await self._loop.run_in_executor(self._readers, self._read, work)

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``fn(tx, …)`` returned, once its changes are durably committed.

        ``fn`` may run again when the database asks for it (deadlock, lost connection before the commit), so it must
        not touch anything but its transaction. Raises Unavailable while the database is away.
        """
        work = _bound(fn, args, kwargs)
        if self._writer is not None:
            future: asyncio.Future[T] = self._loop.create_future()
            self._writer.submit(_Job(work, future))
            return await future
        try:
            result, messages = await self._loop.run_in_executor(self._readers, self._write, work)
        finally:
            self.commits += 1
        if messages:
            self._on_commit(messages)
        return result

    def changed_elsewhere(self) -> None:
        """Another process wrote: what was read before may be out of date."""
        self.commits += 1

    async def close(self) -> None:
        """Everything submitted is committed, and the connections are closed."""
        if self._writer is not None:
            await self._loop.run_in_executor(None, self._writer.close)
        await self._loop.run_in_executor(None, self._readers.shutdown)
        for connection in self._open:
            connection.close()
        self._engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        for attempt in range(2):
            try:
                connection = self._thread_connection()
                with connection.begin():
                    return work(connection)
            except exc.DBAPIError as error:
                self._drop_thread_connection()
                if attempt or not _is_away(error):
                    raise Unavailable(_BUSY) if _is_away(error) else error from error
        raise AssertionError("unreachable")

    def _thread_connection(self) -> Connection:
        """One connection per thread, kept: checking out of a pool costs as much as a small query."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._engine.connect()
            self._local.connection = connection
            self._open.append(connection)
        return connection

    def _drop_thread_connection(self) -> None:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            self._open.remove(connection)
            connection.invalidate()
            connection.close()

    def _write(self, work: Callable[[Connection], T]) -> tuple[T, list[object]]:
        for attempt in range(_RETRIES):
            committing = False
            try:
                connection = self._thread_connection()
                connection.info[_AFTER_COMMIT] = []
                with connection.begin() as transaction:
                    result = work(connection)
                    committing = True
                    transaction.commit()
                return result, connection.info.pop(_AFTER_COMMIT, [])
            except exc.DBAPIError as error:
                again = _is_conflict(error)
                if _is_away(error):
                    self._drop_thread_connection()
                    again = not committing
                if not again or attempt == _RETRIES - 1:
                    raise Unavailable(_BUSY) if again or _is_away(error) else error from error
        raise AssertionError("unreachable")

    def _settle(self, outcomes: Sequence[_Outcome]) -> None:
        """Called by the writer thread after each group: one wake-up of the loop for all of it."""
        self._loop.call_soon_threadsafe(self._deliver, outcomes)

    def _deliver(self, outcomes: Sequence[_Outcome]) -> None:
        self.commits += 1
        for outcome in outcomes:
            if outcome.messages:
                self._on_commit(outcome.messages)
            if outcome.future.cancelled():
                continue
            if outcome.error is not None:
                outcome.future.set_exception(outcome.error)
            else:
                outcome.future.set_result(outcome.result)


def open_database(url: str, on_commit: CommitListener | None = None) -> Database:
    """The database at a SQLAlchemy URL; ``on_commit`` is called on the event loop with each commit's messages."""
    return Database(url, on_commit)


def sqlite_engine(url: str, *, begin: str) -> Engine:
    """An engine on a SQLite file with durable commits; ``begin`` is how its transactions start.

    A new file is for its owner only: it holds what was written to few. SQLite gives the log beside it the same mode.
    """
    path = url.partition("///")[2]
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if not Path(path).exists():
            Path(path).touch(mode=0o600)
    engine = create_engine(
        url,
        poolclass=NullPool,
        connect_args={"check_same_thread": False, "timeout": 10},
        json_serializer=_dump,
        json_deserializer=_load,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: DBAPIConnection, _record: object) -> None:
        # The driver must not begin transactions on its own: it would begin them deferred, at the first write.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-16384",
            "mmap_size=268435456",
            "journal_size_limit=67108864",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def _begin(connection: DBAPIConnection) -> None:
        connection.cursor().execute(begin)

    # Not by an event: an engine with any listener asks for more of them before and after every statement.
    vars(engine.dialect)["do_begin"] = _begin

    return engine


def postgres_engine(url: str) -> Engine:
    """An engine on PostgreSQL that gives up on a statement after 30 s and on connecting after 5 s."""
    return create_engine(
        url,
        poolclass=NullPool,
        connect_args={"connect_timeout": 5, "options": "-c statement_timeout=30000 -c timezone=UTC"},
        json_serializer=_dump,
        json_deserializer=_load,
    )


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]


@dataclass(slots=True)
class _Outcome:
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    messages: Sequence[object] = ()


class _GroupWriter:
    """SQLite's one writer: a thread that runs queued jobs in groups, one transaction a group."""

    def __init__(self, engine: Engine, settle: Callable[[Sequence[_Outcome]], None]) -> None:
        self._engine = engine
        self._settle = settle
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="db-write", daemon=True)
        self._thread.start()

    def submit(self, job: _Job) -> None:
        """The job runs soon, with others."""
        if self._closing:
            raise Unavailable("The server is stopping. Please try again in a moment.")
        self._jobs.put(job)

    def close(self) -> None:
        """What was submitted is done, and the thread has ended."""
        self._closing = True
        self._jobs.put(None)
        self._thread.join()
        self._engine.dispose()

    def _run(self) -> None:
        connection: Connection | None = None
        while (first := self._jobs.get()) is not None:
            group, last = self._gather(first)
            try:
                connection = connection or self._engine.connect()
                outcomes = self._commit(connection, group)
            except Exception as error:  # the group as a whole failed: full disk, locked or broken file
                if connection is not None:
                    connection.invalidate()
                    connection.close()
                    connection = None
                outcomes = [_Outcome(job.future, error=_as_unavailable(error)) for job in group]
            self._settle(outcomes)
            if last:
                break
        if connection is not None:
            connection.close()

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        group = [first]
        while len(group) < _GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, True
            group.append(job)
        return group, False

    def _commit(self, connection: Connection, group: list[_Job]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        with connection.begin() as transaction:
            alone = len(group) == 1
            for job in group:
                outcomes.append(self._attempt(connection, job, savepoint=not alone))
            if alone and outcomes[0].error is not None:
                transaction.rollback()
            else:
                transaction.commit()
        return outcomes

    def _attempt(self, connection: Connection, job: _Job, *, savepoint: bool) -> _Outcome:
        connection.info[_AFTER_COMMIT] = []
        if savepoint:
            connection.exec_driver_sql("SAVEPOINT job")
        try:
            result = job.work(connection)
        except Exception as error:
            if savepoint:
                # Fails, and so fails the group, when SQLite itself rolled back (full disk): nothing was committed.
                connection.exec_driver_sql("ROLLBACK TO job")
                connection.exec_driver_sql("RELEASE job")
            return _Outcome(job.future, error=_as_unavailable(error))
        if savepoint:
            connection.exec_driver_sql("RELEASE job")
        return _Outcome(job.future, result, messages=connection.info.pop(_AFTER_COMMIT, ()))


def _bound(
    fn: Callable[Concatenate[Connection, P], T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[Connection], T]:
    return lambda tx: fn(tx, *args, **kwargs)


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()


def _load(text: str | bytes | float) -> Any:
    # Most lists of most rows are empty; this alone is a fifth of the cost of reading a page of statuses.
    if text in {"[]", b"[]"}:  # psycopg hands JSON over as bytes
        return []
    # SQLite gives a column that is called JSON the affinity of numbers: what is one comes back as one.
    return text if isinstance(text, int | float) else orjson.loads(text)


def _ignore(_messages: Sequence[object]) -> None:
    return None


def _as_unavailable(error: BaseException) -> BaseException:
    if isinstance(error, exc.DBAPIError) and _is_away(error):
        unavailable = Unavailable(_BUSY)
        unavailable.__cause__ = error
        return unavailable
    return error


def _is_away(error: exc.DBAPIError) -> bool:
    """Whether the database, not the statement, is what failed."""
    if error.connection_invalidated:
        return True
    if isinstance(error, exc.OperationalError):
        text = str(error.orig)
        sqlstate = getattr(error.orig, "sqlstate", None)
        if sqlstate is not None:  # 08 connection, 53 resources, 57 operator intervention
            # 57014 is a statement that took longer than it may: again it would take as long.
            return sqlstate[:2] in {"08", "53", "57"} and sqlstate != "57014"
        return "no such" not in text and "syntax" not in text
    return False


def _is_conflict(error: exc.DBAPIError) -> bool:
    """Whether PostgreSQL asks to run the transaction again: serialization failure or deadlock."""
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01"}
