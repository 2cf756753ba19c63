"""Whatever an activity or a client names: no connection is made to an address of the inner network.

A canary listens on every address of this machine; only the scripted peer's own port may be called.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import func, select

from fediverse.outbox import deliveries
from fediverse.tables.statuses import statuses
from tests.conftest import MakeInstance
from tests.peers.scripted import AP, PUBLIC, Actor, Server
from tests.support.instance import Account, Instance, free_port
from tests.support.wire import Wire, listening
from tests.test_inbox_conversation import deliver, followed
from tests.test_remote_guard import SPELLINGS


def own_address() -> str:
    """This machine's address in its own network, by asking for a route; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.3"
        return str(probe.getsockname()[0])


@pytest.fixture
async def canary() -> AsyncIterator[Wire]:
    """Nothing may ever call it."""
    async with listening("0.0.0.0") as wire:
        yield wire


@pytest.fixture
async def instance(make_instance: MakeInstance, peer: Server) -> Instance:
    return await make_instance(allowed_private_addresses=peer.host)


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def mallory(peer: Server) -> Actor:
    return peer.actor("mallory")


def spellings(canary: Wire) -> list[str]:
    """The canary's address in every spelling, over both schemes."""
    hosts = [spelling for spelling in SPELLINGS if spelling.isascii()] + [own_address()]
    return [f"{scheme}://{host}:{canary.port}" for host in hosts for scheme in ("http", "https")]


def places(canary: Wire) -> list[str]:
    """A few of them, where what matters is which field names it."""
    return [
        f"http://127.0.0.1:{canary.port}",
        f"https://localhost:{canary.port}",
        f"http://2130706433:{canary.port}",
        f"http://{own_address()}:{canary.port}",
    ]


async def stored(instance: Instance, text: str) -> int:
    def read(tx: Any) -> int:
        return tx.scalar(select(func.count()).where(statuses.c.content.contains(text))) or 0

    return await instance.database.read(read)


@pytest.mark.attack("SSRF-01", "SSRF-02")
async def test_what_signers_claim_to_be_is_not_looked_up_there(
    instance: Instance, alice: Account, mallory: Actor, peer: Server, canary: Wire
) -> None:
    url = f"{instance.url}/inbox"
    for place in spellings(canary):
        actor = f"{place}/users/x"
        activity = mallory.activity("Create", mallory.mention(alice.uri), actor=actor)
        # 400 where it is no address at all, and 401 where its key cannot be had.
        assert await peer.send(mallory, url, activity, key_id=f"{actor}#main-key") in {400, 401}
        mine = mallory.activity("Create", mallory.mention(alice.uri))
        assert await peer.send(mallory, url, mine, key_id=f"{actor}#main-key") == 401
    assert canary.accepted == []


@pytest.mark.attack("SSRF-02")
async def test_no_spelling_of_an_address_inside_is_fetched(
    instance: Instance, alice: Account, mallory: Actor, canary: Wire
) -> None:
    await followed(instance, alice, mallory)
    notes = [f"{place}/note" for place in spellings(canary)]
    await deliver(instance, mallory, *(mallory.activity("Announce", note, to=[PUBLIC]) for note in notes))
    await deliver(
        instance, mallory, *(mallory.activity("Create", mallory.note("reply", inReplyTo=note)) for note in notes)
    )
    assert await stored(instance, "reply") == len(notes)
    assert canary.accepted == []


@pytest.mark.attack("SSRF-01")
async def test_what_activities_point_to_is_not_fetched_there(
    instance: Instance, alice: Account, mallory: Actor, canary: Wire
) -> None:
    await followed(instance, alice, mallory)
    url = f"{instance.url}/inbox"
    for number, place in enumerate(places(canary)):
        picture = {"type": "Image", "mediaType": "image/png", "url": f"{place}/picture.png"}
        note = mallory.note(
            f"note {number}",
            inReplyTo=f"{place}/note",
            attachment=[picture],
            icon=picture,
            replies=f"{place}/replies",
            tag=[
                {"type": "Mention", "href": f"{place}/users/x", "name": "@x"},
                {"type": "Emoji", "name": ":x:", "icon": picture},
            ],
        )
        for activity in (
            mallory.activity("Create", note),
            mallory.activity("Create", f"{place}/note"),
            mallory.activity("Announce", f"{place}/note", to=[PUBLIC]),
            mallory.activity("Like", f"{place}/note"),
            mallory.activity("Follow", f"{place}/users/x"),
            mallory.activity("Undo", f"{place}/activity"),
            mallory.activity("Delete", f"{place}/note"),
            mallory.activity("Add", f"{place}/note", target=f"{mallory.uri}/featured"),
            {**mallory.activity("View", f"{place}/note"), "@context": [f"{place}/context"]},
        ):
            assert await mallory.server.send(mallory, url, activity) == 202
    await instance.tick()
    assert canary.accepted == []
    assert await stored(instance, "note ") == len(places(canary))
    # Nor when somebody looks at it.
    await instance.home(alice)
    async with instance.http.get(f"{instance.url}/{mallory.handle}", allow_redirects=False) as response:
        assert response.status in {200, 302, 404}
    assert canary.accepted == []


