"""A small world for the way out: a local author, remote followers, and a poster in place of the network."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select, update

from fediverse import clock, ids
from fediverse.actors import directory
from fediverse.clock import Instant
from fediverse.db import Database
from fediverse.events import Hub
from fediverse.outbox import publish
from fediverse.outbox.delivery import Worker
from fediverse.outbox.publish import PUBLIC, Audience
from fediverse.remote import PostResult, Unreachable
from fediverse.signatures import generate_ed25519, generate_rsa
from fediverse.tables.actors import actors, follows
from fediverse.tables.outbox import deliveries, fanouts, hosts
from fediverse.urls import Urls

URLS = Urls("https://here.example", "here.example")
SECRET = b"a secret of the tests, long enough"
# Made once: a key takes 40 ms, and no test depends on which one it is.
KEYS = directory.LocalKeys(generate_rsa(), generate_ed25519())

Answer = Callable[[str, Mapping[str, str]], Any]


@dataclass
class Peers:
    """Stands for every other server: ``answers`` by host, 202 where nothing is said."""

    answers: dict[str, Answer] = field(default_factory=dict)
    received: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    in_flight: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    most_in_flight: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    times: dict[str, float] = field(default_factory=dict)

    @property
    def inboxes(self) -> list[str]:
        """Where something arrived, in order."""
        return [url for url, _, _ in self.received]

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """Answers as ``answers`` says: with a status, a PostResult, or by raising what it gives."""
        host = url.split("/")[2]
        self.in_flight[host] += 1
        self.most_in_flight[host] = max(self.most_in_flight[host], self.in_flight[host])
        self.received.append((url, body, headers))
        try:
            answer = self.answers.get(host)
            found = answer(url, headers) if answer is not None else 202
            if asyncio.iscoroutine(found):
                found = await found
            await asyncio.sleep(0)
            self.times.setdefault(url, time.monotonic())
        finally:
            self.in_flight[host] -= 1
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, PostResult) else PostResult(found, None, None, "")


def down(_url: str, _headers: Mapping[str, str]) -> Exception:
    """The answer of a server that is not there."""
    return Unreachable("It could not be reached.")


def add_author(tx: Connection, username: str = "alice") -> int:
    """A local author; its id."""
    made = directory.create_local(
        tx, username=username, kind="Person", name="", keys=KEYS, secret=SECRET, now=clock.now()
    )
    return int(made.id)


def add_remote(tx: Connection, name: str, host: str, *, shared: bool = False, **columns: Any) -> int:
    """A remote actor; its id."""
    id_ = ids.new_id()
    values: dict[str, Any] = {
        "id": id_,
        "username": name,
        "username_folded": name,
        "host": host,
        "uri": f"https://{host}/users/{name}",
        "inbox": f"https://{host}/users/{name}/inbox",
        "shared_inbox": f"https://{host}/inbox" if shared else None,
        "kind": "Person",
        "fields": [],
        "fields_source": [],
        "also_known_as": [],
        "created_at": 1,
    }
    tx.execute(actors.insert().values(values | columns))
    return id_


def follow(tx: Connection, follower: int, followee: int, *, accepted: bool = True) -> None:
    """The one follows the other."""
    tx.execute(
        follows.insert().values(
            id=ids.new_id(), follower_id=follower, followee_id=followee, accepted=accepted, created_at=1
        )
    )


def send_note(
    tx: Connection,
    author: int,
    *,
    audience: Audience,
    kind: str = "Create",
    name: str = "1",
    to: Sequence[str] = (PUBLIC,),
    private: bool = False,
    now: Instant | None = None,
) -> int:
    """An activity about the note ``name`` is published; its id."""
    note = URLS.status("alice", 1) + name
    return publish.publish(
        tx,
        actor_id=author,
        activity={"id": f"{note}#{kind}", "type": kind, "to": list(to), "cc": [], "object": {"id": note}},
        object_key=note,
        audience=audience,
        private=private,
        now=clock.now() if now is None else now,
    )


def worker(database: Database, peers: Peers, hub: Hub | None = None) -> Worker:
    """A worker that delivers to these peers."""
    return Worker(database, hub or Hub(), peers, urls=URLS, secret=SECRET)


async def rows(database: Database) -> Sequence[Any]:
    """All deliveries, by inbox."""
    return await database.read(lambda tx: tx.execute(select(deliveries).order_by(deliveries.c.inbox)).all())


async def fanouts_left(database: Database) -> Sequence[Any]:
    """All fan-outs."""
    return await database.read(lambda tx: tx.execute(select(fanouts)).all())


async def host_row(database: Database, host: str) -> Any:
    """What is known of a host."""
    return await database.read(lambda tx: tx.execute(select(hosts).where(hosts.c.host == host)).one_or_none())


async def make_due(database: Database) -> None:
    """Time has passed: every delivery is due, and circuits that are open let a probe through."""

    def change(tx: Connection) -> None:
        now = clock.now()
        tx.execute(update(deliveries).where(~deliveries.c.dead).values(due_at=now, leased_until=None))
        tx.execute(update(hosts).where(hosts.c.open_until.is_not(None)).values(open_until=now))

    await database.write(change)
