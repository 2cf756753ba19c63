"""Whom an activity reaches: one delivery per inbox, and nobody who is not meant."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, func, insert, select

from fediverse import clock, ids, moderation
from fediverse.clock import DAY
from fediverse.db import Database
from fediverse.events import Woken
from fediverse.outbox import fanout, publish
from fediverse.outbox.dispatch import Dispatcher
from fediverse.outbox.publish import Audience
from fediverse.outbox.recipients import Open, Recipient, recipients
from fediverse.tables.actors import blocks, follows
from fediverse.tables.outbox import activities, deliveries, fanouts, hosts
from fediverse.tables.statuses import favourites, statuses
from tests.support.outbox import (
    SECRET,
    URLS,
    Peers,
    add_author,
    add_remote,
    fanouts_left,
    follow,
    rows,
    send_note,
    worker,
)


async def spread(database: Database) -> list[Any]:
    """Every fan-out is done; the deliveries."""
    fan = fanout.Fanout(database, URLS)
    while (begun := await database.write(fanout.begin, URLS, now=clock.now())).claimed:
        fan.take(begun.unfinished)
        while await fan.step():
            pass
    assert not await fanouts_left(database)
    return list(await rows(database))


def followers(tx: Connection, author: int, host: str, count: int, *, shared: bool) -> list[int]:
    made = [add_remote(tx, f"f{n}", host, shared=shared) for n in range(count)]
    for id_ in made:
        follow(tx, id_, author)
    return made


@pytest.mark.parametrize("count", [0, 1, 700])
async def test_publishing_writes_two_rows_whatever_the_audience(database: Database, count: int) -> None:
    def change(tx: Connection) -> tuple[int, int, int]:
        author = add_author(tx)
        followers(tx, author, "many.example", count, shared=False)
        assert send_note(tx, author, audience=Audience(followers=True))
        return tuple(tx.scalar(select(func.count()).select_from(t)) for t in (activities, fanouts, deliveries))  # type: ignore[return-value]

    assert await database.write(change) == (1, 1, 0)


async def test_publishing_wakes_the_worker_only_after_the_commit(database: Database) -> None:
    heard: list[object] = []
    database._on_commit = heard.extend

    def change(tx: Connection) -> None:
        send_note(tx, add_author(tx), audience=Audience(followers=True))
        assert not heard

    await database.write(change)
    assert Woken("fanouts") in heard


async def test_an_audience_of_nobody_costs_nothing(database: Database) -> None:
    assert await database.write(lambda tx: send_note(tx, add_author(tx), audience=Audience())) == 0
    assert not await fanouts_left(database)


@pytest.mark.parametrize(
    ("kind", "private", "days"),
    [("Create", False, 3), ("Create", True, 7), ("Delete", False, 7), ("Undo", False, 7), ("Move", False, 7)],
)
async def test_how_long_it_is_tried(database: Database, kind: str, private: bool, days: int) -> None:
    now = clock.now()
    await database.write(
        lambda tx: send_note(tx, add_author(tx), audience=Audience(followers=True), kind=kind, private=private, now=now)
    )
    assert await database.read(lambda tx: tx.scalar(select(activities.c.expires_at))) == now + days * DAY


@pytest.mark.attack("PRV-09")
async def test_hidden_recipients_never_leave(database: Database) -> None:
    def change(tx: Connection) -> bytes:
        publish.publish(
            tx,
            actor_id=add_author(tx),
            activity={"type": "Create", "bto": ["x"], "bcc": ["x"], "object": {"id": "n", "bto": "x", "bcc": "x"}},
            object_key="n",
            audience=Audience(followers=True),
            now=1,
        )
        return tx.scalars(select(activities.c.document)).one()

    assert orjson.loads(await database.write(change)) == {"type": "Create", "object": {"id": "n"}}


async def test_one_row_per_shared_inbox_and_per_inbox_without_one(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        followers(tx, author, "shared.example", 5, shared=True)
        followers(tx, author, "single.example", 3, shared=False)
        send_note(tx, author, audience=Audience(followers=True))

    await database.write(change)
    inboxes = [row.inbox for row in await spread(database)]
    assert inboxes == [
        "https://shared.example/inbox",
        *(f"https://single.example/users/f{n}/inbox" for n in range(3)),
    ]


async def test_large_audiences_are_written_in_chunks_that_survive_a_crash(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        followers(tx, author, "single.example", 1200, shared=False)
        followers(tx, author, "shared.example", 600, shared=True)
        send_note(tx, author, audience=Audience(followers=True))

    await database.write(change)
    begun = await database.write(fanout.begin, URLS, now=clock.now())
    assert not await rows(database)  # the followers are looked for beside the writer
    fan = fanout.Fanout(database, URLS)
    fan.take(begun.unfinished)
    assert await fan.step()  # and whoever did that is dead now
    assert len(await rows(database)) == 500
    assert (await fanouts_left(database))[0].cursor > 0
    # What was written is delivered meanwhile: it must not be written again.
    delivered = {row.inbox for row in await rows(database)}
    await database.write(lambda tx: tx.execute(deliveries.delete()))
    await database.write(lambda tx: tx.execute(fanouts.update().values(leased_until=None)))
    rest = {row.inbox for row in await spread(database)}
    assert not delivered & rest
    assert len(delivered | rest) == 1201


async def test_of_a_large_audience_the_mentioned_are_written_at_once(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        bob = add_remote(tx, "bob", "single.example")
        followers(tx, author, "single.example", 600, shared=False)
        follow(tx, bob, author)
        send_note(tx, author, audience=Audience(followers=True, actors=(bob,)))

    await database.write(change)
    await database.write(fanout.begin, URLS, now=clock.now())
    assert [row.inbox for row in await rows(database)] == ["https://single.example/users/bob/inbox"]
    await database.write(lambda tx: tx.execute(deliveries.delete()))
    await database.write(lambda tx: tx.execute(fanouts.update().values(leased_until=None)))
    rest = [row.inbox for row in await spread(database)]
    assert len(rest) == 600
    assert "https://single.example/users/bob/inbox" not in rest


async def test_who_lost_a_fan_out_to_another_writes_nothing_more(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        followers(tx, author, "single.example", 1200, shared=False)
        send_note(tx, author, audience=Audience(followers=True))

    await database.write(change)
    slow, quick = fanout.Fanout(database, URLS), fanout.Fanout(database, URLS)
    slow.take((await database.write(fanout.begin, URLS, now=clock.now())).unfinished)
    await slow.step()
    await database.write(lambda tx: tx.execute(fanouts.update().values(leased_until=None)))
    quick.take((await database.write(fanout.begin, URLS, now=clock.now())).unfinished)
    assert len(await rows(database)) == 500
    await slow.step()
    assert not await slow.step()
    assert len(await rows(database)) == 500
    while await quick.step():
        pass
    assert len({row.inbox for row in await rows(database)}) == 1200
    assert not await fanouts_left(database)


async def test_followers_who_come_and_go_between_two_chunks(database: Database) -> None:
    def change(tx: Connection) -> tuple[int, list[int]]:
        author = add_author(tx)
        made = followers(tx, author, "single.example", 1200, shared=False)
        send_note(tx, author, audience=Audience(followers=True))
        return author, made

    def come_and_go(tx: Connection) -> None:
        tx.execute(follows.delete().where(follows.c.follower_id.in_([made[0], made[499], made[1100]])))
        follow(tx, add_remote(tx, "late", "late.example"), author)
        tx.execute(fanouts.update().values(leased_until=None))

    author, made = await database.write(change)
    fan = fanout.Fanout(database, URLS)
    fan.take((await database.write(fanout.begin, URLS, now=clock.now())).unfinished)
    await fan.step()
    await database.write(come_and_go)
    inboxes = [row.inbox for row in await spread(database)]
    assert len(inboxes) == len(set(inboxes)) == 1200  # one of those who left had not been reached, one came
    assert "https://late.example/users/late/inbox" in inboxes
    assert "https://single.example/users/f1100/inbox" not in inboxes


async def test_posts_to_the_same_crowd_find_it_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        bob = add_remote(tx, "bob", "single.example")
        followers(tx, author, "single.example", 600, shared=False)
        send_note(tx, author, name="1", audience=Audience(followers=True))
        send_note(tx, author, name="2", audience=Audience(followers=True, actors=(bob,)))
        send_note(tx, author, name="3", audience=Audience(followers=True), private=True, to=())

    read: list[int] = []
    find = recipients

    def counting(tx: Connection, fans: Sequence[Open], *, limit: int) -> list[list[Recipient]]:
        read.append(len(fans))
        return find(tx, fans, limit=limit)

    monkeypatch.setattr(fanout, "recipients", counting)
    await database.write(change)
    found = await spread(database)
    assert read == [3]
    assert sorted(Counter(row.activity_id for row in found).values()) == [600, 600, 601]


async def test_a_post_to_few_is_fanned_out_and_claimed_in_one_transaction(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        followers(tx, author, "a.example", 1, shared=True)
        send_note(tx, author, audience=Audience(followers=True))

    await database.write(change)
    peers = Peers()
    dispatcher = Dispatcher(database, peers, asyncio.Event(), urls=URLS, secret=SECRET)
    before = database.commits
    begun, claimed = await dispatcher.fan_out()
    assert (begun.claimed, begun.written, begun.unfinished, claimed) == (1, 1, [], 1)
    assert database.commits == before + 1
    await dispatcher.drain()
    assert peers.inboxes == ["https://a.example/inbox"]
    assert not await rows(database)


async def test_a_direct_note_goes_to_the_addressee_alone(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        bob = add_remote(tx, "bob", "shared.example", shared=True)
        followers(tx, author, "other.example", 2, shared=True)
        send_note(tx, author, audience=Audience(actors=(bob,)), to=("https://shared.example/users/bob",), private=True)

    await database.write(change)
    assert [row.inbox for row in await spread(database)] == ["https://shared.example/users/bob/inbox"]


async def test_the_mentioned_come_first_and_once(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        bob = add_remote(tx, "bob", "shared.example", shared=True)
        followers(tx, author, "shared.example", 2, shared=True)
        followers(tx, author, "other.example", 2, shared=True)
        send_note(tx, author, audience=Audience(followers=True, actors=(bob,)))

    await database.write(change)
    assert [(row.inbox, row.priority) for row in await spread(database)] == [
        ("https://other.example/inbox", 1),
        ("https://shared.example/inbox", 0),
    ]


@pytest.mark.attack("PRV-07")
async def test_who_gets_nothing(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        now = clock.now()
        follow(tx, add_remote(tx, "suspended", "suspended.example", suspended_at=now), author)
        follow(tx, add_remote(tx, "deleted", "deleted.example", deleted_at=now), author)
        follow(tx, add_remote(tx, "pending", "pending.example"), author, accepted=False)
        follow(tx, add_author(tx, "local"), author)
        follow(tx, add_remote(tx, "evil", "sub.blocked.example:8443"), author)
        moderation.block_host(tx, "blocked.example", severity="block", now=now)
        # Its inbox is of a blocked host, though its handle is not.
        follow(tx, add_remote(tx, "moved", "later.example", inbox="https://sub.blocked.example/in"), author)
        for n, pair in enumerate(["by-author", "by-them"]):
            other = add_remote(tx, pair, f"{pair}.example")
            follow(tx, other, author)
            a, b = (author, other) if n == 0 else (other, author)
            tx.execute(insert(blocks).values(id=ids.new_id(), actor_id=a, target_id=b, created_at=1))
        follow(tx, add_remote(tx, "fine", "fine.example"), author)
        send_note(tx, author, audience=Audience(followers=True, inboxes=(URLS.inbox("local"), "nonsense:")))

    await database.write(change)
    assert [row.host for row in await spread(database)] == ["fine.example"]


async def test_a_block_reaches_whom_it_blocks(database: Database) -> None:
    def change(tx: Connection) -> None:
        author, bob = add_author(tx), add_remote(tx, "bob", "b.example")
        tx.execute(insert(blocks).values(id=ids.new_id(), actor_id=author, target_id=bob, created_at=1))
        send_note(tx, author, kind="Block", audience=Audience(actors=(bob,)), to=("https://b.example/users/bob",))
        send_note(tx, author, kind="Like", name="2", audience=Audience(actors=(bob,)))

    await database.write(change)
    assert len(await spread(database)) == 1


@pytest.mark.parametrize(("private", "expected"), [(False, 0), (True, 1)])
async def test_dead_hosts_get_nothing_public(database: Database, private: bool, expected: int) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        followers(tx, author, "dead.example", 1, shared=True)
        later = clock.now() + DAY
        tx.execute(insert(hosts).values(host="dead.example", dead_since=1, opened=9, open_until=later))
        send_note(tx, author, audience=Audience(followers=True), private=private)

    await database.write(change)
    assert len(await spread(database)) == expected


async def test_a_daily_probe_of_a_dead_host(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        followers(tx, author, "dead.example", 1, shared=True)
        tx.execute(insert(hosts).values(host="dead.example", dead_since=1, opened=9, open_until=clock.now() - 1))
        send_note(tx, author, audience=Audience(followers=True))

    await database.write(change)
    assert len(await spread(database)) == 1


@pytest.mark.attack("PRV-11")
async def test_a_delete_reaches_all_who_had_to_do_with_the_post(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        booster, liker = add_remote(tx, "b", "booster.example", shared=True), add_remote(tx, "l", "liker.example")
        blank: dict[str, Any] = {"mentions": [], "tags": [], "emojis": [], "attachments": [], "conversation_id": 1}
        common = {"visibility": 0, "created_at": 1, **blank}
        tx.execute(insert(statuses).values(id=7, author_id=author, local=True, kind="Note", **common))
        tx.execute(insert(statuses).values(id=8, author_id=booster, boost_of_id=7, kind="Announce", **common))
        tx.execute(insert(favourites).values(id=9, actor_id=liker, status_id=7, created_at=1))
        send_note(tx, author, kind="Delete", audience=Audience(followers=True, also_status=7))
        tx.execute(statuses.delete().where(statuses.c.id == 8))

    await database.write(change)
    assert [row.inbox for row in await spread(database)] == [
        "https://booster.example/inbox",
        "https://liker.example/users/l/inbox",
    ]


async def test_the_end_of_an_account_is_told_to_everybody_known(database: Database) -> None:
    def change(tx: Connection) -> None:
        for n in range(3):
            add_remote(tx, "x", f"h{n}.example", shared=True)
        send_note(tx, add_author(tx), kind="Delete", audience=Audience(everyone_known=True))

    await database.write(change)
    assert [row.host for row in await spread(database)] == [f"h{n}.example" for n in range(3)]


async def test_of_two_about_one_thing_the_older_is_spread_first(database: Database) -> None:
    def change(tx: Connection) -> tuple[int, int, int]:
        author = add_author(tx)
        followers(tx, author, "a.example", 1, shared=True)
        return tuple(  # type: ignore[return-value]
            send_note(tx, author, kind=kind, name=name, audience=Audience(followers=True))
            for kind, name in (("Create", "1"), ("Update", "1"), ("Create", "2"))
        )

    create, _update, other = await database.write(change)
    claimed = await database.write(publish.claim_fanout, now=clock.now(), limit=10)
    assert [row.id for row in claimed] == [create, other]


async def test_what_is_settled_is_purged_and_what_is_waiting_is_not(database: Database) -> None:
    def change(tx: Connection) -> None:
        author = add_author(tx)
        followers(tx, author, "a.example", 1, shared=True)
        send_note(tx, author, audience=Audience(followers=True))

    await database.write(change)
    later = clock.now() + DAY
    assert await database.write(publish.purge_settled, before=later) == 0
    await spread(database)
    assert await database.write(publish.purge_settled, before=later) == 0
    await worker(database, Peers()).tick()
    assert await database.write(publish.purge_settled, before=clock.now() - DAY) == 0
    assert await database.write(publish.purge_settled, before=later) == 1
