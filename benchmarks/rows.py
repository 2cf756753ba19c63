"""Rows written straight into the database, where making them by the front door would take hours.

They are copies of rows that the server itself made, so that they are just as real ones are. The work is done by the
server's own tables; nothing here is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, text, update
from sqlalchemy.engine import make_url

from benchmarks.identity import Peer
from fediverse import clock, ids
from fediverse.access.secret import fingerprint
from fediverse.db import postgres_engine, sqlite_engine
from fediverse.tables.access import oauth_tokens
from fediverse.tables.actors import actors, follows, memberships, people
from fediverse.tables.inbox import received
from fediverse.tables.statuses import mentions, statuses
from fediverse.tables.timelines import home_entries, notifications

_CHUNK = 2000
# What comes with a post from elsewhere.
_BESIDE = (home_entries, mentions, notifications, received)


@contextmanager
def _opened(database: str) -> Iterator[Engine]:
    """An engine; afterwards the database is as if the rows had come slowly, one by one.

    SQLite's log is in the database, not left for the server to carry there; PostgreSQL has its statistics.
    """
    sqlite = database.startswith("sqlite")
    url = make_url(database)
    engine = (
        sqlite_engine(database, begin="BEGIN IMMEDIATE")
        if sqlite
        else postgres_engine(url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False))
    )
    try:
        yield engine
        connection = engine.raw_connection()
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)" if sqlite else "ANALYZE")
        connection.commit()
        connection.close()
    finally:
        engine.dispose()


def give_followers(database: str, name: str, template: Peer, peers: Sequence[Peer]) -> None:
    """The local account has exactly these followers: copies of ``template``, an actor that the server has met."""
    with _opened(database) as engine, engine.begin() as tx:
        account = _local(tx, name)
        tx.execute(delete(follows).where(follows.c.followee_id == account))
        model = tx.execute(select(actors).where(actors.c.uri == template.uri)).mappings().one()
        known = set(tx.scalars(select(actors.c.uri).where(actors.c.host != "")))
        _insert(tx, actors, (_like(model, peer) for peer in peers if peer.uri not in known))
        found = {row.uri: row.id for row in tx.execute(select(actors.c.id, actors.c.uri).where(actors.c.host != ""))}
        _insert(
            tx,
            follows,
            (
                {**_follow(found[peer.uri], account), "uri": f"{peer.uri}#follow", "follower_is_local": False}
                for peer in peers
            ),
        )
        tx.execute(update(actors).where(actors.c.id == account).values(followers_count=len(peers)))


def follow(database: str, name: str, peers: Iterable[Peer]) -> None:
    """The local account follows these peers, whom the server has met, and was accepted."""
    with _opened(database) as engine, engine.begin() as tx:
        account = _local(tx, name)
        wanted = list(tx.scalars(select(actors.c.id).where(actors.c.uri.in_([peer.uri for peer in peers]))))
        _insert(tx, follows, ({**_follow(account, actor), "follower_is_local": True} for actor in wanted))
        tx.execute(update(actors).where(actors.c.id == account).values(following_count=len(wanted)))


def give_readers(database: str, name: str, count: int) -> list[str]:
    """So many more people are here and follow the local account: their tokens."""
    now, secrets = clock.now(), [f"reader-{number:08}-of-a-benchmark" for number in range(count)]
    numbers = [ids.new_id() for _ in range(count)]
    with _opened(database) as engine, engine.begin() as tx:
        account = _local(tx, name)
        model = dict(tx.execute(select(actors).where(actors.c.id == account)).mappings().one())
        person = dict(tx.execute(select(people).limit(1)).mappings().one())
        token = dict(tx.execute(select(oauth_tokens).limit(1)).mappings().one())
        names = [f"reader{number}" for number in range(count)]
        _insert(
            tx,
            actors,
            ({**model, "id": i, "username": n, "username_folded": n} for i, n in zip(numbers, names, strict=True)),
        )
        mails = [(i, f"{n}@example.org") for i, n in zip(numbers, names, strict=True)]
        _insert(tx, people, ({**person, "id": i, "email": mail, "email_folded": mail} for i, mail in mails))
        same = {"role": "owner", "created_at": now}
        _insert(tx, memberships, ({"person_id": i, "actor_id": i, **same} for i in numbers))
        _insert(
            tx,
            oauth_tokens,
            (
                {**token, "id": i, "person_id": i, "actor_id": i, "token_hash": fingerprint(secret), "used_at": now}
                for i, secret in zip(numbers, secrets, strict=True)
            ),
        )
        _insert(tx, follows, ({**_follow(i, account), "follower_is_local": True} for i in numbers))
        tx.execute(update(actors).where(actors.c.id == account).values(followers_count=count))
    return secrets


def stored_notes(database: str) -> int:
    """How many posts are stored."""
    with _opened(database) as engine, engine.begin() as tx:
        return tx.scalar(select(func.count()).select_from(statuses)) or 0


def multiply_notes(database: str, total: int) -> None:
    """At least ``total`` posts are stored: older copies of those from elsewhere, with all that came with them.

    Boosts of posts from here are left out: nobody can boost a thing twice.
    """
    with _opened(database) as engine:
        with engine.begin() as tx:
            remote = tx.execute(select(statuses).where(~statuses.c.local)).mappings().all()
            ours = {note["id"] for note in remote}
            notes = [note for note in remote if note["boost_of_id"] is None or note["boost_of_id"] in ours]
            beside = {table: tx.execute(select(table)).mappings().all() for table in _BESIDE}
            stored = tx.scalar(select(func.count()).select_from(statuses)) or 0
        copied = {note["id"] for note in notes}
        span = max(copied) - min(copied) + 1
        for copy in range(1, -(-(total - stored) // len(notes)) + 1):
            with engine.begin() as tx:
                _copy_notes(tx, notes, beside, _Older(copied, back=copy * span), mark=f"-copy{copy}")


def multiply_posts(database: str, total: int) -> None:
    """At least ``total`` posts are stored, and found by their words: older copies of those that were written here."""
    shifted = {"id": "id - :back", "conversation_id": "conversation_id - :back", "created_at": "created_at - :age"}
    names = ", ".join(column.name for column in statuses.c)
    values = ", ".join(shifted.get(column.name, column.name) for column in statuses.c)
    with _opened(database) as engine:
        key = "rowid" if engine.dialect.name == "sqlite" else "status_id"
        with engine.begin() as tx:
            first, last, stored = tx.execute(
                select(func.min(statuses.c.id), func.max(statuses.c.id), func.count()).where(statuses.c.local)
            ).one()
        for copy in range(1, -(-total // stored)):
            back = copy * (last - first + 1)
            with engine.begin() as tx:
                given = {"back": back, "age": back >> ids.LOW_BITS, "first": first}
                tx.execute(
                    text(f"INSERT INTO statuses ({names}) SELECT {values} FROM statuses WHERE id >= :first"),
                    given,
                )
                tx.execute(
                    text(
                        f"INSERT INTO status_words ({key}, words) "
                        f"SELECT {key} - :back, words FROM status_words WHERE {key} >= :first"
                    ),
                    given,
                )


class _Older:
    """Ids of copies. Ids are times: one that is less by ``back`` is that much older. Others stay as they are."""

    def __init__(self, copied: set[int], *, back: int) -> None:
        self.copied = copied
        self.back = back

    def __call__(self, id_: int | None) -> int | None:
        return id_ - self.back if id_ in self.copied and id_ is not None else id_


def _copy_notes(
    tx: Connection,
    notes: Sequence[Mapping[Any, Any]],
    beside: Mapping[Table, Sequence[Mapping[Any, Any]]],
    older: _Older,
    *,
    mark: str,
) -> None:
    """One older copy of every post."""
    age = older.back >> ids.LOW_BITS
    named = ("id", "conversation_id", "in_reply_to_id", "boost_of_id")
    _insert(
        tx,
        statuses,
        (
            {
                **note,
                **{name: older(note[name]) for name in named},
                "uri": note["uri"] + mark,
                "created_at": note["created_at"] - age,
            }
            for note in notes
        ),
    )
    for table, names in {home_entries: ("status_id", "subject_id"), mentions: ("status_id",)}.items():
        rows = (row for row in beside[table] if row["status_id"] in older.copied)
        _insert(tx, table, ({**row, **{name: older(row[name]) for name in names}} for row in rows))
    about = (row for row in beside[notifications] if row["status_id"] in older.copied)
    told = ({**row, "id": row["id"] - older.back, "status_id": older(row["status_id"])} for row in about)
    _insert(tx, notifications, told)
    taken = (
        {**row, "id": row["id"] - older.back, "activity_key": row["activity_key"] + mark} for row in beside[received]
    )
    _insert(tx, received, taken)


def _local(tx: Connection, name: str) -> int:
    return int(tx.execute(select(actors.c.id).where(actors.c.username == name, actors.c.host == "")).scalar_one())


def _follow(follower: int, followee: int) -> dict[str, Any]:
    return {
        "id": ids.new_id(),
        "follower_id": follower,
        "followee_id": followee,
        "accepted": True,
        "created_at": clock.now(),
    }


def _like(model: Mapping[Any, Any], peer: Peer) -> dict[str, Any]:
    return {
        **model,
        "id": ids.new_id(),
        "username": peer.name,
        "username_folded": peer.name,
        "host": peer.host,
        "uri": peer.uri,
        "url": f"{peer.base}/@{peer.name}",
        "inbox": f"{peer.uri}/inbox",
        "shared_inbox": peer.shared_inbox,
        "outbox": f"{peer.uri}/outbox",
        "followers_uri": f"{peer.uri}/followers",
        "following_uri": f"{peer.uri}/following",
    }


def _insert(tx: Connection, table: Table, rows: Iterable[Mapping[Any, Any]]) -> None:
    waiting = [dict(row) for row in rows]
    for start in range(0, len(waiting), _CHUNK):
        tx.execute(insert(table), waiting[start : start + _CHUNK])
