"""Streams over real HTTP: what comes to whom, and to whom it does not."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import aiohttp
import mastodon
import pytest

from fediverse import access, clock, events, keys, middleware, moderation
from fediverse.actors import people
from fediverse.api import streaming
from fediverse.streaming import news, sockets
from fediverse.timelines import tagged
from tests.peers import scripted
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance
from tests.support.streams import Stream, listening
from tests.support.streams import events as event_stream


def names(found: list[tuple[str, str, Any]]) -> list[tuple[str, str]]:
    return [(stream, event) for stream, event, _ in found]


async def test_what_happens_comes_to_those_whom_it_concerns(instance: Instance) -> None:
    mira, noor, olaf = [await instance.account(name) for name in ("mira", "noor", "olaf")]
    await instance.follow(noor, "mira")
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(listening(instance, mira, stream="user"))
        reader = await stack.enter_async_context(listening(instance, noor, stream="user"))
        await reader.subscribe("user:notification")
        stranger = await stack.enter_async_context(listening(instance, olaf, stream="user"))
        await own.subscribe("direct")
        await stranger.subscribe("direct")
        anybody = await stack.enter_async_context(listening(instance))
        for stream in ("public", "public:local", "public:remote", "public:local:media"):
            await anybody.subscribe(stream)
        await anybody.subscribe("hashtag", tag="Köln")
        await anybody.subscribe("hashtag:local", tag="köln")

        post = await instance.post(mira, "Hello @noor from #KÖLN")
        ((_, _, mine),) = await own.events(1)
        assert_entity("Status", mine)
        assert (mine["id"], mine["favourited"], mine["pinned"]) == (post["id"], False, False)
        home = await reader.events(3)
        assert sorted(names(home)) == [
            ("user", "notification"), ("user", "update"), ("user:notification", "notification"),
        ]  # fmt: skip
        for _, event, payload in home:
            assert_entity("Notification" if event == "notification" else "Status", payload)
            shown = payload["status"] if event == "notification" else payload
            assert (shown["id"], shown["favourited"], shown["filtered"]) == (post["id"], False, [])
            assert "pinned" not in shown
        shown = await anybody.events(4)
        assert names(shown) == [(s, "update") for s in ("public", "public:local", "hashtag", "hashtag:local")]
        assert all("favourited" not in payload for _, _, payload in shown)

        # What is not for everybody goes to nobody else, and what is taken back is taken back where it was shown.
        secret = await instance.post(mira, "for followers #Köln", visibility="private")
        direct = await instance.post(mira, "for one: @olaf", visibility="direct")
        assert (await reader.events(1))[0][2]["id"] == secret["id"]
        written = {stream: payload for stream, _, payload in await stranger.events(2)}
        assert_entity("Conversation", written["direct"])
        assert (written["direct"]["unread"], written["direct"]["last_status"]["id"]) == (True, direct["id"])
        assert written["user"]["status"]["id"] == direct["id"]
        assert sorted(names(await own.events(3))) == [("direct", "conversation"), *[("user", "update")] * 2]
        await instance.call("POST", f"/api/v1/conversations/{written['direct']['id']}/read", by=olaf)
        ((_, _, read),) = await stranger.events(1)
        assert (read["id"], read["unread"]) == (written["direct"]["id"], False)
        await instance.call("POST", f"/api/v1/statuses/{post['id']}/favourite", by=noor)
        assert [payload["type"] for _, _, payload in await own.events(1)] == ["favourite"]
        await instance.call("PUT", f"/api/v1/statuses/{post['id']}", by=mira, json={"status": "Changed #Köln @noor"})
        ((_, event, edited),) = await reader.events(1)
        assert (event, edited["id"], edited["favourited"]) == ("status.update", post["id"], True)
        assert edited["edited_at"]
        assert (await own.events(1))[0][2]["favourited"] is False
        assert names(await anybody.events(4))[2:] == [("hashtag", "status.update"), ("hashtag:local", "status.update")]

        other = await instance.post(olaf, "carried further")
        assert len(await anybody.events(2)) == 2
        await instance.call("POST", f"/api/v1/statuses/{other['id']}/favourite", by=noor)
        boost = await instance.call("POST", f"/api/v1/statuses/{other['id']}/reblog", by=mira)
        ((_, event, boosted),) = await reader.events(1)
        assert (event, boosted["id"], boosted["reblog"]["id"]) == ("update", boost["id"], other["id"])
        assert (boosted["reblog"]["favourited"], boosted["reblog"]["reblogged"]) == (True, False)
        assert (await own.events(1))[0][2]["reblog"]["reblogged"] is True
        await instance.call("POST", f"/api/v1/statuses/{other['id']}/unreblog", by=mira)
        assert (await reader.events(1))[0][1:] == ("delete", boost["id"])
        for gone in (secret, direct, post):
            await instance.call("DELETE", f"/api/v1/statuses/{gone['id']}", by=mira)
        assert [payload for _, _, payload in await reader.events(2)] == [secret["id"], post["id"]]
        assert [payload for _, _, payload in await anybody.events(4)] == [post["id"]] * 4


async def test_those_from_elsewhere_and_those_who_do_not_want_to_see_each_other(
    instance: Instance, peer: scripted.Server
) -> None:
    mira, noor = await instance.account("mira"), await instance.account("noor")
    bob = peer.actor("bob")
    await instance.follow(mira, bob.handle)
    await instance.follow(noor, bob.handle)
    await instance.tick()
    found = await instance.find(noor, bob.handle)
    async with listening(instance, mira, stream="public:remote") as mine, listening(instance, noor) as theirs:
        for stream in ("public", "public:remote", "user", "public:local"):
            await theirs.subscribe(stream)
        await instance.call("POST", f"/api/v1/accounts/{found['id']}/mute", by=noor)
        note = peer.serve(bob.mention(mira.uri, "Hello from elsewhere"))
        await peer.send(bob, instance.url + "/inbox", bob.activity("Create", note))
        await instance.tick()
        ((stream, event, payload),) = await mine.events(1)
        assert (stream, event, payload["uri"]) == ("public:remote", "update", note["id"])
        await instance.post(noor, "my own")
        assert {stream for stream, _, _ in await theirs.events(3)} == {"public", "public:local", "user"}


async def test_no_quote_shows_to_whom_its_author_blocks(instance: Instance) -> None:
    mira, noor, olaf = [await instance.account(name) for name in ("mira", "noor", "olaf")]
    await instance.follow(noor, "mira")
    quoted = await instance.post(olaf, "not for noor")
    await instance.call("POST", f"/api/v1/accounts/{noor.id}/block", by=olaf)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(listening(instance, noor, stream="user"))
        own = await stack.enter_async_context(listening(instance, mira, stream="user"))
        await instance.post(mira, "Look, @noor", quoted_status_id=quoted["id"])
        for _, event, payload in await reader.events(2):
            shown = payload["status"] if event == "notification" else payload
            assert shown["quote"] == {"state": "unauthorized", "quoted_status": None}
        ((_, _, mine),) = await own.events(1)
        assert mine["quote"]["quoted_status"]["id"] == quoted["id"]


async def test_filters_hold_in_streams(instance: Instance) -> None:
    mira, noor = await instance.account("mira"), await instance.account("noor")
    await instance.follow(noor, "mira")
    async with listening(instance, noor, stream="user") as home, listening(instance, noor, stream="public") as public:
        for action, word in (("warn", "cake"), ("hide", "weather")):
            filter_ = {
                "title": word, "context": ["home", "notifications"], "filter_action": action,
                "keywords_attributes": [{"keyword": word}],
            }  # fmt: skip
            await instance.call("POST", "/api/v2/filters", by=noor, json=filter_)
        assert names(await home.events(2)) == [("user", "filters_changed")] * 2
        await instance.post(mira, "@noor the weather")
        await instance.post(mira, "some cake")
        ((_, event, shown),) = await home.events(1)
        assert (event, [result["filter"]["title"] for result in shown["filtered"]]) == ("update", ["cake"])
        assert_entity("Status", shown)
        filtered = [payload["filtered"][0]["keyword_matches"] for _, _, payload in await public.events(1)]
        assert filtered == [["weather"]]


async def test_lists_show_what_their_members_say(instance: Instance) -> None:
    mira, noor, olaf = [await instance.account(name) for name in ("mira", "noor", "olaf")]
    await instance.follow(noor, "mira")
    await instance.follow(noor, "olaf")
    made = await instance.call("POST", "/api/v1/lists", by=noor, json={"title": "Mira", "exclusive": True})
    members = {"account_ids": [str(mira.id)]}
    await instance.call("POST", f"/api/v1/lists/{made['id']}/accounts", by=noor, json=members)
    async with listening(instance, noor, stream="user") as home, listening(instance, olaf) as other:
        await home.subscribe("list", list=made["id"])
        await other.send(type="subscribe", stream="list", list=made["id"])
        assert (await other.next())["status"] == 404, "a list is its owner's"
        async with event_stream(instance, f"list?list={made['id']}", noor) as events_of_list:
            post = await instance.post(mira, "for the list")
            await instance.post(olaf, "for home")
            found = await home.events(2)
            assert names(found) == [("list", "update"), ("user", "update")]
            assert found[0][2]["id"] == post["id"]
            assert_entity("Status", found[0][2])
            assert (await events_of_list.next())[1]["id"] == post["id"]
        await instance.call("PUT", f"/api/v1/statuses/{post['id']}", by=mira, json={"status": "changed"})
        await instance.call("DELETE", f"/api/v1/statuses/{post['id']}", by=mira)
        assert names(await home.events(3)) == [("list", "status.update"), ("user", "delete"), ("list", "delete")]


async def test_hashtags_that_many_follow_stream_to_all_of_them(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagged, "DIRECTLY", 1)
    mira, noor, olaf = [await instance.account(name) for name in ("mira", "noor", "olaf")]
    for each in (noor, olaf):
        await instance.call("POST", "/api/v1/tags/rivers/follow", by=each)
    async with listening(instance, noor, stream="user") as first, listening(instance, olaf, stream="user") as second:
        post = await instance.post(mira, "All #rivers")
        await instance.tick()
        for stream in (first, second):
            ((_, event, payload),) = await stream.events(1)
            assert (event, payload["id"]) == ("update", post["id"])
            await stream.settled()


async def test_server_sent_events(instance: Instance) -> None:
    mira, noor = await instance.account("mira"), await instance.account("noor")
    address = f"ws{instance.url.removeprefix('http')}"
    assert (await instance.call("GET", "/api/v1/instance"))["urls"]["streaming_api"] == address
    assert (await instance.call("GET", "/api/v2/instance"))["configuration"]["urls"]["streaming"] == address
    assert await (await instance.http.get(f"{instance.url}/api/v1/streaming/health")).text() == "OK"
    paths = ["public", "public/local", "hashtag?tag=so", "hashtag/local?tag=So"]
    async with AsyncExitStack() as stack:
        open_to_all = [await stack.enter_async_context(event_stream(instance, path)) for path in paths]
        home = await stack.enter_async_context(event_stream(instance, "user", mira))
        told = await stack.enter_async_context(event_stream(instance, "user/notification", mira))
        elsewhere = await stack.enter_async_context(event_stream(instance, "public/remote?only_media=true"))
        direct = await stack.enter_async_context(event_stream(instance, "direct", mira))
        post = await instance.post(noor, "Is it #so, @mira?")
        for stream in open_to_all:
            event, payload = await stream.next()
            assert (event, payload["id"]) == ("update", post["id"])
        for stream in (home, told):
            event, payload = await stream.next()
            assert (event, payload["status"]["id"]) == ("notification", post["id"])
        hub = instance.app[keys.HUB]
        hub.dispatch([events.Changed(mira.id, "filters_changed"), events.Changed(mira.id, "notifications_merged")])
        hub.dispatch([events.Announcement("announcement.delete", "7")])
        assert [await home.next() for _ in range(3)] == [
            ("filters_changed", "undefined"), ("notifications_merged", "1"), ("announcement.delete", "7"),
        ]  # fmt: skip
        assert await told.next() == ("notifications_merged", "1")
        await instance.app[streaming.STREAMER].beat()
        for stream in (*open_to_all, home, told, elsewhere, direct):
            assert await stream.response.content.readline() in {b":thump\n", b"\n"}
            assert stream.response.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_token_comes_in_three_ways_and_is_never_logged(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[object] = []

    class Recorder:
        def __getattr__(self, _level: str) -> Any:
            return lambda *args, **more: logged.extend([args, more])

    monkeypatch.setattr(middleware, "log", Recorder())
    mira = await instance.account("mira")
    url = f"{instance.url}/api/v1/streaming"
    ways: list[tuple[str, dict[str, Any]]] = [
        (f"{url}?stream=user&access_token={mira.token}", {}),
        (f"{url}/?stream=user", {"protocols": (mira.token,)}),
        (f"{url}?stream=user", {"headers": mira.headers}),
    ]
    for address, options in ways:
        async with instance.http.ws_connect(address, **options) as socket:
            stream = Stream(socket)
            await stream.settled()
            await instance.post(mira, "Hello")
            assert names(await stream.events(1)) == [("user", "update")]
            assert socket.protocol == (mira.token if "protocols" in options else None)
    for address in (f"{url}?access_token=wrong", f"{url}/user?access_token={'x' * 4000}"):
        async with instance.http.get(address, headers={"Upgrade": "websocket"}) as response:
            assert response.status == 401
    assert logged
    assert mira.token not in repr(logged)


STREAMS: list[tuple[str | None, Any, int | None]] = [
    ("read", "user", None),
    ("read:statuses", "user", None),
    ("read:notifications", "user:notification", None),
    ("read:notifications", "user", 403),
    ("read:statuses", "user:notification", 403),
    ("write", "public", 403),
    ("write follow push", "user", 403),
    (None, "user", 401),
    (None, "list", 401),
    (None, "direct", 401),
    (None, "public:remote:media", None),
    ("read", "hashtag", 400),
    ("read", "list", 400),
    ("read", "nothing", 400),
    ("read", ["user"], 400),
]


@pytest.mark.attack("OAU-04")
async def test_streams_ask_for_their_scopes(instance: Instance) -> None:
    mira, noor = await instance.account("mira"), await instance.account("noor")

    def token(tx: Any, scopes: str) -> str:
        return access.token_create(
            tx, person_id=mira.person_id, actor_id=mira.id, scopes=access.parse_scopes(scopes), now=clock.now()
        )

    for scopes, stream, status in STREAMS:
        who = replace(mira, token=await instance.database.write(token, scopes)) if scopes else None
        async with listening(instance, who) as socket:
            await socket.send(type="subscribe", stream=stream)
            if status is not None:
                assert (await socket.next())["status"] == status, (scopes, stream)
            await socket.settled()
    # Without the scope for notifications the user's stream has none.
    who = replace(mira, token=await instance.database.write(token, "read:statuses"))
    async with listening(instance, who, stream="user") as socket:
        await instance.post(noor, "@mira does not hear of this")
        changed = events.Changed(mira.id, "filters_changed")
        await instance.database.write(lambda tx: events.after_commit(tx, changed))
        assert names(await socket.events(1)) == [("user", "filters_changed")]


async def test_messages_that_mean_nothing_are_answered(instance: Instance) -> None:
    mira = await instance.account("mira")
    async with listening(instance, mira) as stream:
        for message in (
            "",
            "[]",
            "null",
            '{"type": 1}',
            "{",
            '{"type":"subscribe"}',
            '{"type":"subscribe","stream":{}}',
        ):
            await stream.socket.send_str(message)
            assert (await stream.next())["status"] == 400
        for params in ({"tag": 1}, {"tag": ""}, {"tag": "two words"}, {"tag": "x" * 300}, {"tag": None}):
            await stream.send(type="subscribe", stream="hashtag", **params)
            assert (await stream.next())["status"] == 400
        for params in ({"list": "x"}, {"list": -1}, {"list": True}, {"list": "9" * 40}, {"list": [1]}):
            await stream.send(type="subscribe", stream="list", **params)
            assert (await stream.next())["status"] == 400
        await stream.send(type="subscribe", stream="list", list="1")
        assert (await stream.next())["status"] == 404
        await stream.subscribe("public")
        await stream.send(type="unsubscribe", stream="public")
        await stream.send(type="unsubscribe", stream="public")
        await instance.post(mira, "nobody hears this")
        await stream.subscribe("user")
        await instance.post(mira, "this one is heard")
        assert names(await stream.events(1)) == [("user", "update")]
        assert not stream.socket.closed
    for path, status in (("streaming", 400), ("streaming/user", 401), ("streaming/hashtag", 400), ("streaming/x", 404)):
        assert_entity("Error", await instance.call("GET", f"/api/v1/{path}", status=status))
    assert_entity("Error", await instance.call("GET", "/api/v1/streaming/list?list=1", by=mira, status=404))


@pytest.mark.attack("OAU-06")
async def test_a_stream_ends_with_its_token(instance: Instance) -> None:
    streamer = instance.app[streaming.STREAMER]
    mira, noor, olaf, pia = [await instance.account(name) for name in ("mira", "noor", "olaf", "pia")]
    async with AsyncExitStack() as stack:
        streams = {
            account: await stack.enter_async_context(listening(instance, account, stream="user"))
            for account in (mira, noor, olaf, pia)
        }
        events_of_noor = await stack.enter_async_context(event_stream(instance, "user", noor))
        anybody = await stack.enter_async_context(listening(instance, stream="public"))
        await instance.database.write(access.end_all, mira.person_id, now=clock.now())
        assert await streams[mira].closed() == 1008
        await instance.database.write(moderation.set_suspended, noor.id, True, now=clock.now())
        assert await streams[noor].closed() == 1008
        assert await events_of_noor.response.content.read() == b":thump\n"
        await instance.database.write(people.set_suspended, olaf.person_id, True, now=clock.now())
        assert await streams[olaf].closed() == 1008

        # Told by another process that could not say so: found out at the next look.
        def quietly(tx: Any) -> None:
            access.end_all(tx, pia.person_id, now=clock.now())
            tx.info["fediverse.after_commit"].clear()

        await instance.database.write(quietly)
        await streamer.recheck()
        assert await streams[pia].closed() == 1008
        assert len(streamer.board) == 1
        await streamer.beat()
        await anybody.settled()


@pytest.mark.attack("DOS-13")
async def test_no_client_takes_more_than_its_part(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    mira = await instance.account("mira")
    streamer = instance.app[streaming.STREAMER]
    async with listening(instance, mira, stream="user") as stream:
        for number in range(63):
            await stream.send(type="subscribe", stream="hashtag", tag=f"t{number}")
        await stream.settled()
        await stream.send(type="subscribe", stream="hashtag", tag="onemore")
        assert (await stream.next())["status"] == 429
        await stream.subscribe("hashtag", tag="T1")  # one that is subscribed to already
        for _ in range(100):
            await stream.send(type="probe")
        assert await stream.closed() == 1008
    async with listening(instance, mira) as stream:
        await stream.socket.send_str("x" * 5000)
        assert await stream.closed() == 1009
    async with listening(instance, mira) as stream:
        await stream.socket.send_bytes(b"x")
        assert await stream.closed() == 1003
    # Whoever does not even answer pings is gone after the third.
    silent = await instance.http.ws_connect(f"{instance.url}/api/v1/streaming?stream=public", autoping=False)
    async with listening(instance, stream="public") as lively:
        for _ in range(3):
            await streamer.beat()
            await lively.settled()
        while (await silent.receive(5)).type == aiohttp.WSMsgType.PING:
            pass
        assert silent.closed
        # A slow reader is let go, and keeps nobody waiting.
        monkeypatch.setattr(sockets, "MAX_WAITING", 64 * 1024)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(instance.url.rsplit(":", 1)[1]), limit=1024)
        host = instance.url.partition("//")[2]
        head = (
            f"GET /api/v1/streaming?stream=public HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        writer.write(head.encode())
        assert b"101" in await reader.readuntil(b"\r\n")
        await lively.settled()
        assert len(streamer.board) == 2
        parcel = sockets.Parcel("update", b"x" * 60_000)
        (slow,) = [socket for socket in streamer.board.sockets() if socket.channels and not _is_of(socket, lively)]
        channel = next(iter(slow.channels.values()))
        for _ in range(1000):
            if not slow.send(parcel, channel):
                break
            await asyncio.sleep(0)
        else:
            pytest.fail("a reader that reads nothing was never let go")
        await lively.settled()
        assert len(streamer.board) == 1
        writer.close()


def _is_of(socket: Any, stream: Stream) -> bool:
    ours = stream.socket.get_extra_info("sockname")
    return bool(socket._transport.get_extra_info("peername") == ours)


async def test_connections_are_counted(instance: Instance, make_instance: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_OF_AN_ACCOUNT", 2)
    monkeypatch.setattr(streaming, "_OF_AN_ADDRESS", 3)
    limited = await make_instance(rate_limits="on")
    mira, noor = await limited.account("mira"), await limited.account("noor")
    async with listening(limited, mira), listening(limited, mira):
        for path in ("streaming/user", "streaming"):
            async with limited.http.get(
                f"{limited.url}/api/v1/{path}", headers={**mira.headers, "Upgrade": "websocket"}
            ) as response:
                assert response.status == 429
        async with listening(limited, noor), limited.http.get(f"{limited.url}/api/v1/streaming/public") as response:
            assert response.status == 429
    async with listening(limited, mira):
        pass


async def test_what_cannot_be_told_keeps_nothing_else_back(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    mira = await instance.account("mira")
    read = news.read

    def fail(tx: Any, happened: Any, *rest: Any, **more: Any) -> Any:
        if any(isinstance(event, events.Edited) for event in happened):
            raise LookupError("an event that cannot be read")
        return read(tx, happened, *rest, **more)

    monkeypatch.setattr(news, "read", fail)
    post = await instance.post(mira, "one")
    hub = instance.app[keys.HUB]
    async with listening(instance, mira, stream="user") as stream:
        hub.dispatch([events.Edited(int(post["id"])), events.Changed(mira.id, "filters_changed")])
        assert names(await stream.events(1)) == [("user", "filters_changed")]
        await instance.post(mira, "two")
        assert names(await stream.events(1)) == [("user", "update")]


async def test_a_stop_tells_every_client(make_instance: Any) -> None:
    instance = await make_instance()
    mira = await instance.account("mira")
    async with listening(instance, mira, stream="user") as stream, event_stream(instance, "public") as public:
        await instance.app.shutdown()
        assert await stream.closed() == 1001
        assert await public.response.content.read() == b":thump\n"


async def test_mastodon_py_listens(instance: Instance) -> None:
    mira, noor = await instance.account("mira"), await instance.account("noor")
    heard: list[tuple[str, str]] = []
    done = threading.Event()

    class Listener(mastodon.StreamListener):  # type: ignore[misc]
        def on_update(self, status: Any) -> None:
            heard.append(("update", status["content"]))

        def on_notification(self, notification: Any) -> None:
            heard.append(("notification", notification["type"]))

        def on_delete(self, status_id: Any) -> None:
            heard.append(("delete", str(status_id)))
            done.set()

    def connect(who: Account) -> Any:
        client = mastodon.Mastodon(access_token=who.token, api_base_url=instance.url, version_check_mode="none")
        assert client.stream_healthy()
        return client.stream_user(Listener(), run_async=True)

    handle = await asyncio.to_thread(connect, mira)
    while len(instance.app[streaming.STREAMER].board) == 0:
        await asyncio.sleep(0.01)
    post = await instance.post(mira, "Hello from the stream")
    await instance.post(noor, "@mira hello")
    await instance.call("DELETE", f"/api/v1/statuses/{post['id']}", by=mira)
    assert await asyncio.to_thread(done.wait, 10)
    closing = asyncio.create_task(asyncio.to_thread(handle.close))
    while not closing.done():  # it reads until something comes
        await instance.app[streaming.STREAMER].beat()
        await asyncio.wait([closing], timeout=0.05)
    assert heard == [
        ("update", "<p>Hello from the stream</p>"), ("notification", "mention"), ("delete", post["id"]),
    ]  # fmt: skip
