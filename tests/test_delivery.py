"""From delivery rows to requests: what is signed and sent, in which order, how fast to whom, and what follows."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, select, update

from fediverse import clock, moderation, queue
from fediverse.clock import DAY, HOUR, MINUTE
from fediverse.db import Database
from fediverse.errors import Unavailable
from fediverse.events import Hub
from fediverse.outbox import deliveries, hosts, lanes
from fediverse.outbox.deliveries import Claimed, NewDelivery
from fediverse.outbox.delivery import Worker, purge
from fediverse.outbox.publish import Audience
from fediverse.outbox.sending import Job
from fediverse.remote import PostResult, Refused
from fediverse.signatures import SigningKey, load_private, load_public, parse, verify
from fediverse.tables.actors import actors
from fediverse.tables.instance import jobs
from fediverse.tables.outbox import activities
from fediverse.tables.outbox import deliveries as table
from tests.support.outbox import (
    KEYS,
    URLS,
    Peers,
    add_author,
    add_remote,
    down,
    follow,
    host_row,
    make_due,
    rows,
    send_note,
    worker,
)

FOLLOWERS = Audience(followers=True)


async def world(database: Database, *names: str, count: int = 1, shared: bool = False) -> int:
    """An author with ``count`` followers on each of the hosts."""

    def make(tx: Connection) -> int:
        author = add_author(tx)
        for host in names:
            for n in range(count):
                follow(tx, add_remote(tx, f"f{n}", host, shared=shared), author)
        return author

    return await database.write(make)


async def post(database: Database, author: int, kind: str = "Create", name: str = "1", **options: Any) -> int:
    options.setdefault("audience", FOLLOWERS)
    return await database.write(lambda tx: send_note(tx, author, kind=kind, name=name, **options))


def is_new(headers: Any) -> bool:
    return "Signature-Input" in headers


async def test_delivered_signed_and_forgotten(database: Database) -> None:
    author = await world(database, "a.example")
    await post(database, author)
    peers = Peers()
    assert await worker(database, peers).tick() > 0
    [(url, body, headers)] = peers.received
    assert url == "https://a.example/users/f0/inbox"
    assert orjson.loads(body)["type"] == "Create"
    assert headers["Content-Type"] == "application/activity+json"
    assert headers["Digest"].startswith("SHA-256=")
    assert 'algorithm="rsa-sha256"' in headers["Signature"]
    signed = parse("POST", "/users/f0/inbox", list(headers.items()))
    verify(signed, load_public(KEYS.rsa[1]), body=body, now=time.time(), hosts=["a.example"])
    assert signed.key_id == URLS.key("alice")
    assert not await rows(database)
    assert (await host_row(database, "a.example")).dialect == "cavage"


async def test_each_inbox_gets_it_once(database: Database) -> None:
    names = [f"h{n}.example" for n in range(30)]
    author = await world(database, *names, count=20)
    await post(database, author)
    peers = Peers()
    await worker(database, peers).tick()
    assert len(peers.inboxes) == len(set(peers.inboxes)) == 600
    assert not await rows(database)
    assert max(peers.most_in_flight.values()) == lanes.LANES_PER_HOST


async def test_what_fails_is_due_later_and_signed_anew(database: Database) -> None:
    author = await world(database, "a.example")
    await post(database, author)
    peers = Peers({"a.example": lambda _u, _h: 503})
    sender = worker(database, peers)
    before = clock.now()
    await sender.tick()
    [row] = await rows(database)
    assert (row.attempts, row.dead, row.leased_until) == (1, False, None)
    assert 15_000 <= row.due_at - before < 24_000
    assert "503" in row.last_error
    peers.answers.clear()
    await sender.tick()
    assert len(peers.received) == 1  # not due yet
    await make_due(database)
    await sender.tick()
    assert not await rows(database)


async def test_what_is_final_stays_for_an_admin_and_can_be_replayed(database: Database) -> None:
    author = await world(database, "a.example")
    await post(database, author)
    peers = Peers({"a.example": lambda _u, _h: PostResult(404, None, None, "nobody here")})
    sender = worker(database, peers)
    await sender.tick()
    [row] = await rows(database)
    assert row.dead
    assert "nobody here" in row.last_error
    peers.answers.clear()
    assert await sender.tick() == 0
    await database.write(deliveries.replay, "a.example", now=clock.now())
    await sender.tick()
    assert not await rows(database)


async def test_retry_after(database: Database) -> None:
    author = await world(database, "a.example")
    await post(database, author)
    await worker(database, Peers({"a.example": lambda _u, _h: PostResult(429, 120.0, None, "")})).tick()
    [row] = await rows(database)
    assert 115_000 < row.due_at - clock.now() <= 120_000


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_the_second_knock_is_remembered(database: Database, status: int) -> None:
    author = await world(database, "new.example")
    peers = Peers({"new.example": lambda _u, headers: 202 if is_new(headers) else status})
    sender = worker(database, peers)
    await post(database, author)
    await sender.tick()
    assert [is_new(headers) for _, _, headers in peers.received] == [False, True]
    assert (await host_row(database, "new.example")).dialect == "rfc9421"
    await post(database, author, name="2")
    await worker(database, peers).tick()  # another process knows it too
    assert [is_new(headers) for _, _, headers in peers.received] == [False, True, True]
    assert not await rows(database)


async def test_no_second_knock_where_the_first_form_is_known_to_do(database: Database) -> None:
    author = await world(database, "old.example")
    peers = Peers()
    sender = worker(database, peers)
    await post(database, author)
    await sender.tick()
    peers.answers["old.example"] = lambda _u, _h: 400
    await post(database, author, name="2")
    await sender.tick()
    assert len(peers.received) == 2
    assert (await rows(database))[0].dead


async def test_a_host_that_asks_for_the_new_form_gets_it(database: Database) -> None:
    author = await world(database, "turn.example")
    peers = Peers()
    sender = worker(database, peers)
    await post(database, author)
    await sender.tick()
    asks = PostResult(401, None, 'sig1=("@method" "@target-uri" "content-digest")', "")
    peers.answers["turn.example"] = lambda _u, headers: 202 if is_new(headers) else asks
    await post(database, author, name="2")
    await sender.tick()
    assert not await rows(database)
    assert (await host_row(database, "turn.example")).dialect == "rfc9421"


async def test_refusals_are_tried_late_twice(database: Database) -> None:
    author = await world(database, "no.example")
    await post(database, author)
    peers = Peers({"no.example": lambda _u, _h: 401})
    sender = worker(database, peers)
    waits = []
    for _ in range(3):
        await sender.tick()
        [row] = await rows(database)
        waits.append(row.due_at - clock.now())
        dead = row.dead
        await make_due(database)
    assert dead
    assert waits[0] > 0.9 * HOUR
    assert waits[1] > 11 * HOUR
    assert (await host_row(database, "no.example")).failures == 0


async def test_an_address_that_may_not_be_called_is_final(database: Database) -> None:
    author = await world(database, "in.example")
    await post(database, author)
    await worker(database, Peers({"in.example": lambda _u, _h: Refused("It is private.")})).tick()
    assert (await rows(database))[0].dead
    assert await host_row(database, "in.example") is None


async def test_what_has_expired_is_not_sent(database: Database) -> None:
    author = await world(database, "a.example")
    await post(database, author, now=clock.now() - 3 * DAY - 1)
    peers = Peers()
    await worker(database, peers).tick()
    assert not peers.received
    assert (await rows(database))[0].dead


@pytest.mark.attack("DOS-17")
async def test_five_failures_open_the_circuit_and_what_is_held_does_not_burn_its_tries(database: Database) -> None:
    author = await world(database, "down.example", count=40)
    await post(database, author)
    peers = Peers({"down.example": down})
    sender = worker(database, peers)
    await sender.tick()
    tried = len(peers.received)
    assert tried < 10
    left = await rows(database)
    assert sorted(row.attempts for row in left) == [0] * (40 - tried) + [1] * tried
    assert all(row.leased_until is None for row in left)
    state = await host_row(database, "down.example")
    assert state.opened == 1
    assert 0 < state.open_until - clock.now() <= 15_000
    assert await sender.tick() == 0  # open: nothing is claimed, though much is due
    await make_due(database)
    await sender.tick()
    assert len(peers.received) == tried + 1  # half-open: one probe
    assert (await host_row(database, "down.example")).opened == 2


async def test_a_host_that_is_back_gets_everything(database: Database) -> None:
    author = await world(database, "down.example", count=40)
    await post(database, author)
    peers = Peers({"down.example": down})
    sender = worker(database, peers)
    await sender.tick()
    peers.answers.clear()
    peers.received.clear()
    await database.write(hosts.heard_from, "down.example", now=clock.now())
    await sender.tick()
    assert len(set(peers.inboxes)) == len(peers.inboxes) == 40
    assert not await rows(database)
    state = await host_row(database, "down.example")
    assert (state.opened, state.open_until, state.failures) == (0, None, 0)


async def test_a_sign_of_life_leads_to_a_probe_and_not_to_a_reset(database: Database) -> None:
    author = await world(database, "down.example", count=9)
    await post(database, author)
    peers = Peers({"down.example": down})
    sender = worker(database, peers)
    await sender.tick()
    tried = len(peers.received)
    await database.write(hosts.heard_from, "down.example", now=clock.now())
    await sender.tick()
    assert len(peers.received) == tried + 1
    assert (await host_row(database, "down.example")).opened == 2


async def test_only_an_answer_of_410_has_the_inbox_checked(database: Database) -> None:
    author = await world(database, "gone.example", "missing.example")
    await post(database, author)
    await worker(database, Peers({"gone.example": lambda _u, _h: 410, "missing.example": lambda _u, _h: 404})).tick()
    assert all(row.dead for row in await rows(database))
    found = await database.read(
        lambda tx: tx.execute(select(jobs.c.kind, actors.c.host).join(actors, actors.c.host == "gone.example")).all()
    )
    assert [tuple(row) for row in found] == [("actors.refresh", "gone.example")]


async def test_activities_about_one_thing_arrive_in_order(database: Database) -> None:
    author = await world(database, "a.example", "b.example", shared=True)
    for kind in ("Create", "Update", "Delete"):
        await post(database, author, kind)
    await post(database, author, "Create", "2")
    peers = Peers({"a.example": lambda _u, _h: 500})
    sender = worker(database, peers)
    await sender.tick()

    def kinds(host: str) -> list[tuple[str, str]]:
        return [
            (orjson.loads(body)["type"], orjson.loads(body)["object"]["id"][-1])
            for url, body, _ in peers.received
            if host in url
        ]

    assert sorted(kinds("a.example")) == [("Create", "1"), ("Create", "2")]
    assert [kind for kind, note in kinds("b.example") if note == "1"] == ["Create", "Update", "Delete"]
    peers.answers.clear()
    peers.received.clear()
    await make_due(database)
    await sender.tick()
    assert [kind for kind, note in kinds("a.example") if note == "1"] == ["Create", "Update", "Delete"]
    assert not await rows(database)


async def test_a_dead_delivery_holds_up_nothing(database: Database) -> None:
    author = await world(database, "a.example", shared=True)
    peers = Peers({"a.example": lambda _u, _h: 404})
    sender = worker(database, peers)
    await post(database, author)
    await sender.tick()
    peers.answers.clear()
    await post(database, author, "Update")
    await sender.tick()
    assert [row.dead for row in await rows(database)] == [True]


@pytest.mark.attack("DOS-17")
async def test_a_tarpit_delays_nobody(database: Database) -> None:
    """A thousand deliveries to hosts that never answer; the others are through before any of those has timed out."""
    tarpits = [f"tar{n:03d}.example" for n in range(100)]
    author = await world(database, "tarpit.example", count=500)

    def more(tx: Connection) -> None:
        for host in tarpits:
            for n in range(5):
                follow(tx, add_remote(tx, f"t{n}", host), author)
        for n in range(40):
            follow(tx, add_remote(tx, "good", f"good{n}.example"), author)

    await database.write(more)
    release = asyncio.Event()

    async def never() -> Exception:
        await release.wait()
        return down("", {})

    peers = Peers(dict.fromkeys(["tarpit.example", *tarpits], lambda _u, _h: never()))
    peers.answers |= {f"good{n}.example": lambda _u, _h: 202 for n in range(40)}
    proven = [f"good{n}.example" for n in range(20)]
    await database.write(hosts.record, [hosts.Report(name, True, "cavage") for name in proven], now=clock.now())
    hub, stop = Hub(), asyncio.Event()
    running = asyncio.create_task(worker(database, peers, hub).run(stop))
    await post(database, author)
    hub.waker("fanouts").set()
    async with asyncio.timeout(20):
        # Those that answered before have lanes of their own, whatever the tarpits do.
        while sum(f"https://{name}/users/good/inbox" in peers.times for name in proven) < len(proven):
            await asyncio.sleep(0.02)
    assert peers.most_in_flight["tarpit.example"] <= lanes.LANES_PER_HOST
    assert sum(peers.in_flight[name] for name in ["tarpit.example", *tarpits]) <= lanes.UNPROVEN_LANES
    release.set()
    async with asyncio.timeout(20):
        while len(peers.times) < 40:
            await asyncio.sleep(0.02)
    stop.set()
    async with asyncio.timeout(20):
        await running
    assert all(row.leased_until is None for row in await rows(database))


@pytest.mark.attack("DOS-17")
async def test_a_million_rows_of_one_host_cost_the_others_nothing(database: Database) -> None:
    """The claim looks at a few rows of each host, however many there are. Counted, not timed."""

    def make(tx: Connection) -> None:
        author = add_author(tx)
        send_note(tx, author, audience=FOLLOWERS)
        activity = tx.scalar(select(activities.c.id)) or 0
        many = [
            NewDelivery(activity, author, "a-huge.example", f"https://a-huge.example/{n}", "", 1) for n in range(3000)
        ]
        few = [NewDelivery(activity, author, f"b{n}.example", f"https://b{n}.example/", "", 1) for n in range(50)]
        deliveries.add(tx, many + few, now=clock.now() - 1)

    await database.write(make)
    found = await database.write(
        deliveries.claim, now=clock.now(), cursor="", room=512, busy=[], allowed=lambda _host, _state: 16
    )
    by_host = {host: sum(row.host == host for row in found.rows) for host in found.states}
    assert by_host == {"a-huge.example": 16} | {f"b{n}.example": 1 for n in range(50)}


async def test_claims_go_round(database: Database) -> None:
    author = await world(database, *(f"h{n}.example" for n in range(9)), count=3)
    await post(database, author)
    await database.write(
        lambda tx: __import__("fediverse.outbox.fanout", fromlist=["x"]).begin(tx, URLS, now=clock.now())
    )
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        found = await database.write(
            deliveries.claim, now=clock.now(), cursor=cursor, room=9, busy=["h0.example"], allowed=lambda _h, _s: 1
        )
        seen += [row.host for row in found.rows]
        cursor = found.cursor
    assert seen == [f"h{n}.example" for n in range(1, 9)]


async def test_killed_while_sending(database: Database) -> None:
    author = await world(database, "a.example", count=20)
    await post(database, author)
    first = Peers({"a.example": lambda _u, _h: asyncio.sleep(60)})
    doomed = asyncio.create_task(worker(database, first).tick())
    while not first.received:
        await asyncio.sleep(0.01)
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task() and ("_lane" in repr(task) or task is doomed):
            task.cancel()
    await asyncio.gather(doomed, return_exceptions=True)
    held = [row for row in await rows(database) if row.leased_until is not None]
    assert held
    peers = Peers()
    await worker(database, peers).tick()
    assert len(peers.received) == 20 - len(held)  # their leases have not ended
    later = clock.now() + queue.LEASE
    await database.write(
        lambda tx: tx.execute(update(table).where(table.c.leased_until <= later).values(leased_until=1))
    )
    await worker(database, peers).tick()
    assert len(set(peers.inboxes)) == 20
    assert not await rows(database)


async def test_stopping_gives_back_what_was_not_begun(database: Database) -> None:
    author = await world(database, "slow.example", count=30)
    await database.write(hosts.record, [hosts.Report("slow.example", True, "cavage")], now=clock.now())
    release = asyncio.Event()

    async def slow() -> int:
        await release.wait()
        return 202

    peers = Peers({"slow.example": lambda _u, _h: slow()})
    stop = asyncio.Event()
    await post(database, author)
    running = asyncio.create_task(worker(database, peers).run(stop))
    async with asyncio.timeout(10):
        while len(peers.received) < lanes.LANES_PER_HOST:
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.sleep(0.05)
    assert not running.done()  # what is under way is waited for
    release.set()
    async with asyncio.timeout(10):
        await running
    left = await rows(database)
    assert len(left) == 30 - lanes.LANES_PER_HOST == 30 - len(peers.received)
    assert all((row.leased_until, row.attempts) == (None, 0) for row in left)


async def test_a_lost_database_loses_no_result(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    author = await world(database, "a.example", count=3)
    await post(database, author)
    peers = Peers()
    sender: Worker = worker(database, peers)
    write = database.write
    broken = 0

    async def flaky(fn: Any, /, *arguments: Any, **named: Any) -> Any:
        nonlocal broken
        if fn.__name__ == "take_turn" and peers.received and broken < 3:
            broken += 1
            raise Unavailable("The database is away.")
        return await write(fn, *arguments, **named)

    monkeypatch.setattr(database, "write", flaky)
    for _ in range(5):
        try:
            await sender.tick()
        except Unavailable:
            continue
    assert broken == 3
    assert len(peers.received) == 3
    assert not await rows(database)


async def test_nothing_is_sent_to_a_host_that_was_blocked_meanwhile(database: Database) -> None:
    author = await world(database, "bad.example", "good.example")
    await post(database, author)
    peers = Peers({"bad.example": down, "good.example": down})
    sender = worker(database, peers)
    await sender.tick()
    peers.received.clear()

    def block(tx: Connection) -> None:
        moderation.block_host(tx, "bad.example", severity="block", now=clock.now())

    await database.write(block)
    await make_due(database)
    await sender.tick()
    assert peers.inboxes == ["https://good.example/users/f0/inbox"]
    assert [row.host for row in await rows(database)] == ["good.example"]


@pytest.mark.attack("DOS-17")
async def test_housekeeping(database: Database) -> None:
    author = await world(database, "a.example", "b.example")
    long_ago = clock.now() - 40 * DAY
    await post(database, author)
    await worker(database, Peers({"a.example": down, "b.example": lambda _u, _h: 404})).tick()
    assert await database.write(purge, now=clock.now()) == 0
    shift = clock.now() - long_ago
    assert await database.write(purge, now=clock.now() + 9 * DAY) >= 1
    assert [row.dead for row in await rows(database)] == [True]
    await database.write(purge, now=clock.now() + shift)
    assert not await rows(database)


async def test_what_waits_and_what_failed_is_told_by_host(database: Database) -> None:
    author = await world(database, "a.example", "b.example")
    await post(database, author)
    await worker(database, Peers({"a.example": down, "b.example": lambda _u, _h: 404})).tick()
    one, other = await database.read(deliveries.backlogs)
    assert (one.host, one.waiting, one.dead) == ("a.example", 1, 0)
    assert (other.host, other.waiting, other.dead) == ("b.example", 0, 1)
    assert other.error.startswith(deliveries.MISSING)
    assert await database.read(deliveries.backlogs, "b.example") == [other]
    assert await database.write(deliveries.replay, "b.example", now=clock.now()) == 1
    assert [(b.waiting, b.dead) for b in await database.read(deliveries.backlogs, "b.example")] == [(1, 0)]


async def test_waiting_is_told(database: Database) -> None:
    author = await world(database, "a.example", count=2)
    await post(database, author)
    await worker(database, Peers({"a.example": down})).tick()
    depth, age = await database.read(deliveries.waiting, now=clock.now() + MINUTE)
    assert depth == 2
    assert 0 < age <= MINUTE


async def test_a_try_that_breaks_off_leaves_no_other_of_its_host_behind() -> None:
    tried: list[int] = []

    async def send(job: Job) -> bool:
        tried.append(job.row.id)
        if job.row.id == 1:
            raise RuntimeError("a mistake of ours")
        return True

    held = lanes.Lanes(send, lambda _jobs: None, lambda: None)
    key = SigningKey("https://here.example/users/a#main-key", load_private(KEYS.rsa[0]))
    for number in (1, 2, 3):
        row = Claimed(number, number, 1, "a.example", "https://a.example/inbox", attempts=1, refusals=0)
        held.add(Job(row, row.inbox, b"{}", key, created_at=0, private=False), hosts.UNKNOWN)
    await held.drain()
    assert tried == [1, 2, 3]
    assert held.held == {}
