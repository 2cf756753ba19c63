"""Deliveries over real HTTP: what a scripted server receives, and what its bad days lead to."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from aiohttp import web
from sqlalchemy import Connection, select, update

from fediverse import clock, keys
from fediverse.actors import directory
from fediverse.clock import DAY, HOUR
from fediverse.outbox import deliveries
from fediverse.signatures import load_public, parse, verify
from fediverse.tables.actors import actor_keys, actors
from fediverse.tables.outbox import hosts
from tests.peers.scripted import Actor, Server
from tests.support.instance import Account, Instance
from tests.support.outbox import host_row, make_due, rows


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def bob(peer: Server) -> Actor:
    return peer.actor("bob")


async def follows(instance: Instance, actor: Actor, account: Account) -> None:
    """The remote actor follows the account, and nothing of that is left to be delivered."""
    status = await actor.server.send(actor, f"{instance.url}/inbox", actor.activity("Follow", account.uri))
    assert status == 202
    await instance.tick()
    actor.server.received.clear()


async def test_what_arrives_is_signed_by_the_author(instance: Instance, alice: Account, bob: Actor) -> None:
    await follows(instance, bob, alice)
    await instance.post(alice, "Hello")
    await instance.tick()
    [one] = bob.server.received
    assert one.path == "/inbox"
    assert one.headers["Content-Type"] == "application/activity+json"
    parsed = parse("POST", one.path, list(one.headers.items()))
    assert parsed.key_id == f"{alice.uri}#main-key"
    key = await instance.database.read(
        lambda tx: tx.scalars(
            select(actor_keys.c.public_key).where(actor_keys.c.actor_id == alice.id, actor_keys.c.algorithm == "rsa")
        ).one()
    )
    body = orjson.dumps(one.body)  # as it was sent, byte for byte: the digest says so
    verify(parsed, load_public(key), body=body, now=clock.now() / 1000, hosts=[bob.server.host], schemes=["http"])
    assert not await rows(instance.database)


async def test_a_server_that_is_down_gets_everything_afterwards(instance: Instance, alice: Account, bob: Actor) -> None:
    await follows(instance, bob, alice)
    bob.server.refuse_deliveries = 503
    texts = [f"Post {n}" for n in range(12)]
    for text in texts:
        await instance.post(alice, text)
        await instance.tick()
    state = await host_row(instance.database, bob.server.host)
    assert state.opened == 1
    assert sum(row.attempts for row in await rows(instance.database)) == 5
    bob.server.refuse_deliveries = 0
    await make_due(instance.database)
    await instance.tick()
    contents = [one.body["object"]["content"] for one in bob.server.received]
    assert sorted(contents) == sorted(f"<p>{text}</p>" for text in texts)
    assert not await rows(instance.database)


async def test_a_sign_of_life_has_the_server_probed(instance: Instance, alice: Account, bob: Actor) -> None:
    await follows(instance, bob, alice)
    until = clock.now() + HOUR

    def change(tx: Connection) -> None:
        tx.execute(update(hosts).where(hosts.c.host == bob.server.host).values(opened=4, failures=9, open_until=until))

    await instance.database.write(change)
    await instance.post(alice, "Are you there?")
    await instance.tick()
    assert bob.server.received == []
    # Its last sign of life is less than half a minute ago, which counts until then.
    carol = bob.server.actor("carol")
    instance.app[keys.RECEIVER]._heard.drop(bob.server.host)
    assert await bob.server.send(carol, f"{instance.url}/inbox", carol.activity("Like", alice.uri)) == 202
    await instance.tick()
    assert "Create" in bob.server.types()
    assert (await host_row(instance.database, bob.server.host)).opened == 0


async def test_whose_inbox_is_gone_is_looked_up_and_forgotten(instance: Instance, alice: Account, bob: Actor) -> None:
    bob.extra["endpoints"] = {}
    await follows(instance, bob, alice)
    bob.server.refuse_deliveries = 410
    bob.server.scripts["/users/bob"] = lambda _request: web.Response(status=410)
    await instance.post(alice, "Hello")
    await instance.tick()
    gone = await instance.database.read(
        lambda tx: tx.scalar(select(actors.c.deleted_at).where(actors.c.username == "bob"))
    )
    assert gone is not None
    [me] = [await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)]
    assert me["followers_count"] == 0


@pytest.mark.parametrize("answer", [404, 410])
async def test_a_mistaken_answer_costs_no_follower(instance: Instance, alice: Account, bob: Actor, answer: int) -> None:
    """404 is looked into no further at first; after 410 the actor is asked for, and turns out to be there."""
    await follows(instance, bob, alice)
    bob.server.refuse_deliveries = answer
    await instance.post(alice, "Hello")
    await instance.tick()
    row = await instance.database.read(directory.by_handle, "bob", bob.server.host)
    assert row is not None
    assert row.deleted_at is None
    me = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)
    assert me["followers_count"] == 1


@pytest.mark.parametrize("there", [True, False])
async def test_whose_inbox_is_missing_for_days_is_looked_at_once(
    instance: Instance, alice: Account, bob: Actor, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several 404 over three days, never one: then the follow ends, if the actor is missing as well."""
    bob.extra["endpoints"] = {}
    await follows(instance, bob, alice)
    bob.server.refuse_deliveries = 404
    before = bob.server.gets["/users/bob"]

    async def followers() -> int:
        me = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)
        return int(me["followers_count"])

    async def post() -> None:
        await instance.post(alice, "Hello")
        await instance.tick()

    # It was looked at a while ago.
    seen = update(actors).where(actors.c.username == "bob").values(fetched_at=clock.now() - 2 * DAY)
    await instance.database.write(lambda tx: tx.execute(seen).rowcount)
    monkeypatch.setattr(deliveries, "MISSED_FOR", 0)
    for _ in range(2):
        await post()
    monkeypatch.setattr(deliveries, "MISSED_FOR", 3 * DAY)
    await post()
    assert bob.server.gets["/users/bob"] == before
    monkeypatch.setattr(deliveries, "MISSED_FOR", 0)
    if not there:
        bob.server.scripts["/users/bob"] = lambda _request: web.Response(status=404)
    await post()
    assert bob.server.gets["/users/bob"] == before + 1
    assert await followers() == (1 if there else 0)
    row = await instance.database.read(directory.by_handle, "bob", bob.server.host)
    assert row is not None
    assert row.deleted_at is None
    await post()
    assert bob.server.gets["/users/bob"] == before + 1


@pytest.mark.parametrize("kind", ["circular", "endless"])
async def test_endless_and_circular_answers_cost_nobody_anything(
    instance: Instance, alice: Account, bob: Actor, other_peer: Server, kind: str
) -> None:
    carol = other_peer.actor("carol")
    await follows(instance, bob, alice)
    await follows(instance, carol, alice)
    handle = bob.server.handle

    async def bad(request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            return await handle(request)
        if kind == "circular":
            raise web.HTTPTemporaryRedirect(str(request.url))
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        for _ in range(10):
            await response.write(b"x" * 1024 * 1024)
        return response

    bob.server.handle = bad  # type: ignore[method-assign]
    await instance.post(alice, "Hello")
    async with asyncio.timeout(15):
        await instance.tick()
    assert carol.server.types() == ["Create"]
