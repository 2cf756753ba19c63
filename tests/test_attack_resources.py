"""Input without measure, as far as ``test_inbox_limits`` does not have it. Counted, not timed."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import func, select

from fediverse import clock
from fediverse.outbox import deliveries
from fediverse.tables.actors import actors
from fediverse.tables.inbox import received
from fediverse.tables.statuses import statuses
from tests.conftest import MakeInstance
from tests.peers.scripted import AP, PUBLIC, Actor, Server, signed, stamp
from tests.support.instance import Account, Instance
from tests.test_inbox_conversation import deliver, followed

MIB = 1024 * 1024
KIB_200 = 200_000


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def mallory(peer: Server) -> Actor:
    return peer.actor("mallory")


async def count(instance: Instance, table: Any) -> int:
    def read(tx: Any) -> int:
        return tx.scalar(select(func.count()).select_from(table)) or 0

    return await instance.database.read(read)


@pytest.mark.attack("DOS-01")
async def test_exactly_a_mebibyte_is_taken_and_one_byte_more_is_not(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    url = f"{instance.url}/inbox"
    activity = json.dumps(mallory.activity("Create", mallory.mention(alice.uri))).encode()

    async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    for size, expected in ((MIB + 1, 413), (MIB, 202)):
        body = activity + b" " * (size - len(activity))
        for sent in (body, in_chunks(body)):
            status, _ = await mallory.server.post(url, sent, signed(mallory, url, body))
            assert status == expected
    assert await count(instance, received) == 1


@pytest.mark.attack("DOS-03")
async def test_compressed_bodies_of_clients_are_not_unpacked(instance: Instance, alice: Account) -> None:
    bomb = gzip.compress(json.dumps({"status": "unpacked", "padding": " " * 50 * MIB}).encode())
    small = gzip.compress(json.dumps({"status": "unpacked"}).encode())
    for path in ("/api/v1/statuses", "/users/alice/outbox", "/api/v1/apps"):
        for body in (bomb, small):
            for kind in ("application/json", AP):
                headers = {**alice.headers, "Content-Type": kind, "Content-Encoding": "gzip"}
                async with instance.http.post(instance.url + path, data=body, headers=headers) as response:
                    assert 400 <= response.status < 500, path
    assert await instance.home(alice) == []


@pytest.mark.attack("DOS-02", "DOS-03")
async def test_bombs_in_answers_are_dropped_and_work_goes_on(
    instance: Instance, alice: Account, mallory: Actor, peer: Server
) -> None:
    await followed(instance, alice, mallory)
    note = mallory.note("a bomb", padding="0" * 20 * MIB)
    body = json.dumps(note).encode()

    def packed(_request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(body), headers={"Content-Type": AP, "Content-Encoding": "gzip"})

    peer.scripts["/bomb"] = packed
    peer.scripts["/plain"] = lambda _request: web.Response(body=body, headers={"Content-Type": AP})
    peer.scripts["/users/bomb"] = packed
    ghost = Actor(peer, "bomb", mallory.key)
    assert await peer.send(ghost, f"{instance.url}/inbox", ghost.activity("Create", ghost.mention(alice.uri))) == 401
    await deliver(
        instance,
        mallory,
        mallory.activity("Announce", f"{peer.url}/bomb", to=[PUBLIC]),
        mallory.activity("Announce", f"{peer.url}/plain", to=[PUBLIC]),
        mallory.activity("Create", mallory.note("reply", inReplyTo=f"{peer.url}/bomb")),
        mallory.activity("Create", mallory.note("after it")),
    )
    assert [status["content"] for status in await instance.home(alice)] == ["<p>after it</p>"]
    # The picture of a profile, through the proxy.
    mallory.extra["icon"] = {"type": "Image", "mediaType": "image/png", "url": f"{peer.url}/picture"}
    peer.scripts["/picture"] = lambda _request: web.Response(
        body=gzip.compress(b"\x89PNG\r\n\x1a\n" + b"\0" * 50 * MIB),
        headers={"Content-Type": "image/png", "Content-Encoding": "gzip"},
    )
    await deliver(instance, mallory, mallory.activity("Update", mallory.document()))
    account = await instance.call("GET", "/api/v1/accounts/lookup", params={"acct": mallory.handle[1:]})
    async with instance.http.get(account["avatar"]) as response:
        assert response.status == 404
    assert peer.gets["/picture"] == 1


NESTED = '{"a":' * 5000 + "1" + "}" * 5000
API_BODIES: dict[str, bytes] = {
    "nan": b'{"status":NaN}',
    "infinity": b'{"status":Infinity}',
    "digits": b'{"status":' + b"9" * 5000 + b"}",
    "exponent": b'{"status":1e999}',
    "surrogate": b'{"status":"\\ud800"}',
    "nul": b'{"status":"a\\u0000b"}',
    "nul in a name": b'{"status":"x","a\\u0000":1}',
    "byte order mark": b'\xef\xbb\xbf{"status":"x"}',
    "utf-16": '{"status":"x"}'.encode("utf-16"),
    "latin-1": b'{"status":"\xe4"}',
    "empty": b"",
    "null": b"null",
    "array": b"[]",
    "text": b'"status"',
    "cut": b'{"status":"x"',
    "deep": b"[" * 100_000,
    "deep object": NESTED.encode(),
    "object as text": b'{"status":{"a":1}}',
    "list as text": b'{"status":["a"]}',
    "list of ids": b'{"status":"x","media_ids":{"a":["b"]}}',
}


@pytest.mark.attack("DOS-05", "DOS-06")
async def test_json_at_its_edges_posts_nothing(instance: Instance, alice: Account) -> None:
    for name, body in API_BODIES.items():
        for method, path in (
            ("POST", "/api/v1/statuses"),
            ("POST", "/api/v1/apps"),
            ("POST", "/oauth/token"),
            ("PATCH", "/api/v1/accounts/update_credentials"),
            ("POST", "/users/alice/outbox"),
        ):
            kind = AP if path.endswith("outbox") else "application/json"
            headers = {**alice.headers, "Content-Type": kind}
            async with instance.http.request(method, instance.url + path, data=body, headers=headers) as response:
                limit = 300 if path.endswith("update_credentials") else 400  # nothing that it knows: nothing changes
                assert (response.status == 200 and limit == 300) or 400 <= response.status < 500, (name, path)
    assert await count(instance, statuses) == 0


@pytest.mark.attack("DOS-06")
async def test_characters_that_databases_refuse_are_left_out(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    nasty = "a\0b\x01\u2028c\ufffe"
    note = mallory.mention(alice.uri, nasty, summary=nasty, name=nasty, inReplyTo=f"https://a.test/{nasty}")
    note["tag"] += [
        {"type": "Hashtag", "name": f"#{nasty}", "href": f"https://a.test/{nasty}"},
        {"type": "Emoji", "name": f":{nasty}:", "icon": {"type": "Image", "url": f"https://a.test/{nasty}"}},
        {"type": "Mention", "name": nasty, "href": nasty},
    ]
    note["attachment"] = [{"type": "Image", "url": f"https://a.test/{nasty}", "name": nasty, "mediaType": nasty}]
    note["contentMap"] = {nasty: nasty}
    field = {"type": "PropertyValue", "name": nasty, "value": nasty}
    profile = {**mallory.document(), "name": nasty, "summary": nasty, "attachment": [field], "url": nasty}
    await deliver(
        instance,
        mallory,
        mallory.activity("Create", note),
        mallory.activity("Update", {**note, "content": nasty, "updated": stamp(60)}),
        mallory.activity("Update", profile),
        {**mallory.activity("Like", nasty), "id": f"{mallory.uri}#{nasty}"},
        {**mallory.activity("Follow", alice.uri), "id": nasty},
        {**mallory.activity("Block", nasty), "type": nasty},
    )

    def unsettled(tx: Any) -> list[str]:
        return list(tx.scalars(select(received.c.last_error).where(received.c.outcome.in_(["failed"]))))

    assert await instance.database.read(unsettled) == []
    told = await instance.notifications(alice)
    assert {n["type"] for n in told} == {"mention", "follow"}
    assert "\\u0000" not in json.dumps(told)


def _many(number: int, make: Callable[[int], Any]) -> list[Any]:
    return [make(n) for n in range(number)]


HUGE: dict[str, dict[str, Any]] = {
    "a title": {"name": "n" * 900_000},
    "a warning": {"summary": "s" * 900_000},
    "options": {"type": "Question", "oneOf": _many(9000, lambda n: {"type": "Note", "name": f"o{n}"})},
    "emoji": {
        "tag": _many(
            5000, lambda n: {"type": "Emoji", "name": f":e{n}:", "icon": {"type": "Image", "url": "https://a.test/e"}}
        )
    },
    "hashtags": {"tag": _many(9000, lambda n: {"type": "Hashtag", "name": "#" + "x" * 40 + str(n)})},
    "one hashtag": {"tag": [{"type": "Hashtag", "name": "#" + "x" * 900_000}]},
    "pictures": {"attachment": _many(9000, lambda n: {"type": "Image", "url": f"https://a.test/{n}"})},
    "one description": {
        "attachment": [{"type": "Image", "mediaType": "image/png", "url": "https://a.test/", "name": "d" * 900_000}]
    },
    "an address": {"url": "https://a.test/" + "u" * 900_000},
    "recipients": {"bto": _many(9000, lambda n: f"https://a.test/users/{n}")},
    "languages": {"contentMap": {f"x-{n}": "text" for n in range(20_000)}},
    "links": {"content": "".join(f'<a href="https://a.test/{n}">{n}</a>' for n in range(20_000))},
    "nested html": {"content": "<div>" * 100_000},
    "no words": {"content": "x" * 900_000},
}


@pytest.mark.attack("DOS-10")
@pytest.mark.parametrize("case", HUGE)
async def test_a_post_without_measure_is_cut_or_refused(
    instance: Instance, alice: Account, mallory: Actor, case: str
) -> None:
    await followed(instance, alice, mallory)
    note = mallory.mention(alice.uri, "huge")
    changes = dict(HUGE[case])
    note["tag"] += changes.pop("tag", [])
    note |= changes
    await deliver(instance, mallory, mallory.activity("Create", note))
    for path in ("/api/v1/timelines/home", "/api/v1/notifications"):
        async with instance.http.get(instance.url + path, headers=alice.headers) as response:
            assert response.status == 200
            assert len(await response.read()) < KIB_200
    (shown,) = await instance.home(alice)
    for path in (f"/@{shown['account']['acct']}/{shown['id']}", f"/@{shown['account']['acct']}"):
        async with instance.http.get(instance.url + path, allow_redirects=False) as response:
            assert response.status < 500
            assert len(await response.read()) < KIB_200


@pytest.mark.attack("DOS-10")
@pytest.mark.parametrize(
    "published", ["9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "-0001-01-01", "yesterday", None, 0, 10**30, [], {}]
)
async def test_impossible_dates_do_not_move_a_post(
    instance: Instance, alice: Account, mallory: Actor, published: Any
) -> None:
    await followed(instance, alice, mallory)
    odd = mallory.note("odd date", published=published, updated=published)
    await deliver(instance, mallory, mallory.activity("Create", odd))
    await deliver(instance, mallory, mallory.activity("Create", mallory.note("later")))
    newest, *_ = await instance.home(alice)
    # Whatever it says, it does not stand above what came after it.
    assert newest["content"] == "<p>later</p>"
    await deliver(instance, mallory, mallory.activity("Update", {**odd, "updated": "9999-12-31T23:59:59Z"}))
    home = await instance.home(alice)
    assert home[0]["content"] == "<p>later</p>"
    now = clock.rfc3339(clock.now())
    assert all("1970" <= status["created_at"] <= now for status in home)
    assert all((status["edited_at"] or "1970") <= now for status in home)


@pytest.mark.attack("DOS-10")
@pytest.mark.parametrize("total", [10**12, -1, "x", None, 1.5, [], 2**63])
async def test_totals_of_others_are_no_truth(
    instance: Instance, alice: Account, mallory: Actor, peer: Server, total: Any
) -> None:
    for name in ("followers", "following", "outbox"):
        peer.serve({"id": f"{mallory.uri}/{name}", "type": "OrderedCollection", "totalItems": total})
    mallory.extra |= {"followers_count": total, "totalItems": total}
    account = await instance.find(alice, mallory.handle)
    for name in ("followers_count", "following_count", "statuses_count"):
        assert 0 <= account[name] <= 2**53


@pytest.mark.attack("DOS-12")
async def test_a_storm_of_deletions_leaves_nothing_behind(instance: Instance, alice: Account, peer: Server) -> None:
    """The actors are gone, as their server would say if it were asked; by three forms of the same activity."""
    key = peer.actor("somebody").key
    url = f"{instance.url}/inbox"
    for number in range(100):
        ghost = Actor(peer, f"ghost{number}", key)
        peer.scripts[f"/users/ghost{number}"] = lambda _request: web.Response(status=410)
        for obj in (ghost.uri, {"id": ghost.uri, "type": "Tombstone"}, f"{ghost.uri}/statuses/1"):
            assert await peer.send(ghost, url, ghost.activity("Delete", obj, to=[PUBLIC])) == 202
    await instance.tick()
    assert sum(peer.gets.values()) == 0
    assert await count(instance, received) == 0

    def known(tx: Any) -> int:
        return tx.scalar(select(func.count()).select_from(actors).where(actors.c.host != "")) or 0

    assert await instance.database.read(known) == 0
    assert (await instance.database.read(deliveries.waiting, now=clock.now()))[0] == 0


@pytest.mark.attack("DOS-14")
async def test_a_viral_post_is_made_once_and_the_same_for_all(instance: Instance, alice: Account) -> None:
    posted = await instance.post(alice, "Everybody looks at this")
    page = f"/@alice/{posted['id']}"
    note = f"/users/alice/statuses/{posted['id']}"
    reads = 0
    read = instance.database.read

    async def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0.2)  # all of the crowd is there before the first is answered
        return await read(*arguments, **named)

    async def get(path: str, accept: str, **headers: str) -> tuple[int, str, str, bytes]:
        given = {"Accept": accept, **headers}
        async with instance.http.get(instance.url + path, headers=given, allow_redirects=False) as response:
            known = response.headers.get("ETag", ""), response.headers.get("Cache-Control", "")
            return response.status, *known, await response.read()

    instance.database.read = counted  # type: ignore[method-assign]
    for path, accept in ((note, AP), ("/users/alice", AP), (page, "text/html"), ("/@alice", "text/html"), ("/", "*/*")):
        reads = 0
        answers = set(await asyncio.gather(*(get(path, accept) for _ in range(100))))
        ((status, etag, cached, _),) = answers
        assert status == 200
        assert etag
        assert "private" not in cached
        assert "no-store" not in cached
        assert reads <= 5, path  # a busy machine may let in some after the first are served
        again = await get(path, accept, **{"If-None-Match": etag})
        assert (again[0], again[3]) == (304, b"")
    # What is gone is gone for all, and nobody is shown what another signed in for.
    mine = f"/@alice/{(await instance.post(alice, 'for followers', visibility='private'))['id']}"
    browsers = [{}, alice.headers, {"Cookie": "a=b"}]
    answers_ = await asyncio.gather(*(get(mine, "text/html", **browsers[n % 3]) for n in range(30)))
    assert {answer[0] for answer in answers_} == {404}
    await instance.call("DELETE", f"/api/v1/statuses/{posted['id']}", by=alice)
    assert {answer[0] for answer in await asyncio.gather(*(get(page, "text/html") for _ in range(20)))} <= {404, 410}


@pytest.mark.attack("DOS-14")
async def test_a_crowd_that_signs_is_served_from_one_read_too(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    """What is public needs no verification: no key is fetched, whoever says to have signed."""
    posted = await instance.post(alice, "Everybody looks at this")
    crowd = [Actor(mallory.server, f"reader{n}", mallory.key) for n in range(50)]

    async def get(actor: Actor) -> tuple[int, bytes]:
        headers = signed(actor, posted["uri"], b"", method="GET", covered="(request-target) host date")
        async with instance.http.get(posted["uri"], headers=[*headers, ("Accept", AP)]) as response:
            return response.status, await response.read()

    answers = await asyncio.gather(*(get(actor) for actor in crowd))
    assert len(set(answers)) == 1
    assert answers[0][0] == 200
    assert sum(mallory.server.gets.values()) == 0


@pytest.mark.attack("DOS-17")
async def test_a_follower_that_never_answers_keeps_nobody_waiting(
    make_instance: MakeInstance, peer: Server, other_peer: Server
) -> None:
    """Through the real client and the real worker: the tarpit takes the connection and says nothing."""
    instance = await make_instance()
    alice = await instance.account("alice")
    for number in range(30):
        stuck = peer.actor(f"stuck{number}", endpoints={})
        await deliver(instance, stuck, stuck.activity("Follow", alice.uri))
    honest = other_peer.actor("honest")
    await deliver(instance, honest, honest.activity("Follow", alice.uri))
    accepted = len(other_peer.received)
    release = asyncio.Event()
    in_flight = most = 0
    answer = peer.handle

    async def tarpit(request: web.Request) -> web.StreamResponse:
        nonlocal in_flight, most
        if request.method != "POST":
            return await answer(request)
        in_flight += 1
        most = max(most, in_flight)
        await release.wait()
        in_flight -= 1
        return web.Response(status=503)

    peer.handle = tarpit  # type: ignore[method-assign]
    for number in range(3):
        await instance.post(alice, f"number {number}")
    ticking = asyncio.create_task(instance.tick())
    try:
        async with asyncio.timeout(25):
            while len(other_peer.received) < accepted + 3:
                await asyncio.sleep(0.02)
        assert 0 < most <= 8  # of ninety
    finally:
        release.set()
        await ticking
