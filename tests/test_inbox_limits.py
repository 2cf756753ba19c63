"""Bad and excessive input: answered with a 4xx and a sentence, or taken and ignored; never a 500, never without end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from limits import parse as parse_limit
from sqlalchemy import func, select

from fediverse import clock, throttle
from fediverse.actors import directory
from fediverse.tables.inbox import received
from fediverse.tables.statuses import statuses
from tests.peers.scripted import PUBLIC, Actor, Server, document_response, signed
from tests.support.instance import Account, Instance
from tests.test_inbox_conversation import deliver, followed

MakeInstance = Callable[..., Awaitable[Instance]]

MIB = 1024 * 1024


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def mallory(peer: Server) -> Actor:
    return peer.actor("mallory")


async def stored(instance: Instance) -> int:
    def read(tx: Any) -> int:
        return tx.scalar(select(func.count()).select_from(received)) or 0

    return await instance.database.read(read)


async def outcomes(instance: Instance) -> list[str]:
    def read(tx: Any) -> list[str]:
        return list(tx.scalars(select(received.c.outcome).order_by(received.c.id)))

    return await instance.database.read(read)


@pytest.mark.attack("DOS-01")
@pytest.mark.parametrize("size", [MIB + 1, 5 * MIB])
async def test_a_body_that_is_too_large_is_refused_by_its_announced_length(
    instance: Instance, mallory: Actor, size: int
) -> None:
    # Nothing but the announcement is sent: the answer comes before the body.
    parts = urlsplit(instance.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"POST /inbox HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/activity+json\r\n"
    writer.write(f"{head}Content-Length: {size}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.readline(), 5)
    assert b" 413 " in answer
    writer.close()


@pytest.mark.attack("DOS-01")
async def test_an_endless_body_is_cut(instance: Instance, mallory: Actor) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64 * MIB:
            sent += 65_536
            yield b"x" * 65_536

    url = f"{instance.url}/inbox"
    try:
        status, _ = await mallory.server.post(url, endless(), signed(mallory, url, b"x"))
        assert status == 413
    except OSError:  # the connection was closed while we were still sending
        pass
    assert sent < 16 * MIB


@pytest.mark.attack("DOS-01", "SIG-01")
@pytest.mark.parametrize("length", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    "signature",
    ["", "Signature: nonsense\r\n", 'Signature: keyId="https://peer.test/users/x"\r\n', "Signature-Input: sig1=()\r\n"],
)
@pytest.mark.parametrize("inbox", ["/inbox", "/users/alice/inbox"])
async def test_whoever_does_not_sign_is_refused_before_the_body(
    instance: Instance, alice: Account, inbox: str, signature: str, length: str
) -> None:
    # Nothing of the body is ever sent.
    parts = urlsplit(instance.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"POST {inbox} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/activity+json\r\n"
    writer.write(f"{head}{signature}{length}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"].endswith(".")
    writer.close()


@pytest.mark.attack("DOS-10")
async def test_an_activity_of_nearly_a_mebibyte_is_taken_and_cut_to_size(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    note = mallory.mention(alice.uri, "x" * (MIB - 20_000), name="n" * 1000, summary="s" * 5000)
    await deliver(instance, mallory, mallory.activity("Create", note))
    (told,) = await instance.notifications(alice)
    assert len(json.dumps(told["status"])) < 200_000


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/json", "", "application/ld+json", 'application/ld+json; profile="https://other.test"'],
)
@pytest.mark.attack("NET-05")
async def test_other_content_types_are_refused(
    instance: Instance, alice: Account, mallory: Actor, content_type: str
) -> None:
    activity = mallory.activity("Create", mallory.mention(alice.uri))
    status = await mallory.server.send(mallory, f"{instance.url}/inbox", activity, content_type=content_type)
    assert status == 415
    assert await stored(instance) == 0
    assert sum(mallory.server.gets.values()) == 0


@pytest.mark.parametrize(
    "content_type",
    [
        "application/activity+json; charset=utf-8",
        'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
        'application/ld+json; charset=utf-8; profile="https://www.w3.org/ns/activitystreams"',
        'Application/LD+JSON;profile="https://www.w3.org/ns/activitystreams https://other.test";charset=UTF-8',
    ],
)
@pytest.mark.attack("NET-05")
async def test_activitypub_content_types_are_taken(
    instance: Instance, alice: Account, mallory: Actor, content_type: str
) -> None:
    activity = mallory.activity("Create", mallory.mention(alice.uri))
    assert await mallory.server.send(mallory, f"{instance.url}/inbox", activity, content_type=content_type) == 202


@pytest.mark.attack("DOS-03")
async def test_compressed_bodies_are_refused(instance: Instance, alice: Account, mallory: Actor) -> None:
    activity = mallory.activity("Create", mallory.mention(alice.uri))
    for encoding in ("gzip", "br", "zstd", "deflate"):
        extra = {"Content-Encoding": encoding}
        assert await mallory.server.send(mallory, f"{instance.url}/inbox", activity, extra=extra) == 415
    assert await stored(instance) == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "PROPFIND"])
@pytest.mark.parametrize("path", ["/inbox", "/users/alice/inbox"])
@pytest.mark.attack("NET-05")
async def test_inboxes_take_nothing_but_post(instance: Instance, alice: Account, method: str, path: str) -> None:
    async with instance.http.request(method, instance.url + path) as response:
        assert response.status in {401, 404, 405}
        if response.status == 405:
            assert "POST" in response.headers["Allow"]


async def test_a_server_sends_no_more_than_its_share(
    make_instance: MakeInstance, peer: Server, other_peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "_ACTIVITIES", parse_limit("3 per 5 minutes"))
    limited = await make_instance(rate_limits="on")
    alice = await limited.account("alice")
    mallory, friend, liar = peer.actor("mallory"), peer.actor("friend"), other_peer.actor("liar")
    url = f"{limited.url}/inbox"
    # What is not proven to come from there does not use its share up.
    for _ in range(4):
        forged = mallory.activity("Like", alice.uri)
        assert await other_peer.send(liar, url, forged, key_id=mallory.key_id) == 401
    for who in (mallory, friend, mallory):
        assert await peer.send(who, url, who.activity("Like", alice.uri)) == 202
    body = json.dumps(friend.activity("Like", alice.uri)).encode()
    async with peer.http.post(url, data=body, headers=signed(friend, url, body)) as response:
        assert response.status == 429
        assert 0 < int(response.headers["Retry-After"]) <= 300
    assert await stored(limited) == 3
    assert await other_peer.send(liar, url, liar.activity("Like", alice.uri)) == 202


BODIES: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "array": b"[]",
    "string": b'"x"',
    "number": b"1",
    "nan": b'{"type":"Create","actor":NaN}',
    "infinity": b'{"type":"Create","x":Infinity}',
    "surrogate": b'{"type":"Create","actor":"\\ud800"}',
    "utf16": '{"type":"Create"}'.encode("utf-16"),
    "not_utf8": b'{"type":"\xff"}',
    "cut": b'{"type":"Create"',
    "twice": b'{"type":"Create","type":"Create","actor":"https://a.test/1"}',
    "deep_arrays": b"[" * 100_000,
    "deep_objects": b'{"object":' * 50_000 + b"1" + b"}" * 50_000,
    "deep_but_valid": b'{"object":' * 500 + b"1" + b"}" * 500,
    "no_type": b'{"actor":"https://a.test/1"}',
    "no_actor": b'{"type":"Create"}',
    "actor_is_no_url": b'{"type":"Create","actor":"javascript:alert(1)"}',
}


@pytest.mark.attack("DOS-05", "DOS-06")
@pytest.mark.parametrize("case", BODIES)
async def test_what_is_no_activity_is_refused_in_no_time(
    instance: Instance, alice: Account, mallory: Actor, case: str
) -> None:
    started = time.perf_counter()
    assert await mallory.server.send(mallory, f"{instance.url}/inbox", BODIES[case]) == 400
    assert time.perf_counter() - started < 5
    assert sum(mallory.server.gets.values()) == 0


ODD: dict[str, Any] = {
    "unknown_type": {"type": "Foo"},
    "type_array": {"type": ["Foo", "Bar"]},
    "internal": {"type": "__internal"},
    "object_null": {"type": "Create", "object": None},
    "object_missing": {"type": "Like"},
    "object_number": {"type": "Announce", "object": 7},
    "object_empty": {"type": "Create", "object": {}},
    "object_array": {"type": "Create", "object": [{}, [], None, "x"]},
    "add_to_unknown": {"type": "Add", "object": "https://a.test/1", "target": "https://a.test/2"},
    "undo_unknown": {"type": "Undo", "object": "https://a.test/1"},
    "undo_of_undo": {"type": "Undo", "object": {"type": "Undo", "object": "https://a.test/1"}},
    "accept_unknown": {"type": "Accept", "object": "https://a.test/1"},
    "accept_null": {"type": "Accept", "object": None},
    "flag": {"type": "Flag", "object": [f"https://a.test/{i}" for i in range(10_000)]},
    "no_id": {"type": "Follow", "object": "https://a.test/1", "id": None},
    "id_is_a_number": {"type": "Like", "object": "https://a.test/1", "id": 1},
    "wide": {"type": "Create", "to": ["https://a.test/1"] * 40_000, "object": "https://a.test/1"},
    "huge_number": {"type": "Like", "object": "https://a.test/1", "x": 10**300},
    "nul": {"type": "Like", "object": "https://a.test/\0", "content": "\0"},
    "chat": {"type": "Create", "object": {"type": "ChatMessage", "content": "x"}},
    "view": {"type": "View", "object": "https://a.test/1"},
}


@pytest.mark.attack("FLO-05", "DOS-05")
@pytest.mark.parametrize("case", ODD)
async def test_odd_activities_are_taken_and_have_no_effect(
    instance: Instance, alice: Account, mallory: Actor, case: str
) -> None:
    activity = {"id": f"{mallory.uri}#odd/{case}", "actor": mallory.uri, **ODD[case]}
    status = await mallory.server.send(mallory, f"{instance.url}/inbox", activity)
    assert status in {202, 400}
    await instance.tick()
    assert all(outcome in {"ignored", "refused"} for outcome in await outcomes(instance))
    assert await instance.notifications(alice) == []


@pytest.mark.attack("DOS-06")
async def test_numbers_without_end_are_no_trouble(instance: Instance, alice: Account, mallory: Actor) -> None:
    for number in (b"9" * 5000, b"1e999", b"-1e-999"):
        body = b'{"id":"%s","type":"View","actor":"%s","object":"x","n":%s}' % (
            f"{mallory.uri}#n/{len(number)}".encode(),
            mallory.uri.encode(),
            number,
        )
        assert await mallory.server.send(mallory, f"{instance.url}/inbox", body) in {202, 400}


@pytest.mark.attack("DOS-10")
async def test_a_profile_without_measure_is_cut(instance: Instance, alice: Account, mallory: Actor) -> None:
    account_id = await followed(instance, alice, mallory)
    fields = [{"type": "PropertyValue", "name": f"n{i}", "value": "v" * 100} for i in range(2000)]
    document = {**mallory.document(), "name": "N" * 300_000, "summary": "<b>" * 50_000, "attachment": fields}
    await deliver(instance, mallory, mallory.activity("Update", document))
    account = await instance.call("GET", f"/api/v1/accounts/{account_id}", by=alice)
    assert len(json.dumps(account)) < 200_000


@pytest.mark.attack("DOS-10")
async def test_many_mentions_tags_and_attachments_are_capped(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    tags = [{"type": "Hashtag", "name": f"#t{i}"} for i in range(3000)]
    tags += [{"type": "Mention", "href": f"https://a.test/{i}", "name": "@x"} for i in range(1000)]
    attachments = [{"type": "Image", "url": f"https://a.test/{i}.png", "mediaType": "image/png"} for i in range(3000)]
    note = mallory.mention(alice.uri, "many")
    note["tag"] += tags
    note["attachment"] = attachments
    await deliver(instance, mallory, mallory.activity("Create", note))
    (told,) = await instance.notifications(alice)
    assert len(json.dumps(told["status"])) < 200_000


@pytest.mark.attack("DOS-12")
async def test_deletions_of_the_unknown_are_answered_without_any_fetch(
    instance: Instance, alice: Account, peer: Server
) -> None:
    key = peer.actor("somebody").key
    ghosts = [Actor(peer, f"ghost{i}", key) for i in range(200)]
    url = f"{instance.url}/inbox"
    answers = await asyncio.gather(*(peer.send(ghost, url, ghost.activity("Delete", ghost.uri)) for ghost in ghosts))
    assert set(answers) == {202}
    assert sum(peer.gets.values()) == 0
    assert await stored(instance) == 0


@pytest.mark.attack("DOS-08")
@pytest.mark.parametrize("shape", ["endless", "circle", "self"])
async def test_a_thread_without_end_is_climbed_only_so_far(
    instance: Instance, alice: Account, mallory: Actor, peer: Server, shape: str
) -> None:
    await followed(instance, alice, mallory)

    def note(number: int) -> dict[str, Any]:
        parent = {"endless": number + 1, "circle": (number + 1) % 3, "self": number}[shape]
        return mallory.note(str(number), id=f"{peer.url}/n/{number}", inReplyTo=f"{peer.url}/n/{parent}")

    for number in range(200):
        path = f"/n/{number}"
        peer.scripts[path] = lambda _request, number=number: document_response(note(number))
    leaf = mallory.note("leaf", inReplyTo=f"{peer.url}/n/0")
    await deliver(instance, mallory, mallory.activity("Create", leaf))
    asked = {path: count for path, count in peer.gets.items() if path.startswith("/n/")}
    assert sum(asked.values()) <= {"endless": 21, "circle": 3, "self": 1}[shape]
    assert set(asked.values()) == {1}
    assert [status["content"] for status in await instance.home(alice)] == ["<p>leaf</p>"]


@pytest.mark.attack("DOS-08")
async def test_a_featured_collection_without_end_is_read_only_so_far(
    instance: Instance, alice: Account, mallory: Actor, peer: Server
) -> None:
    featured = f"{mallory.uri}/featured"
    mallory.extra["featured"] = featured
    page = {"id": f"{featured}?page=1", "type": "OrderedCollectionPage", "next": f"{featured}?page=1"}
    page["orderedItems"] = [f"{mallory.uri}/statuses/{i}" for i in range(5000)]
    peer.serve({"id": featured, "type": "OrderedCollection", "totalItems": 10**12, "first": page})
    peer.documents |= {
        f"/users/mallory/statuses/{i}": mallory.note(str(i), id=f"{mallory.uri}/statuses/{i}") for i in range(100)
    }
    await followed(instance, alice, mallory)
    asked = sum(count for path, count in peer.gets.items() if "/statuses/" in path)
    assert asked == 20
    assert peer.gets["/users/mallory/featured"] == 1


@pytest.mark.attack("DOS-02")
async def test_a_server_that_never_answers_delays_nobody_else(
    instance: Instance, alice: Account, mallory: Actor, peer: Server, other_peer: Server
) -> None:
    await followed(instance, alice, mallory)
    release = asyncio.Event()

    async def tarpit(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(status=404)

    peer.scripts["/slow"] = tarpit
    url = f"{instance.url}/inbox"
    honest = other_peer.actor("honest")
    assert await peer.send(mallory, url, mallory.activity("Announce", f"{peer.url}/slow", to=[PUBLIC])) == 202
    assert await peer.send(mallory, url, mallory.activity("Create", mallory.note("after the slow one"))) == 202
    assert await other_peer.send(honest, url, honest.activity("Create", honest.mention(alice.uri, "hello"))) == 202
    ticking = asyncio.create_task(instance.tick())
    try:
        async with asyncio.timeout(10):
            while not await instance.notifications(alice):
                await asyncio.sleep(0.02)
        # What the slow server's actor sent later waits for its turn.
        assert await instance.home(alice) == []
    finally:
        release.set()
    await ticking
    await instance.tick()
    assert [status["content"] for status in await instance.home(alice)] == ["<p>after the slow one</p>"]


async def test_unknown_recipients_are_404_and_deleted_ones_410(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    activity = mallory.activity("Follow", alice.uri)
    for name, status in (("nobody", 404), ("ALICE", 404), ("alice", 202)):
        assert await mallory.server.send(mallory, f"{instance.url}/users/{name}/inbox", activity) == status
    gone = await instance.account("gone")
    await instance.database.write(directory.mark_gone, gone.id, clock.now())
    assert await mallory.server.send(mallory, f"{instance.url}/users/gone/inbox", activity) == 410


async def test_a_refusal_says_why_in_json(instance: Instance, alice: Account, mallory: Actor) -> None:
    url = f"{instance.url}/inbox"
    body = json.dumps(mallory.activity("Like", "https://a.test/1")).encode()
    status, text = await mallory.server.post(url, body, signed(mallory, url, body, covered="date"))
    assert status == 401
    assert json.loads(text)["error"].endswith(".")


@pytest.mark.attack("SSRF-01")
async def test_private_addresses_are_not_called_for_anybody(make_instance: Any, peer: Server, mallory: Actor) -> None:
    """Only the peer's own port may be called: whatever an activity names on another one is not fetched."""
    instance = await make_instance(allowed_private_addresses=peer.host)
    alice = await instance.account("alice")
    async with asyncio.timeout(30):
        async with _canary() as (address, hits):
            await deliver(instance, mallory, mallory.activity("Create", mallory.mention(alice.uri)))
            ghost = mallory.activity("Create", mallory.mention(alice.uri), actor=f"http://{address}/users/x")
            status = await peer.send(mallory, f"{instance.url}/inbox", ghost, key_id=f"http://{address}/users/x#k")
            assert status == 401
            await followed(instance, alice, mallory)
            note = mallory.note(
                "x", inReplyTo=f"http://{address}/1", attachment=[{"type": "Image", "url": f"http://{address}/2"}]
            )
            mallory.extra |= {"icon": {"type": "Image", "url": f"http://{address}/3"}}
            await deliver(
                instance,
                mallory,
                mallory.activity("Create", note),
                mallory.activity("Announce", f"http://{address}/4", to=[PUBLIC]),
                mallory.activity("Update", mallory.uri),
                mallory.activity("Like", f"http://{address}/5"),
            )
            assert hits == []

    def posts(tx: Any) -> int:
        return tx.scalar(select(func.count()).where(statuses.c.content == "<p>x</p>")) or 0

    assert await instance.database.read(posts) == 1


class _canary:
    """A listener that notes who calls."""

    async def __aenter__(self) -> tuple[str, list[str]]:
        hits: list[str] = []

        async def called(_reader: Any, writer: asyncio.StreamWriter) -> None:
            hits.append("hit")
            writer.close()

        self._server = await asyncio.start_server(called, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}", hits

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