@pytest.mark.attack("SSRF-01")
@pytest.mark.parametrize(
    "name", ["inbox", "outbox", "followers", "featured", "sharedInbox", "icon", "image", "url", "movedTo", "attachment"]
)
async def test_what_a_profile_points_to_is_not_called_there(
    instance: Instance, alice: Account, mallory: Actor, canary: Wire, name: str
) -> None:
    await followed(instance, alice, mallory)
    for place in places(canary):
        value: Any = f"{place}/{name}"
        if name in {"icon", "image"}:
            value = {"type": "Image", "mediaType": "image/png", "url": value}
        if name == "attachment":
            value = [{"type": "PropertyValue", "name": "web", "value": f'<a href="{value}" rel="me">{value}</a>'}]
        if name == "sharedInbox":
            mallory.extra["endpoints"] = {"sharedInbox": value}
        else:
            mallory.extra[name] = value
        await deliver(
            instance,
            mallory,
            mallory.activity("Update", mallory.document()),
            mallory.activity("Update", mallory.uri),
            mallory.activity("Follow", alice.uri),
        )
        await instance.post(alice, f"{mallory.handle} hello")
        await instance.tick()
        async with instance.http.get(f"{instance.url}/{mallory.handle}", allow_redirects=False) as response:
            assert response.status in {200, 302, 404}
        account = await instance.call("GET", "/api/v1/accounts/lookup", params={"acct": mallory.handle[1:]})
        for picture in (account["avatar"], account["header"]):
            async with instance.http.get(picture) as response:
                assert response.status in {200, 404}
    assert canary.accepted == []
    waiting, _ = await instance.database.read(deliveries.waiting, now=2**62)
    assert waiting == 0  # what can never be sent is not tried again


@pytest.mark.attack("SSRF-01", "SSRF-06")
async def test_pages_of_a_collection_are_not_fetched_there(
    instance: Instance, alice: Account, mallory: Actor, peer: Server, canary: Wire
) -> None:
    featured = f"{mallory.uri}/featured"
    mallory.extra["featured"] = featured
    note = peer.serve(mallory.note("pinned"))
    for place in places(canary):
        page = {"id": f"{featured}?page=1", "type": "OrderedCollectionPage", "next": f"{place}/next"}
        page["orderedItems"] = [f"{place}/note", note["id"]]
        for first in (f"{place}/first", page):
            collection = {"id": featured, "type": "OrderedCollection", "first": first, "last": f"{place}/last"}
            peer.serve(collection)
            await instance.find(alice, mallory.handle)
            await deliver(instance, mallory, mallory.activity("Update", mallory.uri))
    assert canary.accepted == []


@pytest.mark.attack("SSRF-01", "ORI-01")
async def test_a_profile_sends_nobody_to_another_server(
    make_instance: MakeInstance, mallory: Actor, peer: Server, other_peer: Server
) -> None:
    """Though both servers may be called here: neither deliveries nor pins are aimed at somebody else."""
    instance = await make_instance()
    alice = await instance.account("alice")
    elsewhere = f"{other_peer.url}/target"
    await followed(instance, alice, mallory)
    await deliver(instance, mallory, mallory.activity("Follow", alice.uri))
    collection = {"id": f"{mallory.uri}/featured", "type": "OrderedCollection", "first": f"{elsewhere}/first"}
    peer.serve({**collection, "orderedItems": [f"{elsewhere}/note"]})
    for changes in (
        {"inbox": elsewhere},
        {"endpoints": {"sharedInbox": elsewhere}},
        {"featured": elsewhere},
        {"featured": collection["id"]},
        {"publicKey": {"id": f"{elsewhere}#key", "owner": mallory.uri, "publicKeyPem": "x"}},
    ):
        mallory.extra = dict(changes)
        document = {**mallory.document(), **changes}
        assert await peer.send(mallory, f"{instance.url}/inbox", mallory.activity("Update", document)) in {202, 401}
        await instance.tick()
        await instance.post(alice, f"{mallory.handle} hello")
        await instance.tick()
    stranger = peer.actor("stranger", inbox=elsewhere)
    await instance.call("GET", "/api/v2/search", by=alice, params={"q": stranger.uri, "resolve": "true"})
    pinned = peer.actor("pinned", featured=collection["id"])
    await instance.find(alice, pinned.handle)
    await instance.tick()
    assert peer.gets["/users/mallory/featured"] == 1
    assert other_peer.received == []
    assert sum(other_peer.gets.values()) == 0


