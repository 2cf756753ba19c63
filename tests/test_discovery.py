"""Finding actors and posts elsewhere: confirmed, stored once, refreshed, never asked for without end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import func, select, update

from fediverse import clock, keys, moderation
from fediverse import instance as instance_room
from fediverse.actors import directory
from fediverse.actors.discovery import Discovery
from fediverse.clock import DAY
from fediverse.settings import SettingsError
from fediverse.tables.actors import actors
from fediverse.tables.instance import jobs
from fediverse.tables.statuses import statuses
from fediverse.tables.timelines import home_entries
from fediverse.urls import Urls
from tests.peers.scripted import AP, Actor, Server, document_response
from tests.support.instance import Account, Instance


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def bob(peer: Server) -> Actor:
    return peer.actor("bob")


@pytest.fixture
def discovery(instance: Instance) -> Discovery:
    return instance.app[keys.DISCOVERY]


async def known(instance: Instance) -> list[str]:
    def read(tx: Any) -> list[str]:
        rows = tx.execute(select(actors.c.username, actors.c.host).where(actors.c.host != ""))
        return [f"{row.username}@{row.host}" for row in rows]

    return await instance.database.read(read)


async def make_stale(instance: Instance) -> None:
    def work(tx: Any) -> None:
        tx.execute(update(actors).where(actors.c.host != "").values(fetched_at=clock.now() - 2 * DAY))

    await instance.database.write(work)


async def test_many_who_look_for_one_actor_cause_one_fetch(
    instance: Instance, discovery: Discovery, bob: Actor
) -> None:
    found = await asyncio.gather(*(discovery.find_uri(bob.uri) for _ in range(10)))
    assert len({row.id for row in found if row is not None}) == 1
    assert bob.server.gets["/users/bob"] == 1
    again = await discovery.find_handle("BOB", bob.server.host)
    assert again is not None
    assert again.id == found[0].id  # type: ignore[union-attr]
    assert bob.server.gets["/users/bob"] == 1


async def test_fetches_are_signed_by_the_instance_actor(instance: Instance, discovery: Discovery, bob: Actor) -> None:
    seen: list[str] = []

    def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Signature", ""))
        return document_response(bob.document())

    bob.server.scripts["/users/bob"] = answer
    assert await discovery.find_uri(bob.uri)
    assert f'keyId="{instance.url}/actor#main-key"' in seen[0]


async def test_what_cannot_be_had_is_not_asked_for_again_soon(
    instance: Instance, discovery: Discovery, peer: Server
) -> None:
    for _ in range(5):
        assert await discovery.find_uri(f"{peer.url}/users/nobody") is None
        assert await discovery.find_handle("nobody", peer.host) is None
    assert peer.gets["/users/nobody"] == 1
    assert peer.gets["/.well-known/webfinger"] == 1


async def test_an_actor_is_refreshed_when_a_day_old_and_kept_when_its_server_is_down(
    instance: Instance, discovery: Discovery, bob: Actor
) -> None:
    assert await discovery.find_uri(bob.uri)
    bob.extra["name"] = "Robert"
    found = await discovery.find_uri(bob.uri)
    assert found is not None
    assert found.name == "Bob"
    await make_stale(instance)
    found = await discovery.find_uri(bob.uri)
    assert found is not None
    assert found.name == "Robert"
    await make_stale(instance)
    bob.server.scripts["/users/bob"] = lambda _request: web.Response(status=503)
    found = await discovery.find_uri(bob.uri)
    assert found is not None
    assert found.name == "Robert"


async def test_an_activity_has_a_stale_sender_fetched_again(instance: Instance, alice: Account, bob: Actor) -> None:
    url = f"{instance.url}/inbox"
    assert await bob.server.send(bob, url, bob.activity("Create", bob.mention(alice.uri))) == 202
    await instance.tick()
    await make_stale(instance)
    bob.extra["name"] = "Robert"
    assert await bob.server.send(bob, url, bob.activity("Create", bob.mention(alice.uri))) == 202
    await instance.tick()
    (first, *_) = await instance.notifications(alice)
    assert first["account"]["display_name"] == "Robert"


async def test_an_actor_that_is_gone_for_good_is_wiped_and_a_404_is_not_enough(
    instance: Instance, discovery: Discovery, bob: Actor
) -> None:
    row = await discovery.find_uri(bob.uri)
    assert row is not None
    bob.server.scripts["/users/bob"] = lambda _request: web.Response(status=404)
    with pytest.raises(Exception, match=r"404|not|answer"):
        await discovery.refresh(row)
    kept = await instance.database.read(directory.by_id, row.id)
    assert kept is not None
    assert kept.deleted_at is None
    discovery._failures.clear()
    bob.server.scripts["/users/bob"] = lambda _request: web.Response(status=410)
    assert await discovery.refresh(row) is None
    gone = await instance.database.read(directory.by_id, row.id)
    assert gone is not None
    assert gone.deleted_at is not None


async def test_a_server_without_webfinger_gives_handles_of_its_own_host(
    instance: Instance, discovery: Discovery, bob: Actor
) -> None:
    bob.server.webfinger = False
    assert await discovery.find_uri(bob.uri)
    assert await known(instance) == [f"bob@{bob.server.host}"]


async def test_a_handle_that_is_anothers_is_not_given_away(
    instance: Instance, discovery: Discovery, bob: Actor, peer: Server
) -> None:
    impostor = peer.actor("impostor", preferredUsername="bob")
    assert await discovery.find_uri(impostor.uri) is None
    assert await known(instance) == []
    assert await discovery.find_uri(bob.uri)


async def test_another_domain_is_shown_when_it_points_back(
    instance: Instance, discovery: Discovery, bob: Actor, other_peer: Server
) -> None:
    canonical = f"acct:bob@{other_peer.host}"

    def jrd(_request: web.Request) -> web.Response:
        return web.json_response({"subject": canonical, "links": [{"rel": "self", "type": AP, "href": bob.uri}]})

    bob.server.scripts["/.well-known/webfinger"] = jrd
    other_peer.scripts["/.well-known/webfinger"] = jrd
    assert await discovery.find_uri(bob.uri)
    assert await known(instance) == [f"bob@{other_peer.host}"]
    found = await discovery.find_handle("bob", other_peer.host)
    assert found is not None
    assert found.uri == bob.uri


@pytest.mark.parametrize("form", ["{name}.", "{name}:443", "{upper}"])
async def test_one_domain_in_other_spellings_is_one_actor_and_one_block(
    instance: Instance, discovery: Discovery, form: str
) -> None:
    def store(tx: Any) -> int:
        from tests.support import world  # noqa: PLC0415 - rows without HTTP, for this test only

        return int(world.remote(tx, "bob", host="peer.example").id)

    row_id = await instance.database.write(store)
    host = form.format(name="peer.example", upper="PEER.Example")
    found = await discovery.find_handle("bob", host)
    assert found is not None
    assert found.id == row_id

    def block(tx: Any) -> bool:
        moderation.block_host(tx, host, severity="block", now=clock.now())
        blocked = directory.by_id(tx, row_id)
        return blocked is not None and blocked.suspended_at is not None

    assert await instance.database.write(block)


async def test_nothing_is_asked_of_a_blocked_server(instance: Instance, discovery: Discovery, bob: Actor) -> None:
    note = bob.server.serve(bob.note("hidden"))

    def block(tx: Any) -> None:
        moderation.block_host(tx, bob.server.host, severity="block", now=clock.now())

    await instance.database.write(block)
    assert await discovery.find_uri(bob.uri) is None
    assert await discovery.find_handle("bob", bob.server.host) is None
    assert await discovery.find_object(note["id"]) is None
    assert sum(bob.server.gets.values()) == 0


async def test_local_names_are_found_by_id_page_and_handle(
    instance: Instance, discovery: Discovery, alice: Account
) -> None:
    domain = instance.domain
    for found in (
        await discovery.find_uri(alice.uri),
        await discovery.find_uri(f"{instance.url}/@alice"),
        await discovery.find_handle("Alice", domain),
        await discovery.find_handle("alice", ""),
    ):
        assert found is not None
        assert found.id == alice.id
    for missing in ("/users/nobody", "/users/alice/followers", "/actor/x"):
        assert await discovery.find_uri(instance.url + missing) is None


async def test_a_post_that_is_searched_for_comes_with_its_thread_and_is_news_to_nobody(
    instance: Instance, discovery: Discovery, alice: Account, bob: Actor
) -> None:
    await instance.follow(alice, bob.handle)
    root = bob.server.serve(bob.note("root"))
    reply = bob.server.serve(bob.mention(alice.uri, "reply", inReplyTo=root["id"]))
    found = await discovery.find_object(reply["id"])
    assert found is not None
    assert found.in_reply_to_id is not None

    def read(tx: Any) -> tuple[int, int]:
        stored = tx.scalar(select(func.count()).select_from(statuses)) or 0
        return stored, tx.scalar(select(func.count()).select_from(home_entries)) or 0

    assert await instance.database.read(read) == (2, 0)
    assert await instance.notifications(alice) == []
    page = f"{bob.server.url}/@bob/1"
    bob.server.scripts["/@bob/1"] = lambda _request: document_response(reply)
    again = await discovery.find_object(page)
    assert again is not None
    assert again.id == found.id


async def test_an_actors_document_is_no_post_and_a_post_no_actor(
    instance: Instance, discovery: Discovery, bob: Actor
) -> None:
    note = bob.server.serve(bob.note("a post"))
    assert await discovery.find_object(bob.uri) is None
    assert await discovery.find_uri(note["id"]) is None


async def test_work_for_later_is_queued_once(instance: Instance, bob: Actor, discovery: Discovery) -> None:
    bob.extra["featured"] = f"{bob.uri}/featured"
    row = await discovery.find_uri(bob.uri)
    assert row is not None
    await discovery.refresh(row)

    def queued(tx: Any) -> list[str]:
        return list(tx.scalars(select(jobs.c.kind)))

    assert await instance.database.read(queued) == ["actors.featured"]


async def test_the_first_signed_request_freezes_the_names(instance: Instance, discovery: Discovery, bob: Actor) -> None:
    changed = Urls("http://other.example", "other.example")
    await instance.database.read(instance_room.check_names, changed)
    assert await discovery.find_uri(bob.uri)
    with pytest.raises(SettingsError):
        await instance.database.read(instance_room.check_names, changed)
