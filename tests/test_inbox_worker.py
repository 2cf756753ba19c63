"""The inbox's machinery: the registry, what is stored, order, failures, crashes."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import Connection, exc, select, update

from fediverse import clock, keys
from fediverse.clock import DAY, HOUR, SECOND
from fediverse.db import Database, after_commit, savepoint
from fediverse.inbox import registry, store, worker
from fediverse.inbox.activity import Activity, Outcome
from fediverse.inbox.prepare import prepare
from fediverse.inbox.store import Incoming
from fediverse.tables.inbox import received
from fediverse.workers import WORKERS
from tests.peers.scripted import PUBLIC, Actor, Server
from tests.support import world
from tests.support.instance import Account, Instance
from tests.test_inbox_conversation import deliver, followed

NOW = clock.now()


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def bob(peer: Server) -> Actor:
    return peer.actor("bob")


def _rows(tx: Connection) -> list[Any]:
    return list(tx.execute(select(received).order_by(received.c.id)))


# The registry


@pytest.mark.parametrize("types", [("Folow",), ("Create", "Noet"), ("Follow",), ("Undo", "Follow")])
def test_a_handler_that_is_unknown_or_there_already_is_an_error_at_import(types: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=types[0]):
        registry.handles(*types)


def test_the_handler_of_the_object_type_goes_before_the_one_for_any() -> None:
    exact, other = registry.find("Create", "Note"), registry.find("Create", "")
    assert exact is not None
    assert other is not None
    assert exact.handle is not other.handle
    assert registry.find("Delete", "Whatever") is registry.find("Delete", "*")
    assert registry.find("Create", "ChatMessage") is None
    assert registry.find("View", "Video") is None


# The table


def test_an_activity_is_known_by_its_id_only_when_that_is_of_the_signers_origin() -> None:
    signer, body = "https://a.test/users/bob", b"{}"
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert store.activity_key("https://a.test/1", signer, body) == "https://a.test/1"
    assert store.activity_key("https://a.test/users/bob#1", signer, body) == "https://a.test/users/bob#1"
    for foreign in ("https://b.test/1", "http://a.test/1", "https://a.test:444/1", "urn:uuid:1", None):
        assert store.activity_key(foreign, signer, body) == digest


async def test_what_comes_twice_is_stored_once_unless_it_may_be_meant_again(database: Database) -> None:
    def work(tx: Connection) -> None:
        signer = world.remote(tx, "bob").id
        create = Incoming(signer, "https://there.example/1", "Create", b"1")
        follow = Incoming(signer, "https://there.example/2", "Follow", b"2")
        store.add(tx, [create, follow, create, follow], now=NOW)
        assert len(_rows(tx)) == 2
        claimed = store.claim(tx, now=NOW, limit=10, busy=())
        store.settle(tx, [row.id for row in claimed], outcome="applied")
        store.add(tx, [create, follow], now=NOW + SECOND)
        assert [(row.type, row.outcome, row.body) for row in _rows(tx)] == [
            ("Create", "applied", None),
            ("Follow", None, b"2"),
        ]

    await database.write(work)


async def test_the_activities_of_the_busy_are_left_alone_and_the_oldest_come_first(database: Database) -> None:
    def work(tx: Connection) -> None:
        bob, carol = world.remote(tx, "bob").id, world.remote(tx, "carol").id
        for number, signer in enumerate((bob, carol, bob, carol)):
            store.add(tx, [Incoming(signer, str(number), "Like", b"x")], now=NOW + number)
        later = NOW + SECOND
        first = store.claim(tx, now=later, limit=1, busy=[bob])
        assert [row.activity_key for row in first] == ["1"]
        # Another process must not overtake: carol's next one waits for what is held of hers.
        assert [row.activity_key for row in store.claim(tx, now=later, limit=9, busy=())] == ["0", "2"]
        assert store.claim(tx, now=later, limit=9, busy=()) == []
        store.postpone(tx, first[0], error="later", now=later)
        assert [row.activity_key for row in store.claim(tx, now=later, limit=9, busy=())] == ["3"]
        # A lease that ran out is given to somebody else.
        assert len(store.claim(tx, now=later + 31 * SECOND, limit=9, busy=())) == 4

    await database.write(work)


async def test_old_rows_are_purged_and_pending_ones_never(database: Database) -> None:
    def work(tx: Connection) -> None:
        signer = world.remote(tx, "bob").id
        store.add(tx, [Incoming(signer, str(number), "Like", b"x") for number in range(3)], now=NOW - 31 * DAY)
        rows = _rows(tx)
        store.settle(tx, [rows[0].id, rows[1].id], outcome="applied")
        tx.execute(update(received).where(received.c.id == rows[1].id).values(received_at=NOW - 29 * DAY))
        assert store.purge(tx, now=NOW) == 1
        assert [row.id for row in _rows(tx)] == [rows[1].id, rows[2].id]
        assert store.depth(tx) == (1, NOW - 31 * DAY)

    await database.write(work)


async def test_what_fails_here_is_tried_again_and_at_last_given_up(database: Database) -> None:
    def work(tx: Connection) -> None:
        signer = world.remote(tx, "bob").id
        store.add(tx, [Incoming(signer, "1", "Like", b"x")], now=NOW)
        now, tries = NOW, 0
        while claimed := store.claim(tx, now=now, limit=1, busy=()):
            tries += 1
            store.postpone(tx, claimed[0], error="broken", now=now)
            now += 2 * HOUR
        (row,) = _rows(tx)
        assert (tries, row.outcome, row.last_error, row.body) == (13, "failed", "broken", None)

    await database.write(work)


# The worker


async def test_an_activity_that_breaks_a_handler_hurts_no_other(
    instance: Instance, alice: Account, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = registry.find

    def broken(tx: Connection, activity: Activity) -> Outcome:
        tx.execute(update(received).values(type="a change that must be undone"))
        raise RuntimeError("a mistake of ours")

    def find(kind: str, object_type: str) -> registry.Handler | None:
        return registry.Handler(broken, frozenset()) if kind == "Like" else real(kind, object_type)

    monkeypatch.setattr(registry, "find", find)
    await deliver(
        instance,
        bob,
        bob.activity("Create", bob.mention(alice.uri, "before")),
        bob.activity("Like", "https://a.test/1"),
        bob.activity("Create", bob.mention(alice.uri, "after")),
    )
    assert len(await instance.notifications(alice)) == 2
    rows = await instance.database.read(_rows)
    assert [row.outcome for row in rows] == ["applied", None, "applied"]
    assert [row.type for row in rows] == ["Create", "Like", "Create"]
    assert "a mistake of ours" in rows[1].last_error
    assert rows[1].due_at > clock.now()


async def test_an_activity_that_breaks_the_reader_hurts_no_other(
    instance: Instance, alice: Account, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = registry.find

    def find(kind: str, object_type: str) -> registry.Handler | None:
        if kind == "Like":
            raise RuntimeError("a mistake of ours")
        return real(kind, object_type)

    monkeypatch.setattr(registry, "find", find)
    await deliver(
        instance,
        bob,
        bob.activity("Create", bob.mention(alice.uri, "before")),
        bob.activity("Like", "https://a.test/1"),
        bob.activity("Create", bob.mention(alice.uri, "after")),
    )
    assert len(await instance.notifications(alice)) == 2
    rows = await instance.database.read(_rows)
    assert [row.outcome for row in rows] == ["applied", None, "applied"]
    assert rows[1].leased_until is None
    assert rows[1].due_at > clock.now()


async def test_an_activity_at_which_the_database_gives_up_hurts_no_other(
    instance: Instance, alice: Account, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = registry.find

    def refused(tx: Connection, activity: Activity) -> Outcome:
        raise exc.OperationalError("DELETE …", {}, Exception("no such luck"))

    def find(kind: str, object_type: str) -> registry.Handler | None:
        return registry.Handler(refused, frozenset()) if kind == "Like" else real(kind, object_type)

    monkeypatch.setattr(registry, "find", find)
    await deliver(
        instance,
        bob,
        bob.activity("Create", bob.mention(alice.uri, "before")),
        bob.activity("Like", "https://a.test/1"),
        bob.activity("Create", bob.mention(alice.uri, "after")),
    )
    assert len(await instance.notifications(alice)) == 2
    rows = await instance.database.read(_rows)
    assert [row.outcome for row in rows] == ["applied", None, "applied"]
    assert rows[1].due_at > clock.now()


async def test_who_lost_the_lease_does_not_apply_again_what_another_process_applied(
    instance: Instance, alice: Account, bob: Actor
) -> None:
    if instance.database.is_sqlite:
        pytest.skip("on SQLite one process does everything")
    mine = await instance.post(alice, "like, unlike")
    like = bob.activity("Like", mine["uri"])
    assert await bob.server.send(bob, f"{instance.url}/inbox", like) == 202
    rows = await instance.database.write(store.claim, now=clock.now(), limit=10, busy=())
    held = await instance.database.read(prepare, instance.app[keys.URLS], rows, now=clock.now())

    def lapse(tx: Connection) -> None:
        tx.execute(update(received).values(leased_until=clock.now() - 1))

    await instance.database.write(lapse)
    await instance.tick()
    await deliver(instance, bob, bob.activity("Undo", {**like, "object": mine["uri"]}))
    assert await instance.database.write(worker.apply, held, now=clock.now()) == []
    status = await instance.call("GET", f"/api/v1/statuses/{mine['id']}", by=alice)
    assert status["favourites_count"] == 0


async def test_events_of_an_undone_activity_are_dropped(database: Database) -> None:
    seen: list[object] = []
    database._on_commit = seen.extend  # what the hub gets

    def fail(tx: Connection) -> None:
        with savepoint(tx):
            after_commit(tx, "dropped")
            raise RuntimeError

    def work(tx: Connection) -> None:
        after_commit(tx, "kept")
        with pytest.raises(RuntimeError):
            fail(tx)
        with savepoint(tx):
            after_commit(tx, "kept too")

    await database.write(work)
    assert seen == ["kept", "kept too"]


async def test_the_order_of_one_signer_is_kept_across_batches(
    instance: Instance, alice: Account, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BATCH", 2)
    mine = await instance.post(alice, "like, unlike, like, unlike …")
    for number in range(7):
        like = bob.activity("Like", mine["uri"])
        activity = like if number % 2 == 0 else bob.activity("Undo", {**like, "object": mine["uri"]})
        assert await bob.server.send(bob, f"{instance.url}/inbox", activity) == 202
    await instance.tick()
    status = await instance.call("GET", f"/api/v1/statuses/{mine['id']}", by=alice)
    assert status["favourites_count"] == 1


async def test_a_boost_whose_origin_is_down_is_fetched_later(
    instance: Instance, alice: Account, bob: Actor, other_peer: Server
) -> None:
    await followed(instance, alice, bob)
    original = other_peer.serve(other_peer.actor("carol").note("worth waiting for"))
    path = original["id"].removeprefix(other_peer.url)
    other_peer.scripts[path] = lambda _request: web.Response(status=503)
    await deliver(instance, bob, bob.activity("Announce", original["id"], to=[PUBLIC]))
    assert await instance.home(alice) == []
    del other_peer.scripts[path]

    def due_now(tx: Connection) -> None:
        tx.execute(update(received).where(received.c.outcome.is_(None)).values(due_at=0))

    await instance.database.write(due_now)
    await instance.tick()
    assert (await instance.home(alice))[0]["reblog"]["content"] == "<p>worth waiting for</p>"


async def test_what_was_answered_is_applied_by_whoever_starts_next(
    instance: Instance, alice: Account, bob: Actor
) -> None:
    """A process that died after its claim leaves a lease behind, which a start on SQLite drops."""
    url = f"{instance.url}/inbox"
    assert await bob.server.send(bob, url, bob.activity("Create", bob.mention(alice.uri))) == 202
    assert len(await instance.database.write(store.claim, now=clock.now(), limit=10, busy=())) == 1
    await instance.tick()
    assert await instance.notifications(alice) == []

    async def run_for_a_moment() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(instance.app[WORKERS]._inbox.run(stop))
        async with asyncio.timeout(60):
            while not await instance.notifications(alice):
                await asyncio.sleep(0.02)
        stop.set()
        await running

    if not instance.database.is_sqlite:

        def lapse(tx: Connection) -> None:
            tx.execute(update(received).values(leased_until=clock.now() - 1))

        await instance.database.write(lapse)
    await run_for_a_moment()
    assert len(await instance.notifications(alice)) == 1


async def test_a_worker_that_stops_gives_back_what_waits_for_a_slow_server(
    instance: Instance, alice: Account, bob: Actor, peer: Server
) -> None:
    await followed(instance, alice, bob)
    asked = asyncio.Event()

    async def tarpit(_request: web.Request) -> web.Response:
        asked.set()
        await asyncio.sleep(30)
        return web.Response(status=404)

    peer.scripts["/slow"] = tarpit
    activity = bob.activity("Announce", f"{peer.url}/slow", to=[PUBLIC])
    assert await peer.send(bob, f"{instance.url}/inbox", activity) == 202
    stop = asyncio.Event()
    running = asyncio.create_task(instance.app[WORKERS]._inbox.run(stop))
    async with asyncio.timeout(10):
        await asked.wait()
    stop.set()
    instance.app[keys.HUB].waker("received").set()
    async with asyncio.timeout(10):
        await running
    row = (await instance.database.read(_rows))[-1]
    assert (row.outcome, row.leased_until, row.attempts) == (None, None, 0)


async def test_many_at_once_are_stored_in_few_commits_and_applied_once(
    instance: Instance, alice: Account, bob: Actor
) -> None:
    url = f"{instance.url}/inbox"
    activities = [bob.activity("Create", bob.mention(alice.uri, str(number))) for number in range(60)]
    answers = await asyncio.gather(*(bob.server.send(bob, url, activity) for activity in activities * 2))
    assert set(answers) == {202}
    await instance.tick()
    told = await instance.notifications(alice, limit="80")
    contents = [n["status"]["content"] for n in told]
    assert len(contents) == len(set(contents)) == 60