@pytest.mark.attack("SSRF-06")
async def test_redirects_lead_nowhere_inside(
    instance: Instance, alice: Account, mallory: Actor, peer: Server, canary: Wire
) -> None:
    """Every kind of fetch: keys and posts (signed), handles, pictures (unsigned)."""
    await followed(instance, alice, mallory)
    url = f"{instance.url}/inbox"
    places_ = [*places(canary), "file:///etc/passwd", "ftp://127.0.0.1", f"gopher://127.0.0.1:{canary.port}"]
    for number, place in enumerate(places_):

        def redirect(_request: web.Request, place: str = place) -> web.Response:
            return web.Response(status=302, headers={"Location": f"{place}/inside"})

        ghost = Actor(peer, f"ghost{number}", mallory.key)
        peer.scripts[f"/users/ghost{number}"] = redirect
        peer.scripts[f"/note/{number}"] = redirect
        peer.scripts["/.well-known/webfinger"] = redirect
        peer.scripts["/.well-known/host-meta"] = redirect
        picture = {"type": "Image", "mediaType": "image/png", "url": f"{peer.url}/note/{number}"}
        mallory.extra["icon"] = picture
        activity = ghost.activity("Create", ghost.mention(alice.uri))
        assert await peer.send(ghost, url, activity) == 401
        await deliver(
            instance,
            mallory,
            mallory.activity("Announce", f"{peer.url}/note/{number}", to=[PUBLIC]),
            mallory.activity("Update", mallory.document()),
        )
        params = {"q": f"@somebody{number}@{peer.host}", "resolve": "true"}
        found = await instance.call("GET", "/api/v2/search", by=alice, params=params)
        assert found["accounts"] == []
        account = (await instance.call("GET", "/api/v1/accounts/lookup", params={"acct": mallory.handle[1:]}))["avatar"]
        async with instance.http.get(account) as response:
            assert response.status in {200, 404}
            assert b"inside" not in await response.read()
    assert peer.gets["/.well-known/webfinger"] >= len(places_)
    assert sum(count for path, count in peer.gets.items() if path.startswith("/note/")) >= len(places_)
    assert canary.accepted == []


@pytest.mark.attack("SSRF-08")
async def test_who_is_not_signed_in_has_nothing_looked_up(
    instance: Instance, alice: Account, mallory: Actor, peer: Server
) -> None:
    for q in (mallory.handle, mallory.uri, f"{peer.url}/note"):
        params = {"q": q, "resolve": "true"}
        await instance.call("GET", "/api/v2/search", params=params, status=401)
        await instance.call("GET", "/api/v1/accounts/search", params=params, status=401)
        async with instance.http.get(f"{instance.url}/search", params={"q": q}, allow_redirects=False) as response:
            assert response.status in {302, 303, 401, 404}
    await instance.call("GET", "/api/v1/accounts/lookup", params={"acct": mallory.handle[1:]}, status=404)
    assert sum(peer.gets.values()) == 0


@pytest.mark.attack("SSRF-08")
async def test_an_answer_tells_nothing_of_what_is_inside(
    instance: Instance, alice: Account, mallory: Actor, peer: Server, canary: Wire
) -> None:
    """A port where something listens, one where nothing does, and what the peer itself will not show look alike."""
    peer.scripts["/secret"] = lambda _request: web.Response(text="SECRET", content_type="text/plain")
    nobody = f"http://127.0.0.1:{free_port()}/x"
    answers = []
    for q in (f"{canary.url}/x", nobody, f"{peer.url}/secret", f"{peer.url}/missing"):
        found = await instance.call("GET", "/api/v2/search", by=alice, params={"q": q, "resolve": "true"})
        answers.append(found)
    assert all(answer == {"accounts": [], "statuses": [], "hashtags": []} for answer in answers)
    assert canary.accepted == []


@pytest.mark.attack("ORI-09")
async def test_no_form_of_webfinger_gives_a_handle_away(
    instance: Instance, alice: Account, mallory: Actor, peer: Server
) -> None:
    """The subject of another domain, asked for by the name that it claims."""

    def spoof(_request: web.Request) -> web.Response:
        links = [{"rel": "self", "type": AP, "href": mallory.uri}]
        return web.json_response({"subject": "acct:ceo@bank.example", "links": links})

    peer.scripts["/.well-known/webfinger"] = spoof
    mallory.extra |= {"preferredUsername": "ceo", "webfinger": "ceo@bank.example"}
    for q in (f"@ceo@{peer.host}", mallory.uri):
        found = await instance.call("GET", "/api/v2/search", by=alice, params={"q": q, "resolve": "true"})
        assert {account["acct"] for account in found["accounts"]} <= {f"ceo@{peer.host}"}
    await instance.call("GET", "/api/v1/accounts/lookup", params={"acct": "ceo@bank.example"}, status=404)
    assert peer.gets["/.well-known/webfinger"] >= 1


async def test_the_canary_sings_where_calling_it_is_allowed(
    make_instance: MakeInstance, peer: Server, canary: Wire
) -> None:
    mallory = peer.actor("mallory")
    instance = await make_instance(allowed_private_addresses=f"{peer.host},127.0.0.1:{canary.port}")
    alice = await instance.account("alice")
    await followed(instance, alice, mallory)
    async with asyncio.timeout(20):
        await deliver(instance, mallory, mallory.activity("Announce", f"{canary.url}/note", to=[PUBLIC]))
    assert canary.paths == ["/note"]
    peer.scripts["/r"] = lambda _request: web.Response(status=302, headers={"Location": f"{canary.url}/inside"})
    await deliver(instance, mallory, mallory.activity("Announce", f"{peer.url}/r", to=[PUBLIC]))
    assert canary.paths[-1] == "/inside"
